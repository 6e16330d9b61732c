# setter_validate: what was checked and completed goes on to another handler.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Setter::Upstream;
use Test::Nginx::Socket 'no_plan';

use Digest::SHA;
use JSON::XS;

our $upstream = Setter::Upstream->start;
$ENV{TEST_NGINX_UPSTREAM} = '127.0.0.1:' . $upstream->port;

our $lead = '{"lead_identification":"l-1","lead_message":"Hi","chat_id":"7"}';
our $json = JSON::XS->new->utf8->canonical;

# "refused: ..." in a block's name is a location's content that nginx must
# not start with.
add_block_preprocessor(sub {
    my ($block) = @_;

    if ($block->name =~ /refused: (.*)\z/) {
        $block->set_value('config', "setter_tenant acme; location /w { $1 }");
        $block->set_value('must_die', '');
        $block->set_value('suppress_stderr', '');
    }
    $block->set_value('config', <<'EOC') if !defined $block->config;
    setter_tenant $http_x_tenant;
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_set_header X-Seen $setter_tenant|$setter_id|$setter_status;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /metrics { setter_api metrics; }
EOC
});

# The upstream's request as a line: what is asked for, and the body's JSON.
sub line {
    my ($request) = @_;
    my ($first, $headers, $body)
        = $request =~ /\A(.*?) HTTP.*?\r\n(.*?)\r\n\r\n(.*)\z/s
        or return $request;
    my ($length) = "$headers\r\n" =~ /^Content-Length: (\d+)\r$/m;
    my $what = eval { $json->encode($json->decode($body)) } // "no JSON: $body";

    return "$first " . (length $body == $length ? '' : 'wrong length ')
        . ($headers =~ /^Transfer-Encoding/mi ? 'in chunks ' : '') . $what;
}

