# Who may call, by what is in the body or in "Authorization: Basic":
# setter_verify hmac, meta, basic.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use Digest::SHA qw(hmac_sha1_base64 hmac_sha256_base64 hmac_sha256_hex
    hmac_sha512_hex);

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

our $body = '{"from":"15550100001","text":"hello \u00e4"}';
our $post = "POST /w\n$body";

# "refused: ..." in a block's name is what nginx must not start with.
add_block_preprocessor(sub {
    my ($block) = @_;

    return if $block->name !~ /refused: (.*)\z/;
    $block->set_value('config', "    location /w {\n        $1\n$webhook    }");
    $block->set_value('must_die', '');
    $block->set_value('suppress_stderr', '');
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: Meta's signature of the bytes that came
--- config eval
"    location /w {
        setter_verify meta s3cret;
$::webhook    }"
--- request eval
[($::post) x 7, $::post =~ s/hello/hallo/r]
--- more_headers eval
my $good = main::hmac_sha256_hex($::body, 's3cret');
["X-Hub-Signature-256: sha256=$good",
 "X-Hub-Signature-256: sha256=" . main::hmac_sha256_hex($::body, 'S3cret'),
 "X-Hub-Signature-256: $good",
 "X-Hub-Signature-256: sha256=",
 "X-Hub-Signature-256: sha256=" . substr($good, 1),
 "X-Hub-Signature: sha1=" . Digest::SHA::hmac_sha1_hex($::body, 's3cret'),
 "X-None: 1",
 "X-Hub-Signature-256: sha256=$good"]
--- error_code eval
[201, (401) x 7]
--- raw_response_headers_like eval
["201", ("\r\nWWW-Authenticate: Signature\r\n") x 7]
--- queued eval
[1, (0) x 7]



=== TEST 2: an old and a new secret, one of them in a file
--- user_files
>>> key
new one
--- config eval
"    location /w {
        setter_verify meta old file=\$TEST_NGINX_SERVER_ROOT/html/key;
$::webhook    }"
--- request eval
[($::post) x 3]
--- more_headers eval
[map { 'X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex($::body, $_) }
 'old', 'new one', 'new']
--- error_code eval
[201, 201, 401]
--- queued eval
[1, 1, 0]



=== TEST 3: what is not signed is not looked at
--- config eval
"    location /w {
        setter_verify meta s3cret;
$::webhook    }"
--- request eval
["POST /w\nno JSON", "POST /w\nno JSON"]
--- more_headers eval
["X-Hub-Signature-256: sha256=00",
 'X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex('no JSON', 's3cret')]
--- error_code eval
[401, 400]
--- queued eval
[0, 0]



=== TEST 4: the handshake
--- config eval
"    location /w {
        setter_verify meta s3cret handshake=my-token;
$::webhook    }
    location /none {
        setter_verify meta s3cret;
$::webhook    }"
--- request eval
my $good = 'hub.mode=subscribe&hub.challenge=1158201444';
["GET /w?$good&hub.verify_token=my-token",
 "GET /w?hub.verify_token=my%2Dtoken&$good",
 "GET /w?$good&hub.verify_token=my-toke",
 "GET /w?$good",
 "GET /w?hub.mode=subscribe&hub.verify_token=my-token",
 "GET /w?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=my-token",
 "GET /w?hub.mode=subscribe&hub.challenge=%3Cb%3E&hub.verify_token=my-token",
 "GET /none?$good&hub.verify_token=my-token",
 "GET /none?$good&hub.verify_token="]
--- error_code eval
[200, 200, 403, 403, 403, 403, 403, 405, 405]
--- response_headers eval
["Content-Type: text/plain", "Content-Type: text/plain", ("") x 7]
--- response_body eval
["1158201444", "1158201444", (qr/403/) x 5, (qr/ERROR/) x 2]



=== TEST 5: a body in many pieces, and in a file
--- config eval
"    location /w {
        client_body_buffer_size 1k;
        setter_verify meta s3cret;
        setter_max_job 64k;
$::webhook    }"
--- request eval
["POST /w\n" . '{"from":"1","text":"' . 'x' x 20000 . '"}',
 "POST /w\n" . '{"from":"1","text":"' . 'x' x 20000 . '"}']
