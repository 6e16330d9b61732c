# The variables, where they have a value and where they have none.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $log = <<'EOC';
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    log_format setter escape=json '<t=$setter_tenant|i=$setter_id|'
        's=$setter_status|l=$setter_lane|e=$setter_enqueue_time|'
        'r=$setter_trace|b=$setter_body>';
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log setter;
EOC

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', $log) if !defined $block->http_config;
    $block->set_value('config', "    location /w {\n$webhook    }\n"
        . "    location /none { return 200; }\n") if !defined $block->config;

    # the log is written when the client may have its answer already
    $block->set_value('wait', 0.1);
});

our $uuid = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';

no_long_string();
run_tests();

__DATA__

=== TEST 1: an accepted message has them all
--- request
POST /w
{"from":"1","to":"2","text":"a"}
--- error_code: 201
--- access_log eval
[qr/^<t=acme\|i=$::uuid\|s=SUCCESS\|l=acme\/conv\/meta:2:1\|e=\d+\.\d{3}\|r=00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\|b=\{.*\}>/]



=== TEST 2: $setter_id is the id answered, $setter_trace the one that goes on
--- request
POST /w
{"from":"1","text":"a","message_id":"k"}
--- more_headers
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
--- error_code: 201
--- response_body_like: "id":"([0-9a-f-]{36})"
--- job
id ~ ^[0-9a-f]{8}-[0-9a-f]{4}-8
trace ~ ^00-0af7651916cd43dd8448eb211c80319c-
--- access_log eval
[qr/\|i=[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f-]+\|/,
 qr/\|r=00-0af7651916cd43dd8448eb211c80319c-/]



=== TEST 3: a request that is not ours has none
--- request
GET /none
--- access_log eval
[qr/^<t=\|i=\|s=\|l=\|e=\|r=[^|]*\|b=>/]



=== TEST 4: refused for its fields
--- request
POST /w
{"from":"1"}
--- error_code: 422
--- access_log eval
[qr/^<t=acme\|i=\|s=INVALID_INPUT\|l=\|e=\|/]



=== TEST 5: refused before its body was read
--- config eval
"    location /w {
        setter_verify token \$http_x_key k;
$::webhook    }"
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 401
--- access_log eval
[qr/\|i=\|s=ERROR\|l=\|e=\|/]



=== TEST 6: no tenant
--- config
    location /w {
        setter_tenant $http_x_tenant;
        setter_webhook generic;
    }
--- request
POST /w
{"from":"1","text":"a","provider":"meta"}
--- error_code: 404
--- access_log eval
[qr/^<t=\|i=\|s=ERROR\|/]



=== TEST 7: not acknowledged
--- http_config eval
$::log =~ s/TEST_NGINX_REDIS;/TEST_NGINX_FAKE timeout=100ms;/r
--- fake
XADD: silence
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 504
--- access_log eval
[qr/^<t=acme\|i=$::uuid\|s=ERROR\|l=acme\/conv\/[^|]*\|e=0\.\d{3}\|.*\|b=\{/]



=== TEST 8: kept over an internal redirect
--- config eval
"    location /w {
        try_files /none /second;
$::webhook    }
    location /second {
$::webhook    }"
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 201
--- access_log eval
[qr/^<t=acme\|i=$::uuid\|s=SUCCESS\|/]



=== TEST 9: a request has one trace, before and after a redirect
--- http_config eval
$::log =~ s/log_format setter/log_format setter 'f=\$first,'/r
    =~ s/escape=json//r
--- config eval
"    location /w {
        set \$first \$setter_trace;
        try_files /none /second;
    }
    location /second {
$::webhook    }"
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 201
--- access_log eval
[qr/^f=(00-[0-9a-f-]{52}),.*\|r=\1\|/]



=== TEST 10: in a header of the answer
--- config eval
"    location /w {
        add_header X-Job \$setter_id always;
        add_header X-Lane \$setter_lane always;
        add_header X-Status \$setter_status always;
$::webhook    }"
--- request
POST /w
{"from":"1","to":"2","text":"a"}
--- error_code: 201
--- response_headers_like
X-Job: [0-9a-f-]{36}
X-Lane: acme/conv/meta:2:1
X-Status: SUCCESS



=== TEST 11: $setter_body is the envelope
--- request
POST /w
{"from":"1","text":"say \"hi\""}
--- error_code: 201
--- access_log eval
[qr/\|b=\{\\"id\\":\\"[^}]*\\"text\\":\\"say \\\\\\"hi\\\\\\"\\"/]



=== TEST 12: a message that is too large as a job
--- config eval
"    location /w {
        setter_max_job 300;
$::webhook    }"
--- request eval
"POST /w\n" . '{"from":"1","text":"' . 'a' x 250 . '"}'
--- error_code: 413
--- access_log eval
[qr/^<t=acme\|i=\|s=INVALID_INPUT\|l=\|e=\|r=[^|]+\|b=>/]



=== TEST 13: refused by Redis
--- http_config eval
$::log =~ s/TEST_NGINX_REDIS;/TEST_NGINX_FAKE;/r
--- fake
XADD 1: -OOM command not allowed when used memory > 'maxmemory'.
XADD 2: -ERR something odd
--- request eval
[("POST /w\n" . '{"from":"1","text":"a"}') x 2]
--- error_code eval
[503, 503]
--- access_log eval
[qr/^<t=acme\|i=\|s=ERROR\|l=\|e=\|r=[^|]+\|b=>/]



=== TEST 14: Redis is away
--- http_config eval
$::log =~ s/TEST_NGINX_REDIS;/TEST_NGINX_NOWHERE;/r
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 503
--- access_log eval
[qr/^<t=acme\|i=\|s=ERROR\|l=\|e=\|r=[^|]+\|b=>/]



=== TEST 15: a tenant that Redis does not know
--- http_config eval
$::log =~ s/tenants any/tenants known/r
--- request
POST /w
{"from":"1","text":"a"}
--- error_code: 404
--- access_log eval
[qr/^<t=acme\|i=\|s=ERROR\|l=\|e=\|r=[^|]+\|b=>/]
