# The configurations of nginx/ that users include as they are.

use FindBin;
use lib "$FindBin::Bin/lib";

BEGIN { $ENV{TEST_NGINX_SHIPPED} = "$FindBin::Bin/../nginx" }

use Digest::SHA ();
use Setter::Keys;
use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $manychat = '/webhook/setter/manychat/instagram';
our $key = 'stk_acme_0123456789-abcdefghijklmnop_ABCDEFGHIJKLMNO';
our $bearer = "Authorization: Bearer $key";
our $lead = '{"lead_identification":"lead-1","lead_message":"Hello",'
    . '"chat_id":"1000000000000001"}';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', <<'EOC') if !defined $block->http_config;
    include $TEST_NGINX_SHIPPED/logformat.conf;
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log setter;
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_tenant $host "^([a-z][a-z0-9-]{0,62})\.[^.]+\.[^.]+\z";
    setter_tenant default;
EOC
    $block->set_value('post_setup_server_root', <<'EOC');
Setter::Suite::redis()->sadd('setter:{mm}:keys', 'acme/'
    . Digest::SHA::sha256_hex($main::key));
EOC
    $block->set_value('config', "    include \$TEST_NGINX_SHIPPED/"
        . "gateway.conf;\n") if !defined $block->config;
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: ManyChat's webhook
--- request eval
["POST $::manychat\n$::lead", "POST $::manychat\n{}", "POST $::manychat\n["]
--- error_code eval
[201, 201, 201]
--- response_body_like eval
['"SUCCESS"', '"INVALID_INPUT"', '"INVALID_INPUT"']
--- queued eval
[1, 0, 0]
--- job eval
["tenant: default\ndata.surface: instagram\nprovider: manychat"]



=== TEST 2: the same message with a key, and true statuses
--- request eval
[map { "POST /api/lead/messages\n$_" } $::lead, '{}', '[', $::lead, $::lead]
--- more_headers eval
[$::bearer, $::bearer, $::bearer, "$::bearer\nContent-Type: text/plain", ""]
--- error_code eval
[201, 422, 400, 415, 401]
--- queued eval
[1, 0, 0, 0, 0]
--- job eval
["tenant: acme"]



=== TEST 3: the engine's tenant is its key's
--- request eval
[map { "POST /webhook/inbound\n{\"from\":\"1\",\"message\":\"a\"$_}" }
    '', ',"tenant_id":"acme"', ',"tenant_id":"globex"', '']
--- more_headers eval
["$::bearer\nHost: globex.example.com", $::bearer, $::bearer, ""]
--- error_code eval
[201, 201, 403, 401]
--- queued eval
[1, 1, 0, 0]
--- job eval
["tenant: acme\nprovider: infobip", "tenant: acme"]



=== TEST 4: a body too long, by its length and in chunks
--- request eval
my $long = '{"a":"' . 'a' x 270000 . '"}';
my $chunked = sprintf("%x\r\n", length $long) . "$long\r\n0\r\n\r\n";
[
    "POST $::manychat\n$long", "POST $::manychat\n$chunked",
    "POST /api/lead/messages\n$long", "POST /api/lead/messages\n$chunked",
]
--- more_headers eval
my $chunked = "Transfer-Encoding: chunked";
["", $chunked, $::bearer, "$::bearer\n$chunked"]
--- error_code eval
[201, 201, 413, 413]
--- response_headers eval
[("Content-Type: application/json") x 4]
--- response_body eval
[('{"id":null,"status":"INVALID_INPUT","message":"Payload too large",'
  . '"errors":[{"field":"body","error":"too_long"}]}') x 4]
--- queued eval
[0, 0, 0, 0]



=== TEST 5: every answer carries an id: the caller's, where it is one
--- request eval
[("GET /health") x 4, "GET /nothing", "POST $::manychat\n{}"]
--- more_headers eval
["X-Request-Id: abc-123", "X-Request-Id: " . 'a' x 64,
 "X-Request-Id: " . 'a' x 65, "X-Request-Id: a b", "", ""]
--- error_code eval
[200, 200, 200, 200, 404, 201]
--- raw_response_headers_like eval
["\r\nX-Request-Id: abc-123\r\n", "\r\nX-Request-Id: a{64}\r\n",
 ("\r\nX-Request-Id: [0-9a-f]{32}\r\n") x 4]



