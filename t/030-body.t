# The body: however it comes, and how much of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', "    location /w {\n$webhook    }\n");
});

# a message whose text has n letters, in a pattern that a lost or doubled
# buffer would break
our $letters = join '', map { sprintf '%05d ', $_ } 0 .. 40000;

sub text { return substr $letters, 0, $_[0] - 1 }
sub body { return '{"from":"15550100001","text":"' . text($_[0]) . '."}' }
sub chunk { return sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }

# the body in chunks of n bytes
sub chunks {
    my ($body, $n) = @_;
    return join('', map { chunk($_) } $body =~ /.{1,$n}/gs) . "0\r\n\r\n";
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: one buffer
--- request eval
"POST /w\n" . main::body(100)
--- error_code: 201
--- response_headers
Content-Type: application/json
--- response_body_like eval
qr/^\{"id":"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","status":"SUCCESS","message":"[^"]+"\}\s*$/
--- job eval
"text: " . main::text(100) . "."



=== TEST 2: a body that fills its buffer to the byte, and one byte more
--- config eval
"    client_body_buffer_size 1k;
    location /w {
$::webhook    }"
--- request eval
my $frame = length main::body(1);
["POST /w\n" . main::body(1024 - $frame + 1),
 "POST /w\n" . main::body(1024 - $frame + 2)]
--- error_code eval
[201, 201]
--- job eval
my $frame = length main::body(1);
["text: " . main::text(1024 - $frame + 1) . ".",
 "text: " . main::text(1024 - $frame + 2) . "."]



=== TEST 3: a temporary file
--- config eval
"    client_body_buffer_size 1k;
    location /w {
$::webhook    }"
--- request eval
"POST /w\n" . main::body(200000)
--- error_code: 201
--- job eval
"text: " . main::text(200000) . "."
--- error_log
a client request body is buffered to a temporary file



=== TEST 4: always a file, and always one buffer
--- config eval
"    location /w {
        client_body_in_file_only clean;
$::webhook    }
    location /single {
        client_body_in_single_buffer on;
        client_body_buffer_size 128k;
$::webhook    }"
--- request eval
["POST /w\n" . main::body(50), "POST /single\n" . main::body(60000)]
--- error_code eval
[201, 201]
--- job eval
["text: " . main::text(50) . ".", "text: " . main::text(60000) . "."]



=== TEST 5: chunked, in memory and in a file
--- config eval
"    client_body_buffer_size 1k;
    location /w {
$::webhook    }"
--- more_headers
Transfer-Encoding: chunked
--- request eval
["POST /w\n" . main::chunks(main::body(300), 7),
 "POST /w\n" . main::chunks(main::body(100000), 999)]
--- error_code eval
[201, 201]
--- job eval
["text: " . main::text(300) . ".", "text: " . main::text(100000) . "."]



=== TEST 6: in packets, cut inside a character and inside an escape
--- request eval
[
    [
        "POST /w\n" . '{"from":"15550100001","text":"' . "caf\xc3",
        { value => "\xa9 " . '\\', delay_before => 0.05 },
        { value => 'u00', delay_before => 0.05 },
        { value => 'e9"', delay_before => 0.05 },
        { value => '}', delay_before => 0.05 },
    ],
]
--- error_code: 201
--- job eval
"text: caf\xc3\xa9 \xc3\xa9"



=== TEST 7: HTTP/2
--- http2
--- request eval
"POST /w\n" . main::body(50000)
--- more_headers
Content-Type: application/json
--- error_code: 201
--- response_headers
content-type: application/json
--- job eval
"text: " . main::text(50000) . "."



=== TEST 8: HTTP/2 without a length, into a file
--- config eval
"    client_body_buffer_size 1k;
    location /w {
$::webhook    }"
--- user_files eval
[["body.json" => main::body(70000)]]
--- http2
--- curl_options eval
"-T" . Test::Nginx::Socket::html_dir() . "/body.json"
--- more_headers
Content-Length:
--- request
POST /w
--- error_code: 201
--- error_log
http2 header: ":method: POST"
--- no_error_log
http2 header: "content-length
--- job eval
"text: " . main::text(70000) . "."



=== TEST 9: no body
--- request eval
["POST /w", "POST /w\n", "POST /w\n0\r\n\r\n"]
--- more_headers eval
["", "Content-Length: 0", "Transfer-Encoding: chunked"]
--- error_code eval
[400, 400, 400]
--- response_body_like eval
[(qr/^\{"id":null,"status":"INVALID_INPUT","message":"[^"]+","errors":\[.*\]\}\s*$/) x 3]
--- queued eval
[0, 0, 0]



=== TEST 10: setter_max_job, by the header and by what comes
--- config eval
"    client_body_buffer_size 1k;
    location /w {
        setter_max_job 4k;
$::webhook    }
    location /compat {
        setter_max_job 4k;
        setter_status compat;
$::webhook    }"
--- request eval
[
    "POST /w\n" . main::body(3000),
    "POST /w\n" . main::body(5000),
    "POST /w\n" . main::chunks(main::body(5000), 100),
    "POST /w\n" . main::chunks('{' . ' ' x 4096 . '"from":"1","text":"a"}',
        1000),
    "POST /compat\n" . main::body(5000),
]
--- more_headers eval
["", "", ("Transfer-Encoding: chunked") x 2, ""]
--- error_code eval
[201, 413, 413, 413, 201]
--- response_body_like eval
[
    "SUCCESS",
    ('^\{"id":null,"status":"INVALID_INPUT","message":"Payload too large"') x 4
]
--- queued eval
[1, 0, 0, 0, 0]



=== TEST 11: the default limit of a job is 256k
--- request eval
["POST /w\n" . main::body(150000), "POST /w\n" . main::body(240000) =~
    s/"text":/"a":"${\ ('x' x 30000)}","text":/r]
--- error_code eval
[201, 413]
--- queued eval
[1, 0]



=== TEST 12: an envelope that outgrows the limit its body kept
--- config eval
"    location /w {
        setter_max_job 1k;
        setter_set workflow " . 'w' x 600 . ";
$::webhook    }"
--- request eval
"POST /w\n" . main::body(600)
--- error_code: 413
--- queued: 0



=== TEST 13: nginx's own limit, before ours
--- config eval
"    location /w {
        client_max_body_size 1k;
$::webhook    }"
--- request eval
"POST /w\n" . main::body(2000)
--- error_code: 413
--- queued: 0



