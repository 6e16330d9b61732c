# Our own form of a message: setter_webhook generic.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', <<'EOC');
    setter_tenant acme;
    location /w {
        setter_webhook generic;
    }
    location /set {
        setter_webhook generic;
        setter_set provider meta;
    }
    location /default {
        setter_webhook generic;
        setter_default provider twilio;
    }
EOC
});

sub post { return map { "POST /w\n$_" } @_ }

no_long_string();
run_tests();

__DATA__

=== TEST 1: the envelope's own names
--- request
POST /w
{"from":"15550100001","to":"15550104330","text":"hello","provider":"meta","channel":"whatsapp","consumer":"C","workflow":"W","type":"text","provider_id":"wamid.1"}
--- error_code: 201
--- job
kind: message
tenant: acme
from: 15550100001
to: 15550104330
text: hello
provider: meta
channel: whatsapp
consumer: C
workflow: W
type: text
provider_id: wamid.1
lane ~ ^acme/conv/[a-z]+:15550104330:15550100001$



=== TEST 2: no defaults but the type
--- request
POST /w
{"from":"1","text":"hello","provider":"meta"}
--- error_code: 201
--- job
type: text
! channel
! consumer
! workflow
! to
! provider_id



=== TEST 3: media and profile are kept as they are
--- request
POST /w
{"from":"1","text":"look","provider":"meta","media":{"url":"https://example.com/a.jpg","size":1.50},"profile":{"name":"Maria"}}
--- error_code: 201
--- job
media.url: https://example.com/a.jpg
profile.name: Maria
--- envelope_like: "size":1\.50[,}]



=== TEST 4: required are from, text and a provider from somewhere
--- request eval
[main::post('{}', '{"from":"1","text":"a"}', '{"from":"1","provider":"meta"}',
    '{"text":"a","provider":"meta"}'),
 "POST /set\n" . '{"from":"1","text":"a"}',
 "POST /default\n" . '{"from":"1","text":"a"}',
 "POST /default\n" . '{"from":"1","text":"a","provider":"meta"}',
 "POST /set\n" . '{"from":"1","text":"a","provider":"twilio"}']
--- error_code eval
[422, 422, 422, 422, 201, 201, 201, 201]
--- response_body_like eval
['"from".*"text"', '"field":"provider","error":"required"',
 '"field":"text","error":"required"', '"field":"from","error":"required"',
 ('SUCCESS') x 4]
--- job eval
[(undef) x 4, "provider: meta", "provider: twilio", "provider: meta",
 "provider: meta"]
--- queued eval
[0, 0, 0, 0, 1, 1, 1, 1]



=== TEST 5: provider_id makes a repeat the same message
--- request eval
[map { qq(POST /set\n{"from":"1","text":"a",$_}) }
    '"provider_id":"w-1"', '"provider_id":"w-1"', '"message_id":"w-1"',
    '"message_id":"x-1"']
--- response_body_filters eval
my @ids;
sub {
    my ($id) = $_[0] =~ /"id":"([^"]+)"/;
    push @ids, $id;
    return scalar grep { $_ eq $id } @ids;
}
--- error_code eval
[201, 201, 201, 201]
--- response_body_like eval
['^1$', '^[12]$', '^[123]$', '^1$']