# Waits for the mirror's request, which has the body of the other.
sub mirrored {
    my ($body) = $_[0] =~ /\r\n\r\n(.*)/s;
    my $limit = time + 10;

    while (time < $limit) {
        for (grep { m{^POST /copy} } $upstream->requests) {
            return /\r\n\r\n\Q$body\E\z/ ? 'mirrored' : "other: $_";
        }
        select undef, undef, undef, 0.01;
    }
    return 'nothing came';
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: the caller's own names, and what was lacking; nothing is queued
--- request eval
["POST /w\n$::lead", "GET /metrics"]
--- more_headers eval
["X-Tenant: beta", ""]
--- response_body_filters eval
sub { $_[0] =~ /^POST/ ? main::line($_[0]) : $_[0] }
--- response_body_like eval
['^POST /app \{"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"Hi","workflow":"SETTER"\}$',
 'setter_passed_total\{format="manychat"\} 1\n(?:.*\n)*setter_refused_total\{format="manychat",reason="fields"\} 0']
--- queued eval
[0, 0]



=== TEST 2: variables reach the upstream, and those of a job are empty
--- request eval
"POST /w\n$::lead"
--- more_headers
X-Tenant: beta
--- response_body_like: X-Seen: beta\|\|\r\n
--- queued: 0



=== TEST 3: all else in the body stays as it was
--- config
    setter_tenant acme;
    setter_set surface instagram;
    setter_default note none;
    setter_default empty $http_x_none;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
'POST /w
{"a":[1,{"b":null}],"big":12345678901234567890,"lead_identification":1e2,
"lead_message":"\u00e4\n\"x\"","chat_id":7,"channel":"","workflow":"W",
"surface":"other","note":"mine","empty":null,"text":"t","from":{"x":1}}'
--- response_body_like eval
quotemeta('"a":[1,{"b":null}],"big":12345678901234567890,"lead_identification":1e2,"lead_message":"')
    . "\xc3\xa4" . quotemeta('\n\"x\"","chat_id":7,"text":"t","from":{"x":1},"channel":"telegram","consumer":"MANYCHAT","workflow":"W","note":"mine","empty":null,"surface":"instagram"}')
--- queued: 0



=== TEST 4: a body that lacks nothing goes on byte by byte
--- request eval
my $body = '{ "lead_identification" : "l", "lead_message": "Hi",'
    . ' "chat_id": "7", "channel":"c","consumer":"d" , "workflow":"e"}';
"POST /w\n$body"
--- response_body_like eval
'\r\n\r\n' . quotemeta('{ "lead_identification" : "l", "lead_message": "Hi", "chat_id": "7", "channel":"c","consumer":"d" , "workflow":"e"}') . '$'
--- queued: 0



=== TEST 5: the engine's and the generic format, which needs no provider here
--- config
    setter_tenant body:tenant_id;
    setter_tenant acme;
    setter_validate on;
    setter_set tenant_id $setter_tenant;
    location /e {
        setter_webhook engine;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /g {
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
        setter_webhook generic;
        setter_set type chat;
        setter_set provider x;
    }
--- request eval
['POST /e
{"from":"1","message":"m"}', 'POST /g
{"from":"1","text":"m","type":"old","media":[{"u":1}]}', 'POST /e
{"from":"1","message":"m","tenant_id":"beta"}']
--- response_body_filters eval
sub { main::line($_[0]) }
--- response_body eval
['POST /app {"channel":"whatsapp","from":"1","message":"m","tenant_id":"acme"}',
 'POST /app {"from":"1","media":[{"u":1}],"provider":"x","text":"m","type":"chat"}',
 'POST /app {"channel":"whatsapp","from":"1","message":"m","tenant_id":"beta"}']
--- queued eval
[0, 0, 0]



=== TEST 6: refused as without it, by true statuses
--- config
    setter_tenant $http_x_tenant;
    setter_verify token $http_x_key k;
    setter_max_job 300;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
["GET /w", "POST /w\n$::lead", "POST /w\n$::lead", "POST /w\n$::lead",
 "POST /w\n[]", "POST /w\n{}", "POST /w\n{\"a\":\"" . 'a' x 300 . '"}']
--- more_headers eval
["X-Key: k", "X-Tenant: acme", "X-Key: k",
 "X-Key: k\nX-Tenant: acme\nContent-Type: text/plain",
 ("X-Key: k\nX-Tenant: acme") x 3]
--- error_code eval
[405, 401, 404, 415, 400, 422, 413]
--- response_body_like eval
[('^\{"id":null,"status":"(?:ERROR|INVALID_INPUT)"') x 7]
--- queued eval
[(0) x 7]



=== TEST 7: refused as without it, in an envelope, keeping the connection
--- config
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        setter_status compat;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- pipelined_requests eval
["POST /w\n{}", "POST /w\n$::lead", "POST /w\n[]", "POST /w\n$::lead"]
--- error_code eval
[201, 200, 201, 200]
--- response_body_like eval
['"status":"INVALID_INPUT"', 'POST /app', '"status":"INVALID_INPUT"',
 'POST /app']
--- queued eval
[0, 0, 0, 0]



=== TEST 8: whom Redis does not know; whom it knows
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=10s;
    setter_tenants known;
--- init
Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme')
--- request eval
["POST /w\n$::lead", "POST /w\n$::lead", "POST /w\n$::lead"]
--- more_headers eval
["X-Tenant: beta", "X-Tenant: acme", "X-Tenant: acme"]
--- error_code eval
[404, 200, 200]
--- response_body_like eval
["Unknown tenant", 'X-Seen: acme\|\|\r\n(?:.*\r\n)*\r\n\{.*SETTER"\}$',
 'X-Seen: acme\|\|\r\n(?:.*\r\n)*\r\n\{.*SETTER"\}$']
--- queued eval
[0, 0, 0]



=== TEST 9: without Redis: what need not be known passes, the rest does not
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- config
    setter_tenant acme;
    setter_validate on;
    location /any {
        setter_webhook manychat;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /known {
        setter_tenants known;
        setter_webhook manychat;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
["POST /known\n$::lead", "POST /any\n$::lead"]
--- error_code eval
[503, 200]
--- response_headers_like eval
["Retry-After: [1-9]\\d*", ""]
--- response_body_like eval
["unavailable", '"workflow":"SETTER"\}$']



=== TEST 10: the same with one that does not answer
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=200ms;
    setter_tenants any;
--- config
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- fake
HGET: silence
--- request eval
"POST /w\n$::lead"
--- response_body_like: "workflow":"SETTER"\}$



=== TEST 11: more than the tenant's quota
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_quota 2;
--- request eval
[("POST /w\n$::lead") x 3]
--- error_code eval
[200, 200, 429]
--- response_body_like eval
['POST /app', 'POST /app', 'Quota']



=== TEST 12: a body in chunks
--- request eval
my ($one, $two) = (substr($::lead, 0, 20), substr($::lead, 20));
sprintf "POST /w\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", length $one, $one,
    length $two, $two;
--- more_headers
Transfer-Encoding: chunked
--- response_body_filters eval
sub { main::line($_[0]) }
--- response_body chomp
POST /app {"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"Hi","workflow":"SETTER"}
--- queued: 0



=== TEST 13: what the headers say by then
--- config
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        fastcgi_pass 127.0.0.1:1;
        error_page 502 = @said;
    }
    location @said {
        add_header X-Said "$content_length|$http_content_length|$http_transfer_encoding|$request_body" always;
        return 200;
    }
--- request eval
sprintf "POST /w\n%x\r\n%s\r\n0\r\n\r\n", length $::lead, $::lead;
--- more_headers
Transfer-Encoding: chunked
--- response_headers_like
X-Said: 126\|126\|\|\{"lead_.*"SETTER"\}
--- error_log
Connection refused



=== TEST 14: a body in a temporary file, and a big one
--- config
    setter_tenant acme;
    setter_max_job 2m;
    location /small {
        client_body_buffer_size 16;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /file {
        client_body_buffer_size 8k;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /kept {
        client_body_in_file_only on;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /clean {
        client_body_in_file_only clean;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
my $big = $::lead =~ s/Hi/'x' x 1_000_000/er;
my $whole = $big =~ s/\}\z/,"channel":"c","consumer":"d","workflow":"e"}/r;
["POST /small\n$::lead", "POST /file\n$big", "POST /file\n$whole",
 "POST /kept\n$big", "POST /clean\n$big"]
--- response_body_filters eval
sub { main::line($_[0]) =~ s/(x+)/length $1/er }
--- response_body eval
my $enriched = 'POST /app {"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"%s","workflow":"SETTER"}';
[sprintf($enriched, 'Hi'), sprintf($enriched, 1000000),
 'POST /app {"channel":"c","chat_id":"7","consumer":"d","lead_identification":"l-1","lead_message":"1000000","workflow":"e"}',
 sprintf($enriched, 1000000), sprintf($enriched, 1000000)]
--- queued eval
[0, 0, 0, 0, 0]



=== TEST 15: a body that comes bit by bit, while Redis is asked for the tenant
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=10s;
    setter_tenants known;
--- init
Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme')
--- raw_request eval
my $head = "POST /w HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    . "Content-Length: " . length($::lead) . "\r\n\r\n";
[$head, map { substr $::lead, $_ * 10, 10 } 0 .. length($::lead) / 10]
--- raw_request_middle_delay: 0.02
--- response_body_like: "workflow":"SETTER"\}$



=== TEST 16: HTTP/2
--- http2
--- config
    http2_max_concurrent_streams 10;
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
"POST /w\n$::lead"
--- response_body_filters eval
sub { main::line($_[0]) }
--- response_body chomp
POST /app {"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"Hi","workflow":"SETTER"}



=== TEST 17: the next upstream gets the whole body, too
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    upstream two { server 127.0.0.1:1; server $TEST_NGINX_UPSTREAM backup; }
--- config
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_next_upstream error non_idempotent;
        proxy_pass http://two/app;
    }
--- request eval
"POST /w\n$::lead"
--- response_body_filters eval
sub { main::line($_[0]) }
--- response_body chomp
POST /app {"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"Hi","workflow":"SETTER"}



=== TEST 18: error_page: checked once, and the body is still there
--- config
    setter_tenant acme;
    setter_validate on;
    location /w {
        setter_webhook manychat;
        setter_require once;
        proxy_pass http://127.0.0.1:1;
        error_page 502 = @other;
    }
    location @other {
        setter_webhook manychat;
        setter_set surface instagram;
        proxy_pass http://$TEST_NGINX_UPSTREAM;
    }
    location /metrics { setter_api metrics; setter_validate off; }
--- request eval
["POST /w\n" . $::lead =~ s/\}/,"once":1}/r, "GET /metrics"]
--- response_body_filters eval
sub { $_[0] =~ /^POST/ ? main::line($_[0]) : $_[0] }
--- response_body_like eval
['^POST /w \{"channel":"telegram","chat_id":"7","consumer":"MANYCHAT","lead_identification":"l-1","lead_message":"Hi","once":1,"workflow":"SETTER"\}$',
 'setter_passed_total\{format="manychat"\} 1\n']
--- queued eval
[0, 0]



=== TEST 19: queued when the upstream is down
--- config
    setter_tenant acme;
    location /w {
        setter_webhook manychat;
        setter_validate on;
        setter_default via upstream;
        proxy_pass http://127.0.0.1:1;
        error_page 502 = @queue;
    }
    location @queue {
        setter_webhook manychat;
        setter_set surface instagram;
    }
--- request eval
"POST /w\n" . $::lead =~ s/\}/,"message_id":"m"}/r
--- error_code: 201
--- queued: 1
--- job
text: Hi
from: 7
channel: telegram
data.surface: instagram
data.via: upstream



=== TEST 20: a rewrite, try_files and an internal redirect before it
--- config
    setter_tenant acme;
    location /old { rewrite ^ /w last; }
    location /tried { try_files /nothing /w; }
    location /w {
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- request eval
["POST /old\n$::lead", "POST /tried\n$::lead"]
--- response_body_like eval
['"workflow":"SETTER"\}$', '"workflow":"SETTER"\}$']



=== TEST 21: mirror and auth_request beside it; the mirror sees what is new
--- config
    setter_tenant acme;
    location /w {
        auth_request /auth;
        mirror /copy;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location = /auth {
        internal;
        if ($http_x_key = good) { return 204; }
        return 401;
    }
    location = /copy {
        internal;
        proxy_pass http://$TEST_NGINX_UPSTREAM/copy;
    }
--- request eval
["POST /w\n$::lead", "POST /w\n$::lead"]
--- more_headers eval
["X-Key: good", "X-Key: bad"]
--- error_code eval
[200, 401]
--- response_body_filters eval
sub { $_[0] =~ /^POST/ ? main::mirrored($_[0]) : 'refused' }
--- response_body eval
['mirrored', 'refused']



=== TEST 22: inherited, and turned off; "if" and limit_except
--- config
    setter_tenant acme;
    setter_validate on;
    location /on {
        setter_webhook manychat;
        if ($http_x_key) { set $x 1; }
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /off {
        setter_validate off;
        setter_webhook manychat;
        if ($http_x_key) { set $x 1; }
    }
    location /limited {
        setter_validate off;
        setter_webhook manychat;
        limit_except GET { allow all; }
    }
    location /plain { return 200 plain; }
--- request eval
["POST /on\n$::lead", "POST /on\n{}", "POST /off\n$::lead",
 "POST /limited\n$::lead", "GET /plain"]
--- more_headers
X-Key: k
--- error_code eval
[200, 422, 201, 201, 200]
--- response_body_like eval
['"workflow":"SETTER"\}$', 'INVALID_INPUT', 'SUCCESS', 'SUCCESS', 'plain']
--- queued eval
[0, 0, 1, 1, 0]



=== TEST 23: a key stays here, and whose it is goes on
--- config
    location /w {
        setter_verify key;
        setter_webhook manychat;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
--- init
Setter::Suite::redis()->sadd('setter:{mm}:keys', "beta/" . Digest::SHA::sha256_hex('stk_beta_' . 'A' x 43))
--- request eval
["POST /w\n$::lead", "POST /w\n$::lead"]
--- more_headers eval
["Authorization: Bearer stk_beta_" . 'A' x 43,
 "Authorization: Bearer stk_beta_" . 'B' x 43]
--- error_code eval
[200, 401]
--- response_body_like eval
['^(?!.*Authorization).*X-Tenant-Slug: beta\r\n', 'Unauthorized']



=== TEST 24: refused: setter_webhook manychat; setter_validate on;
--- error_log
"setter_validate" needs a handler to pass requests to, such as "proxy_pass"



=== TEST 25: refused: setter_validate on; proxy_pass http://127.0.0.1;
--- error_log
"setter_validate" needs a "setter_webhook"



=== TEST 26: refused: setter_webhook manychat; proxy_pass http://127.0.0.1;
--- error_log
"setter_webhook" beside another handler needs "setter_validate on"



=== TEST 27: refused: proxy_pass http://127.0.0.1; setter_webhook manychat;
--- error_log
"setter_webhook" beside another handler needs "setter_validate on"



=== TEST 28: refused: setter_webhook manychat; setter_validate maybe;
--- error_log
it must be "on" or "off"