--- more_headers eval
my $long = '{"from":"1","text":"' . 'x' x 20000 . '"}';
['X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex($long, 's3cret'),
 'X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex("$long ", 's3cret')]
--- error_code eval
[201, 401]
--- queued eval
[1, 0]



=== TEST 6: hmac: algorithms, encodings and prefixes
--- config eval
"    location /plain {
        setter_verify hmac \$http_x_sign s3cret;
$::webhook    }
    location /sha512 {
        setter_verify hmac \$http_x_sign s3cret algorithm=sha512;
$::webhook    }
    location /base64 {
        setter_verify hmac \$http_x_sign s3cret encoding=base64 prefix=v1=;
$::webhook    }
    location /sha1 {
        setter_verify hmac \$arg_sign algorithm=sha1 encoding=base64 s3cret;
$::webhook    }"
--- request eval
my $sha1 = main::hmac_sha1_base64($::body, 's3cret') . '=';
[(map { $::post =~ s{/w}{$_}r } '/plain', '/plain', '/sha512', '/base64',
 '/base64'), $::post =~ s{/w}{/sha1?sign=$sha1}r, $::post =~ s{/w}{/sha1}r]
--- more_headers eval
my $base64 = main::hmac_sha256_base64($::body, 's3cret') . '=';
['X-Sign: ' . main::hmac_sha256_hex($::body, 's3cret'),
 'X-Sign: ' . uc main::hmac_sha256_hex($::body, 's3cret'),
 'X-Sign: ' . main::hmac_sha512_hex($::body, 's3cret'),
 "X-Sign: v1=$base64", "X-Sign: $base64", "X-A: b", "X-A: b"]
--- error_code eval
[201, 201, 201, 201, 401, 201, 401]
--- queued eval
[1, 1, 1, 1, 0, 1, 0]



=== TEST 7: basic
--- config eval
"    location /w {
        setter_verify basic 'hook:old:er' hook:new;
$::webhook    }"
--- request eval
[($::post) x 8]
--- more_headers eval
use MIME::Base64;
[(map { 'Authorization: Basic ' . MIME::Base64::encode($_, '') }
  'hook:old:er', 'hook:new', 'hook:ne', 'Hook:new', ''),
 'authorization: basic  ' . MIME::Base64::encode('hook:new', ''),
 'Authorization: Basic *', 'Authorization: Bearer hook:new']
--- error_code eval
[201, 201, 401, 401, 401, 201, 401, 401]
--- raw_response_headers_like eval
["201", "201", ("\r\nWWW-Authenticate: Basic realm=\"setter\"\r\n") x 3,
 "201", ("\r\nWWW-Authenticate: Basic realm=\"setter\"\r\n") x 2]
--- queued eval
[1, 1, 0, 0, 0, 1, 0, 0]



=== TEST 8: inherited, replaced, turned off
--- config eval
"    setter_verify meta outer;
    location /inherits {
$::webhook    }
    location /own {
        setter_verify basic a:b;
$::webhook    }
    location /off {
        setter_verify off;
$::webhook    }"
--- request eval
[map { $::post =~ s{/w}{$_}r } '/inherits', '/inherits', '/own', '/off']
--- more_headers eval
['X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex($::body, 'outer'),
 'X-A: b', 'X-A: b', 'X-A: b']
--- error_code eval
[201, 401, 401, 201]
--- queued eval
[1, 0, 0, 1]



=== TEST 9: what is passed on is checked, too
--- config eval
"    location /w {
        setter_verify meta s3cret;
        setter_validate on;
        proxy_pass http://127.0.0.1:\$server_port/app;
$::webhook    }
    location /app { return 204; }"
--- request eval
[($::post) x 2]
--- more_headers eval
['X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex($::body, 's3cret'),
 'X-Hub-Signature-256: sha256=' . main::hmac_sha256_hex($::body, 'other')]
--- error_code eval
[204, 401]
--- queued eval
[0, 0]



=== TEST 10: refused: setter_verify meta;
--- error_log
"setter_verify" directive has no secret



=== TEST 11: refused: setter_verify meta a b c;
--- error_log
"setter_verify" directive has more than two secrets



=== TEST 12: refused: setter_verify meta a handshake=;
--- error_log
invalid parameter "handshake="



=== TEST 13: refused: setter_verify meta a handshake=b handshake=c;
--- error_log
invalid parameter "handshake=c"



=== TEST 14: refused: setter_verify hmac $http_x_sign;
--- error_log
"setter_verify" directive has no secret



=== TEST 15: refused: setter_verify hmac X-Sign s3cret;
--- error_log
"X-Sign" in "setter_verify" is not a variable



=== TEST 16: refused: setter_verify hmac $http_x_sign s3cret algorithm=md5;
--- error_log
invalid parameter "algorithm=md5"



=== TEST 17: refused: setter_verify hmac $http_x_sign s3cret encoding=base32;
--- error_log
invalid parameter "encoding=base32"



=== TEST 18: refused: setter_verify basic nobody;
--- error_log
"setter_verify" directive has a secret that is no "user:password"



=== TEST 19: refused: setter_verify token $http_x_key a b c;
--- error_log
"setter_verify" directive has more than two secrets