=== TEST 14: other methods
--- config eval
"    location /w {
$::webhook    }
    location /compat {
        setter_status compat;
$::webhook    }"
--- request eval
["GET /w", "PUT /w\n" . main::body(9), "DELETE /compat", "HEAD /w",
 "OPTIONS /w"]
--- error_code eval
[405, 405, 405, 405, 405]
--- response_headers eval
[("Allow: POST") x 5]
--- queued eval
[0, 0, 0, 0, 0]



=== TEST 15: content types
--- config eval
"    location /w {
$::webhook    }
    location /compat {
        setter_status compat;
$::webhook    }"
--- request eval
[
    (map { "POST /w\n" . main::body(9) } 1 .. 8),
    "POST /compat\n" . main::body(9),
]
--- more_headers eval
[
    '',
    map { "Content-Type: $_" } 'application/json',
        'Application/JSON;charset=utf-8', 'application/json ; charset=UTF-8',
        'text/plain', 'application/x-www-form-urlencoded',
        'application/jsonp', 'application/octet-stream', 'text/plain',
]
--- error_code eval
[201, 201, 201, 201, 415, 415, 415, 415, 201]
--- queued eval
[1, 1, 1, 1, 0, 0, 0, 0, 1]



=== TEST 16: a body that breaks off
--- request eval
"POST /w\n" . main::body(100)
--- more_headers
Content-Length: 1000
--- shutdown: 1
--- error_code_like: ^$
--- error_log
client prematurely closed connection
--- no_error_log
[error]
[crit]
--- queued: 0



=== TEST 17: a client that half-closes after its request gets its answer
--- request eval
"POST /w\n" . main::body(100)
--- shutdown: 1
--- error_code: 201
--- queued: 1



=== TEST 18: two messages on one connection, sent at once
--- pipelined_requests eval
["POST /w\n" . main::body(10), "POST /w\n" . main::body(20)]
--- error_code eval
[201, 201]
--- response_body_like eval
["SUCCESS", "SUCCESS"]
--- wait: 0.2



=== TEST 19: a refusal leaves the connection in order for the next message
--- pipelined_requests eval
["POST /w\n" . '{"from":"15550100001"}', "POST /w\n" . main::body(20)]
--- error_code eval
[422, 201]
--- response_body_like eval
["INVALID_INPUT", "SUCCESS"]



=== TEST 20: nginx reads the body before us (auth_request, mirror)
--- config eval
"    location = /auth { return 204; }
    location = /copy { return 200; }
    location /w {
        auth_request /auth;
        mirror /copy;
        mirror_request_body on;
$::webhook    }"
--- request eval
"POST /w\n" . main::body(30000)
--- error_code: 201
--- job eval
"text: " . main::text(30000) . "."



=== TEST 21: access rules come first, a subrequest asks nothing of us
--- config eval
"    location /w {
        deny all;
$::webhook    }
    location /sub {
        auth_request /w2;
        return 204;
    }
    location /w2 {
$::webhook    }"
--- request eval
["POST /w\n" . main::body(9), "POST /sub\n" . main::body(9)]
--- error_code_like eval
['^403$', '^(?:2|4|5)\d\d$']
--- queued eval
[0, 0]



=== TEST 22: an internal redirect brings the message here, once
--- config eval
"    location /page {
        error_page 418 = \@inner;
        return 418;
    }
    location /try {
        try_files /none \@inner;
    }
    location /from {
        try_files /none /to;
$::webhook    }
    location /to {
        client_body_buffer_size 1k;
$::webhook    }
    location \@inner {
$::webhook    }"
--- request eval
[map { "POST /$_\n" . main::body(3000) } qw(page try from)]
--- error_code eval
[201, 201, 201]
--- queued eval
[1, 1, 1]



=== TEST 23: what a filter adds to the answer comes as well
--- skip_eval: 2: my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx'; `$nginx -V 2>&1` !~ /http_sub_module/
--- config eval
"    location = /more { return 200 'taken in'; }
    location /w {
        sub_filter accepted '<!--# include virtual=\"/more\" -->';
        sub_filter_types application/json;
        ssi on;
        ssi_types application/json;
$::webhook    }"
--- request eval
"POST /w\n" . main::body(40)
--- error_code: 201
--- response_body_like: "SUCCESS","message":"Message taken in"
