# The engine's inbound webhook: setter_webhook engine.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', <<'EOC');
    location /w {
        setter_tenant $host ^([a-z][a-z0-9-]*)\.example\.com\z;
        setter_tenant body:tenant_id;
        setter_webhook engine;
    }
    location /compat {
        setter_tenant $host ^([a-z][a-z0-9-]*)\.example\.com\z;
        setter_tenant body:tenant_id;
        setter_status compat;
        setter_webhook engine;
    }
    location /host-only {
        setter_tenant $host ^([a-z][a-z0-9-]*)\.example\.com\z;
        setter_webhook engine;
    }
EOC
});

sub post { return map { "POST /w\n$_" } @_ }

our $good = '{"from":"15550100001","message":"Is it open?",'
    . '"tenant_id":"acme","timestamp":"2026-11-20T10:30:00Z"}';

no_long_string();
run_tests();

__DATA__

=== TEST 1: an inbound message becomes a job for Infobip to answer
--- request eval
main::post($::good)
--- error_code: 201
--- response_body_like: ^\{"id":"[0-9a-f-]{36}","status":"SUCCESS","message":"[^"]+"\}$
--- job
kind: message
tenant: acme
from: 15550100001
text: Is it open?
type: text
provider: infobip
channel: whatsapp
lane: acme/conv/whatsapp:-:15550100001
data.timestamp: 2026-11-20T10:30:00Z
! to
! data.message
! data.from



=== TEST 2: to is the number that was written to
--- request eval
main::post('{"from":15550100001,"to":"15550104330","message":"a",'
    . '"tenant_id":"acme"}')
--- error_code: 201
--- job
from: 15550100001
to: 15550104330
lane: acme/conv/whatsapp:15550104330:15550100001



=== TEST 3: required are from and message
--- request eval
[main::post('{"tenant_id":"acme"}', '{"from":"1","tenant_id":"acme"}',
    '{"message":"a","tenant_id":"acme"}',
    '{"from":"","message":" ","tenant_id":"acme"}',
    '{"from":[],"message":7,"tenant_id":"acme"}')]
--- error_code eval
[(422) x 5]
--- response_body_like eval
[
    '"errors":\[\{"field":"from","error":"required"\},\{"field":"message","error":"required"\}\]',
    '"errors":\[\{"field":"message","error":"required"\}\]',
    '"errors":\[\{"field":"from","error":"required"\}\]',
    '"errors":\[\{"field":"from","error":"empty"\},\{"field":"message","error":"empty"\}\]',
    '"errors":\[\{"field":"from","error":"type"\},\{"field":"message","error":"type"\}\]',
]
--- queued eval
[(0) x 5]



=== TEST 4: the host's tenant wins, and the body must not name another
--- request eval
[
    main::post($::good, $::good, '{"from":"1","message":"a"}'),
    "POST /host-only\n$::good", "POST /host-only\n$::good",
]
--- more_headers eval
["Host: acme.example.com", "Host: other.example.com",
 "Host: other.example.com", "Host: other.example.com",
 "Host: acme.example.com"]
--- error_code eval
[201, 403, 201, 403, 201]
--- response_body_like eval
["SUCCESS", '"id":null,"status":"ERROR"', "SUCCESS",
 '"id":null,"status":"ERROR"', "SUCCESS"]
--- queued eval
[1, 0, 1, 0, 1]



=== TEST 5: the same in compat
--- request eval
["POST /compat\n$::good", "POST /compat\n$::good"]
--- more_headers eval
["Host: acme.example.com", "Host: other.example.com"]
--- error_code eval
[201, 201]
--- response_body_like eval
["SUCCESS", '"id":null,"status":"ERROR"']
--- queued eval
[1, 0]



=== TEST 6: no tenant anywhere, or one that is no slug
--- request eval
[main::post('{"from":"1","message":"a"}',
    '{"from":"1","message":"a","tenant_id":"Not a slug"}')]
--- error_code eval
[404, 404]
--- queued eval
[0, 0]



=== TEST 7: the same key of two tenants is two messages
--- request eval
[map { s/"from"/"message_id":"k","from"/r } main::post($::good, $::good,
    $::good =~ s/"acme"/"other"/r)]
--- response_body_filters eval
my @ids;
sub {
    my ($id) = $_[0] =~ /"id":"([^"]+)"/;
    push @ids, $id;
    return scalar grep { $_ eq $id } @ids;
}
--- error_code eval
[201, 201, 201]
--- response_body eval
[1, 2, 1]
