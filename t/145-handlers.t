# The module beside other modules' handlers in the same request.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_webhook generic;
        setter_set provider meta;
EOC

our $post = "POST /w\n" . '{"from":"1","text":"a"}';

no_long_string();
run_tests();

__DATA__

=== TEST 1: auth_request lets a message in, and keeps one out
--- config eval
"    setter_tenant acme;
    location /w {
        auth_request /auth;
$::webhook    }
    location = /auth {
        internal;
        if (\$http_x_key = good) { return 204; }
        return 401;
    }"
--- request eval
[$::post, $::post]
--- more_headers eval
["X-Key: good", "X-Key: bad"]
--- error_code eval
[201, 401]
--- queued eval
[1, 0]
--- job eval
["tenant: acme"]



=== TEST 2: a subrequest that finds another tenant does not change ours
--- config eval
"    location /w {
        setter_tenant acme;
        auth_request /auth;
$::webhook    }
    location = /auth {
        internal;
        setter_tenant other;
        set \$seen \$setter_tenant;
        return 204;
    }"
--- request eval
$::post
--- error_code: 201
--- job
tenant: acme
header.tenant: acme
lane ~ ^acme/



=== TEST 3: limit_req delays a message
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    limit_req_zone $setter_tenant zone=slow:1m rate=5r/s;
--- config eval
"    location /w {
        setter_tenant acme;
        limit_req zone=slow burst=2;
$::webhook    }"
--- request eval
[$::post, $::post]
--- error_code eval
[201, 201]
--- job eval
["tenant: acme", "tenant: acme"]



=== TEST 4: mirror has read the body before
--- config eval
"    location /w {
        setter_tenant acme;
        mirror /copy;
$::webhook    }
    location = /copy {
        internal;
        proxy_pass http://127.0.0.1:\$TEST_NGINX_SERVER_PORT/sink;
    }
    location /sink { return 204; }"
--- request eval
$::post
--- error_code: 201
--- job
text: a



=== TEST 5: a webhook is no target for a subrequest
--- config eval
"    location = /index.html {
        auth_request /w;
        root html;
    }
    location /w {
        setter_tenant acme;
$::webhook    }"
--- request
GET /index.html
--- error_code: 500
--- error_log
setter_webhook takes no subrequests
--- queued: 0



=== TEST 6: in a location chosen by rewrite, and by an internal redirect
--- config eval
"    location /old {
        rewrite ^ /w last;
    }
    location /tried {
        try_files /nothing /w;
    }
    location /w {
        setter_tenant acme;
$::webhook    }"
--- request eval
my @body = ('{"from":"1","text":"a"}');
["POST /old\n@body", "POST /tried\n@body"]
--- error_code eval
[201, 201]
--- queued eval
[1, 1]



=== TEST 7: duplicates are counted, and answered the same
--- config eval
"    location /w {
        setter_tenant acme;
$::webhook    }
    location /metrics { setter_api metrics; }"
--- request eval
my $body = '{"from":"1","text":"a","message_id":"m-1"}';
["POST /w\n$body", "POST /w\n$body", "GET /metrics"]
--- error_code eval
[201, 201, 200]
--- response_body_like eval
['SUCCESS', 'SUCCESS',
 'setter_accepted_total\{format="generic"\} 2
(?:.*\n)*setter_duplicates_total\{format="generic"\} 1
']
--- queued eval
[1, 1, 0]