=== TEST 6: the access log is JSON and names no person
--- request eval
"POST $::manychat\n$::lead"
--- more_headers
X-Request-Id: a-1
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
--- error_code: 201
--- wait: 0.1
--- access_log eval
[qr/^\{"time":".*"request_id":"a-1","trace_id":"0af7651916cd43dd8448eb211c80319c",.*"tenant":"default","id":"[0-9a-f-]{36}","status":"SUCCESS","reason":"accepted","enqueue_s":"\d+\.\d{3}"\}$/]
--- no_access_log
1000000000000001
Hello



=== TEST 7: health at the root, metrics and scale on loopback
--- request eval
["GET /", "GET /metrics", "GET /scale"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['^\{"status":"ok"', 'setter_accepted_total', '^\{"queued":0,']



=== TEST 8: Infobip's reports
--- request eval
[map { "POST /webhook/infobip-status$_\n" . '{"results":[{"messageId":"1"}]}' }
    '/acme', '', '', '/No']
--- more_headers eval
["", "Host: globex.example.com", "", "Host: globex.example.com"]
--- error_code eval
[200, 200, 200, 200]
--- job eval
["kind: status\ntenant: acme", "tenant: globex", "tenant: default",
 "tenant: globex"]



=== TEST 9: what outside workers ask for, with the tenant's key
--- post_setup_server_root
Setter::Suite::redis()->function('FLUSH');
Setter::Keys::grant(Setter::Suite::redis(), 'acme');
--- request eval
[
    (map { @$_ } (["GET /queue/next-job", "POST /queue/jobs/a/complete\n{}",
    "POST /queue/jobs/a/fail\n{}", "POST /queue/jobs/a/extend\n{}",
    "POST /messages/send\n{}", "GET /api/jobs/a"]) x 2),
    "GET /queue/jobs/a", "POST /queue/jobs/a/b/complete\n{}",
    "POST /messages/send\n" . '{"to":"15550100","message":"Hello"}',
]
--- more_headers eval
[(Setter::Keys::bearer('other')) x 6, (Setter::Keys::bearer('acme')) x 9]
--- error_code eval
[(401) x 6, 503, 422, 422, 422, 422, 404, 404, 404, 202]
--- response_headers eval
[(("Content-Type: application/json") x 12), "", "",
 "Content-Type: application/json"]



=== TEST 10: Meta's webhook, for the tenant in the path or the host's
--- user_files
>>> ../conf/meta.secret
s3cret
>>> ../conf/meta.verify-token
my-token
--- config
    include $TEST_NGINX_SHIPPED/gateway.conf;
    include $TEST_NGINX_SHIPPED/meta.conf;
--- request eval
my $body = do { open my $f, '<', 't/data/meta-whatsapp/inbound-text.json';
                local $/; <$f> };
my $path = '/webhook/meta';
["POST $path/acme\n$body", "POST $path\n$body", "POST $path\n$body",
 "POST $path/acme\n$body", "POST $path/acme/more\n$body",
 "GET $path/acme?hub.mode=subscribe&hub.challenge=7&hub.verify_token=my-token",
 "GET $path/acme?hub.mode=subscribe&hub.challenge=7&hub.verify_token=your"]
--- more_headers eval
use Digest::SHA ();
my $body = do { open my $f, '<', 't/data/meta-whatsapp/inbound-text.json';
                local $/; <$f> };
my $signature = 'X-Hub-Signature-256: sha256='
    . Digest::SHA::hmac_sha256_hex($body, 's3cret');
[$signature, "$signature\nHost: globex.example.com", $signature, "X-A: b",
 $signature, "X-A: b", "X-A: b"]
--- error_code eval
[200, 200, 200, 401, 404, 200, 403]
--- queued eval
[1, 1, 1, 0, 0, 0, 0]
--- job eval
["tenant: acme", "tenant: globex", "tenant: default", ("") x 4]



=== TEST 11: Infobip's messages, whose tenant is their key's
--- request eval
my $result = '{"messageId":"m","from":"2","to":"1",'
    . '"message":{"type":"TEXT","text":"a"}}';
[("POST /webhook/infobip\n" . '{"results":[' . $result . ']}') x 2,
 "POST /webhook/infobip\nnothing"]
--- more_headers eval
[$::bearer, "", $::bearer]
--- error_code eval
[200, 401, 200]
--- queued eval
[1, 0, 0]
--- job eval
["tenant: acme\nprovider: infobip\nfrom: 2"]



=== TEST 12: Instagram's webhook, with an app's secret of its own
--- user_files
>>> ../conf/instagram.secret
s3cret
>>> ../conf/instagram.verify-token
my-token
--- config
    include $TEST_NGINX_SHIPPED/gateway.conf;
    include $TEST_NGINX_SHIPPED/instagram.conf;
--- request eval
my $body = do { open my $f, '<', 't/data/instagram/inbound-text.json';
                local $/; <$f> };
my $path = '/webhook/instagram';
["POST $path/acme\n$body", "POST $path\n$body", "POST $path\n$body",
 "POST $path/acme\n$body", "POST $path/acme/more\n$body",
 "GET $path?hub.mode=subscribe&hub.challenge=7&hub.verify_token=my-token",
 "GET $path/acme?hub.mode=subscribe&hub.challenge=7&hub.verify_token=your"]
--- more_headers eval
my $body = do { open my $f, '<', 't/data/instagram/inbound-text.json';
                local $/; <$f> };
my $signature = 'X-Hub-Signature-256: sha256='
    . Digest::SHA::hmac_sha256_hex($body, 's3cret');
[$signature, "$signature\nHost: globex.example.com", $signature, "X-A: b",
 $signature, "X-A: b", "X-A: b"]
--- error_code eval
[200, 200, 200, 401, 404, 200, 403]
--- queued eval
[1, 1, 1, 0, 0, 0, 0]
--- job eval
["tenant: acme\nprovider: instagram", "tenant: globex", "tenant: default",
 ("") x 4]
