# Who may call: setter_verify token.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

our $post = "POST /w\n" . '{"from":"15550100001","text":"hello"}';

no_long_string();
run_tests();

__DATA__

=== TEST 1: the secret, or nothing
--- config eval
"    location /w {
        setter_verify token \$http_x_key s3cret;
$::webhook    }"
--- request eval
[($::post) x 8]
--- more_headers eval
["X-Key: s3cret", "X-Other: s3cret", "X-Key: s3cre", "X-Key: s3crets",
 "X-Key: S3CRET", "X-Key: s3cret s3cret", "X-Key:", "X-Key: s3crets3cret"]
--- error_code eval
[201, (401) x 7]
--- response_headers eval
["! WWW-Authenticate", ("Content-Type: application/json") x 7]
--- raw_response_headers_like eval
["201", ("\r\nWWW-Authenticate: \\S+") x 7]
--- response_body_like eval
[
    qr/"status":"SUCCESS"/,
    (qr/^\{"id":null,"status":"ERROR","message":"Unauthorized"\}\s*$/) x 7
]
--- queued eval
[1, (0) x 7]



=== TEST 2: an old and a new secret
--- config eval
"    location /w {
        setter_verify token \$http_authorization 'Bearer old' 'Bearer new';
$::webhook    }"
--- request eval
[($::post) x 4]
--- more_headers eval
[map { "Authorization: $_" } 'Bearer old', 'Bearer new', 'Bearer', 'old']
--- error_code eval
[201, 201, 401, 401]
--- queued eval
[1, 1, 0, 0]



=== TEST 3: a secret in a file, without the line's end
--- user_files
>>> key
from-a-file
--- config eval
"    location /w {
        setter_verify token \$arg_key file=\$TEST_NGINX_SERVER_ROOT/html/key;
$::webhook    }"
--- request eval
my ($line, $body) = split /\n/, $::post;
["$line?key=from-a-file\n$body", "$line?key=from-a-fil\n$body",
 "$line\n$body"]
--- error_code eval
[201, 401, 401]
--- queued eval
[1, 0, 0]



=== TEST 4: compat hides the status, not the refusal
--- config eval
"    location /w {
        setter_status compat;
        setter_verify token \$http_x_key s3cret;
$::webhook    }"
--- request eval
[($::post) x 2]
--- more_headers eval
["X-Key: wrong", "X-Key: s3cret"]
--- error_code eval
[201, 201]
--- response_body_like eval
[qr/^\{"id":null,"status":"ERROR",/, qr/"status":"SUCCESS"/]
--- queued eval
[0, 1]



=== TEST 5: inherited, replaced, turned off
--- config eval
"    setter_verify token \$http_x_key outer;
    location /inherits {
$::webhook    }
    location /own {
        setter_verify token \$http_x_key inner;
$::webhook    }
    location /open {
        setter_verify off;
$::webhook    }"
--- request eval
[map { $::post =~ s{/w}{$_}r } ('/inherits', '/own', '/open') x 2]
--- more_headers eval
[("X-Key: outer") x 3, ("X-Key: inner") x 3]
--- error_code eval
[201, 401, 201, 401, 201, 201]
--- queued eval
[1, 0, 1, 0, 1, 1]



=== TEST 6: refused before the body has come
--- config eval
"    location /w {
        lingering_timeout 50ms;
        setter_verify token \$http_x_key s3cret;
$::webhook    }"
--- raw_request eval
"POST /w HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Content-Length: 100\r\n\r\n"
--- error_code: 401
--- queued: 0



=== TEST 7: neither the secret nor what was given is logged
--- config eval
"    location /w {
        setter_verify token \$http_x_key top-s3cret;
$::webhook    }"
--- log_level: info
--- request eval
[($::post) x 2]
--- more_headers eval
["X-Key: a-wrong-guess", "X-Key: top-s3cret"]
--- error_code eval
[401, 201]
--- no_error_log
top-s3cret
a-wrong-guess



=== TEST 8: a wrong method is told before a wrong key
--- config eval
"    location /w {
        setter_verify token \$http_x_key s3cret;
$::webhook    }"
--- request
GET /w
--- error_code: 405
--- response_headers
Allow: POST
--- queued: 0
