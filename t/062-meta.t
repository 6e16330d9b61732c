# setter_webhook meta: many messages and statuses in one body.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

use Digest::SHA qw(hmac_sha256_hex);
use JSON::XS;

our $webhook = <<'EOC';
    location ~ ^/webhook/meta/(?<slug>[a-z][a-z0-9-]*)$ {
        setter_tenant  $slug;
        setter_webhook meta;
    }
EOC

sub sample {
    open my $file, '<', "t/data/meta-whatsapp/$_[0].json" or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

# A request with samples, or with the text itself.
sub post { return "POST /webhook/meta/acme\n" . sample($_[0]) }

sub message {
    my ($id, $text, %more) = @_;
    return { id => $id, from => '15550104321', timestamp => '1767225600',
        type => 'text', text => { body => $text }, %more };
}

sub body {
    return encode_json({ object => 'whatsapp_business_account', entry => [ {
        id => '9', changes => [ { field => 'messages', value => {
            metadata => { phone_number_id => '800111222333444' }, @_ } } ]
    } ] });
}

# The texts of the jobs in the inbox, in order.
sub texts {
    return join ', ', map { decode_json({ @{ $_->[1] } }->{j})->{text} // '-' }
        Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $webhook . <<'EOC') if !defined $block->config;
    location /metrics { setter_api metrics; }
EOC
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a text becomes a job, answered with an empty 200
--- request eval
main::post('inbound-text')
--- error_code: 200
--- response_body:
--- response_headers
Content-Type: text/plain
--- job
kind: message
tenant: acme
provider: meta
channel: whatsapp
type: text
from: 15550104321
to: 800111222333444
profile.name: Test Contact A
provider_id ~ ^wamid\.
trace ~ ^00-
header.debounce_ms: 0
lane: acme/conv/meta:800111222333444:15550104321



=== TEST 2: a batch, in the order of the provider's times
--- request eval
"POST /webhook/meta/acme\n" . main::body(messages => [
    main::message('w3', 'third', timestamp => '1767225603'),
    main::message('w1', 'first', timestamp => '1767225601'),
    main::message('w2', 'second', timestamp => '1767225602'),
    main::message('w4', 'fourth', timestamp => '1767225603')])
--- error_code: 200
--- queued: 4
--- response_body_filters eval
sub { main::texts() }
--- response_body chomp
first, second, third, fourth



=== TEST 3: messages of several numbers, and statuses
--- request eval
[main::post('inbound-batch'), main::post('mixed-message-and-status')]
--- error_code eval
[200, 200]
--- queued eval
[4, 2]



=== TEST 4: a status, with what the worker reads and a lane of its own
--- request eval
main::post('status-read')
--- error_code: 200
--- job
kind: status
provider: meta
data.statuses.0.status: read
lane ~ ^acme/status/wamid\.
header.debounce_ms: 0



=== TEST 5: what comes again has the same ids
--- request eval
[(main::post('inbound-batch')) x 2]
--- error_code eval
[200, 200]
--- queued eval
[4, 4]
--- response_body_filters eval
my $n = 0;
sub {
    return '' if !$n++;
    my @ids = map { JSON::XS::decode_json({ @{ $_->[1] } }->{j})->{id} }
        Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
    return "@ids[0 .. 3]" eq "@ids[4 .. 7]" ? 'the same' : "@ids";
}
--- response_body eval
["", "the same"]



=== TEST 6: a bad element is set aside and counted, the others pass
--- request eval
["POST /webhook/meta/acme\n" . main::body(messages => [
    7, main::message('w1', 'good'), { id => 'w2' },
    main::message('w3', '', reaction => {}, type => 'reaction')]),
 "GET /metrics"]
--- error_code eval
[200, 200]
--- queued eval
[1, 0]
--- response_body_like eval
[qr/^$/, qr/^setter_aside_total\{format="meta"\} 3$/m]



=== TEST 7: nothing that is a job
--- request eval
[main::post('inbound-reaction'), main::post('field-template-status'),
 main::post('inbound-value-errors'), "POST /webhook/meta/acme\n{}",
 "POST /webhook/meta/acme\nno JSON", "POST /webhook/meta/acme\n[]"]
--- error_code eval
[(200) x 6]
--- queued eval
[(0) x 6]



=== TEST 8: another tenant, an unknown one, none
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants known;
--- request eval
[main::post('inbound-text'), "GET /webhook/meta/acme"]
--- error_code eval
[200, 405]
--- queued eval
[0, 0]



=== TEST 9: broken text becomes U+FFFD
--- request eval
"POST /webhook/meta/acme\n" . main::body(messages => [
    main::message('w1', 'XY')]) =~ s/XY/a\xffb\\u0000c/r
--- error_code: 200
--- job eval
"text: a\xef\xbf\xbdb\xef\xbf\xbdc"



=== TEST 10: members by directives
--- config
    location /webhook/meta/acme {
        setter_tenant  acme;
        setter_webhook meta;
        setter_set     consumer META;
        setter_set     timestamps $request_method;
        setter_set     context none;
        setter_default workflow SALES;
        setter_default channel other;
        setter_default extra more;
        setter_default referral nobody;
    }
--- request eval
["POST /webhook/meta/acme\n" . main::body(messages => [
    main::message('w1', 'x', context => { id => 1 },
        referral => { source_id => 7 })])]
--- error_code eval
[200]
--- job
consumer: META
workflow: SALES
channel: whatsapp
data.timestamps: POST
data.context: none
data.extra: more
data.referral.source_id: 7



=== TEST 11: signed
--- config
    location /webhook/meta/acme {
        setter_tenant  acme;
        setter_verify  meta wire-sample-meta-app-secret-0001;
        setter_webhook meta;
    }
--- request eval
[(main::post('inbound-text')) x 2]
--- more_headers eval
my ($line) = grep { /^inbound-text\.json\t/ }
    do { open my $f, '<', 't/data/meta-whatsapp/SIGNATURES.tsv'; <$f> };
my ($signature) = $line =~ /\t(\S+)/;
["X-Hub-Signature-256: $signature", "X-Hub-Signature-256: sha256=00"]
--- error_code eval
[200, 401]
--- queued eval
[1, 0]



=== TEST 12: Redis is away: the provider is to repeat all of it
--- http_config
    setter_redis $TEST_NGINX_NOWHERE;
    setter_tenants any;
--- request eval
main::post('inbound-batch')
--- error_code: 503
--- response_headers_like
Retry-After: \d+
--- queued: 0



=== TEST 13: Redis is away: the spool takes all of it
--- main_config
thread_pool default threads=1;
--- http_config
    setter_redis $TEST_NGINX_NOWHERE;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
--- request eval
[main::post('inbound-batch'), "GET /metrics"]
--- error_code eval
[200, 200]
--- queued eval
[0, 0]
--- response_body_like eval
[qr/^$/, qr/^setter_spool_written_total 4$/m]



=== TEST 14: one of them is refused: the provider is to repeat
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=500ms;
    setter_tenants any;
--- fake
XADD 1: bulk 1-1
XADD 2: -OOM command not allowed when used memory > maxmemory
--- request eval
"POST /webhook/meta/acme\n" . main::body(messages => [
    main::message('w1', 'a'), main::message('w2', 'b')])
--- error_code: 503



=== TEST 15: more than the tenant's quota: the provider is to repeat
--- config
    location /webhook/meta/acme {
        setter_tenant  acme;
        setter_quota   3;
        setter_webhook meta;
    }
--- request eval
main::post('inbound-batch')
--- error_code: 429
--- response_headers_like
Retry-After: \d+
--- queued: 3



=== TEST 16: a message that is too long is refused alone
--- config
    location /webhook/meta/acme {
        setter_tenant  acme;
        setter_max_job 2k;
        setter_webhook meta;
    }
--- request eval
"POST /webhook/meta/acme\n" . main::body(messages => [
    main::message('w1', 'x' x 3000), main::message('w2', 'short'),
    map { main::message("w$_", 'more') } 3 .. 20])
--- error_code: 200
--- queued: 19



=== TEST 17: refused: setter_validate
--- config
    location /w {
        setter_tenant   acme;
        setter_webhook  meta;
        setter_validate on;
        proxy_pass      http://127.0.0.1:1;
    }
--- must_die
--- suppress_stderr
--- error_log
do not go with a format that brings many messages



=== TEST 18: refused: a tenant in the body
--- config
    location /w {
        setter_tenant   body:tenant_id;
        setter_webhook  meta;
    }
--- must_die
--- suppress_stderr
--- error_log
do not go with a format that brings many messages



=== TEST 19: without de-duplication, and debounced
--- config
    location /webhook/meta/acme {
        setter_tenant   acme;
        setter_webhook  meta;
        setter_dedupe   off;
        setter_debounce 2s;
    }
--- request eval
main::post('inbound-text')
--- error_code: 200
--- job
header.debounce_ms: 2000
id ~ ^[0-9a-f]{8}-[0-9a-f]{4}-7
