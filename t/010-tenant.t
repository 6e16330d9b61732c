# Whose message it is: setter_tenant, setter_tenants, $setter_tenant.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

our $generic = <<'EOC';
        setter_webhook generic;
        setter_set provider meta;
EOC

# the same message each time, wherever it goes
our $message = '{"from":"15550100001","text":"hello"}';

sub post { return "POST $_[0]\n" . ($_[1] // $message) }

# Sends a message again and again until the status is the one wanted.
sub until_status {
    my ($wanted) = @_;
    my $start = time;
    my $status = 0;

    while ($status != $wanted && time - $start < 10) {
        ($status) = Setter::Suite::post('/w', $message);
        sleep 0.02;
    }
    return "$status " . (time - $start < 4 ? 'in time' : 'late');
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a label of the host by a pattern
--- config eval
"    location /w {
        setter_tenant \$host ^([a-z][a-z0-9-]*)\\.example\\.com\\z;
$::generic    }"
--- request eval
main::post('/w')
--- more_headers
Host: acme.example.com
--- error_code: 201
--- job
tenant: acme
header.tenant: acme
lane ~ ^acme/conv/



=== TEST 2: the host's case does not count, a port is no part of it
--- config eval
"    location /w {
        setter_tenant \$host ^([a-z][a-z0-9-]*)\\.example\\.com\$;
$::generic    }"
--- request eval
main::post('/w')
--- more_headers
Host: ACME.Example.COM:8080
--- error_code: 201
--- job
tenant: acme



=== TEST 3: the first source that matches wins
--- config eval
"    setter_tenant \$http_x_tenant;
    setter_tenant \$arg_tenant ^t-([a-z]+)\\z;
    setter_tenant last;
    location /w {
$::generic    }"
--- request eval
[
    main::post('/w?tenant=t-query'),
    main::post('/w?tenant=t-query'),
    main::post('/w?tenant=query'),
    main::post('/w?tenant=t-query'),
]
--- more_headers eval
["X-Tenant: header", "", "", "X-Tenant: Not A Slug"]
--- error_code eval
[201, 201, 201, 201]
--- job eval
["tenant: header", "tenant: query", "tenant: last", "tenant: query"]



=== TEST 4: none matches
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }
    location /compat {
        setter_status compat;
$::generic    }
    location /none {
        setter_tenant \$http_x_other;
$::generic    }"
--- request eval
[main::post('/w'), main::post('/compat'), main::post('/none')]
--- more_headers eval
["", "", "X-Tenant: acme"]
--- error_code eval
[404, 201, 404]
--- response_body_like eval
[(qr/^\{"id":null,"status":"ERROR","message":"[^"]+"\}\s*$/) x 3]
--- queued eval
[0, 0, 0]



=== TEST 5: what is no slug is no tenant
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }"
--- request eval
[(main::post('/w')) x 9]
--- more_headers eval
[
    map { "X-Tenant: $_" } 'Acme', '1acme', '-acme', 'ac me', 'ac_me',
        'acme.', 'acme/x', "acm\xc3\xa9", 'a' x 64
]
--- error_code eval
[(404) x 9]
--- queued eval
[(0) x 9]



=== TEST 6: slugs at their limits
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }"
--- request eval
[(main::post('/w')) x 4]
--- more_headers eval
[map { "X-Tenant: $_" } 'a', 'a' x 63, 'a-', 'a0-9z']
--- error_code eval
[(201) x 4]
--- job eval
[map { "tenant: $_" } 'a', 'a' x 63, 'a-', 'a0-9z']



=== TEST 7: from the body
--- config eval
"    setter_tenant body:tenant;
    setter_tenant body:account ^no-([a-z]+)\\z;
    location /w {
$::generic    }"
--- request eval
[
    main::post('/w', '{"from":"1","text":"a","tenant":"acme"}'),
    main::post('/w', '{"from":"1","text":"a","account":"no-one"}'),
    main::post('/w', '{"account":"no-one","text":"a","from":"1",'
        . '"tenant":"acme"}'),
    main::post('/w', '{"from":"1","text":"a"}'),
    main::post('/w', '{"from":"1","text":"a","tenant":{"a":"acme"}}'),
    main::post('/w', '{"from":"1","text":"a","tenant":null}'),
]
--- error_code eval
[201, 201, 201, 404, 404, 404]
--- job eval
["tenant: acme", "tenant: one", "tenant: acme"]
--- queued eval
[1, 1, 1, 0, 0, 0]



=== TEST 8: a pattern's end is the end, whatever the operator wrote
--- config eval
"    setter_tenant body:tenant ^([a-z]+)\$;
    location /w {
$::generic    }"
--- request eval
[
    main::post('/w', '{"from":"1","text":"a","tenant":"acme\n"}'),
    main::post('/w', '{"from":"1","text":"a","tenant":"acme"}'),
]
--- error_code eval
[404, 201]
--- queued eval
[0, 1]



=== TEST 9: an alternative in a pattern is anchored as well
--- config eval
"    setter_tenant \$http_x_tenant ^([a-z]+)x|y\\z;
    location /w {
$::generic    }"
--- request eval
[(main::post('/w')) x 2]
--- more_headers eval
["X-Tenant: acmex-and-more", "X-Tenant: acmex"]
--- error_code eval
[404, 201]
--- queued eval
[0, 1]



=== TEST 10: a hostile value meets the match limit
--- config eval
"    setter_tenant \$http_x_tenant ^((?:a+)+)\\z;
    location /w {
$::generic    }"
--- main_config
    pcre_jit off;
--- request eval
main::post('/w')
--- more_headers eval
"X-Tenant: " . 'a' x 60 . '!'
--- error_code_like: ^(?:404|500)$
--- error_log
failed: -47
--- queued: 0



=== TEST 11: the value that did so is not logged
--- config eval
"    setter_tenant body:tenant ^((?:a+)+)\\z;
    location /w {
$::generic    }"
--- main_config
    pcre_jit off;
--- request eval
main::post('/w', '{"from":"1","text":"a","tenant":"' . 'a' x 60
    . '!\nforged"}')
--- error_code: 500
--- error_log
failed: -47, setter_tenant "body:tenant"
--- no_error_log
aaaaaaaa
forged
--- queued: 0



=== TEST 12: known tenants, as is the default
--- http_config
    setter_redis $TEST_NGINX_REDIS;
--- post_setup_server_root
Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme');
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }
    location /any {
        setter_tenants any;
$::generic    }"
--- request eval
[main::post('/w'), main::post('/w'), main::post('/any')]
--- more_headers eval
["X-Tenant: acme", "X-Tenant: other", "X-Tenant: other"]
--- error_code eval
[201, 404, 201]
--- queued eval
[1, 0, 1]
--- job eval
["tenant: acme", undef, "tenant: other"]



=== TEST 13: a tenant becomes known, and is forgotten, without a reload
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants known;
--- config eval
"    setter_tenant acme;
    location /w {
$::generic    }"
--- request eval
main::post('/w')
--- response_body_filters eval
sub {
    my $redis = Setter::Suite::redis();
    $redis->sadd('setter:{mm}:known', 'acme');
    my @told = main::until_status(201);
    $redis->srem('setter:{mm}:known', 'acme');
    return "@told " . main::until_status(404);
}
--- error_code: 404
--- response_body: 201 in time 404 in time



=== TEST 14: $setter_tenant goes on with a proxied request
--- config eval
"    setter_tenant \$host ^([a-z]+)\\.example\\.com\\z;
    location /up {
        proxy_set_header X-Tenant-Slug \$setter_tenant;
        proxy_pass http://127.0.0.1:\$TEST_NGINX_SERVER_PORT/seen;
    }
    location /seen {
        return 200 \"tenant=\$http_x_tenant_slug\";
    }"
--- request eval
["GET /up", "GET /up"]
--- more_headers eval
["Host: acme.example.com", "Host: example.org"]
--- response_body eval
["tenant=acme", "tenant="]



=== TEST 15: $setter_tenant is a key for limit_req
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_tenant $http_x_tenant;
    limit_req_zone $setter_tenant zone=tenants:1m rate=1r/m;
--- config eval
"    location /w {
        limit_req zone=tenants;
        limit_req_status 429;
$::generic    }"
--- request eval
[(main::post('/w')) x 3]
--- more_headers eval
["X-Tenant: one", "X-Tenant: one", "X-Tenant: two"]
--- error_code eval
[201, 429, 201]
--- queued eval
[1, 0, 1]



=== TEST 16: sources are inherited whole, or replaced whole
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_tenant from-http;
--- config eval
"    location /inherits {
$::generic    }
    location /own {
        setter_tenant \$http_x_tenant;
$::generic    }"
--- request eval
[main::post('/inherits'), main::post('/own'), main::post('/own')]
--- more_headers eval
["X-Tenant: acme", "X-Tenant: acme", ""]
--- error_code eval
[201, 201, 404]
--- job eval
["tenant: from-http", "tenant: acme"]
--- queued eval
[1, 1, 0]



=== TEST 17: a webhook needs a source
--- config eval
"    location /w {
$::generic    }"
--- must_die
--- suppress_stderr
--- error_log
no "setter_tenant" for "setter_webhook"



=== TEST 18: Redis is asked once for a tenant, known or not
--- http_config
    setter_redis $TEST_NGINX_FAKE;
--- fake
SISMEMBER 2: :0
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }
    location /any {
        setter_tenants any;
$::generic    }"
--- request eval
[(main::post('/w')) x 6, (main::post('/any')) x 3]
--- more_headers eval
[("X-Tenant: acme") x 3, ("X-Tenant: none") x 3, "X-Tenant: acme",
 ("X-Tenant: third") x 2]
--- error_code eval
[(201) x 3, (404) x 3, (201) x 3]
--- fake_saw eval
[(undef) x 8, "1 x SISMEMBER setter:{mm}:known acme
1 x SISMEMBER setter:{mm}:known none
1 x SISMEMBER setter:{mm}:known third
3 x SISMEMBER
1 x HGET setter:{mm}:tenant:acme minute
3 x HGET"]



=== TEST 19: a suspended tenant is not known, and any lets it in
--- http_config
    setter_redis $TEST_NGINX_FAKE;
--- fake
SISMEMBER: :0
--- config eval
"    setter_tenant acme;
    location /w {
$::generic    }
    location /any {
        setter_tenants any;
$::generic    }"
--- request eval
[main::post('/any'), main::post('/w'), main::post('/any'), main::post('/w')]
--- error_code eval
[201, 404, 201, 404]
--- fake_saw eval
[(undef) x 3, "1 x SISMEMBER\n2 x XADD"]



=== TEST 20: tenants that the zone has no place for are asked for each time
--- http_config
    setter_redis $TEST_NGINX_FAKE;
    setter_zone 320k;
--- fake
--- config eval
"    keepalive_requests 10000;
    setter_tenant \$http_x_tenant;
    location /w {
$::generic    }"
--- pipelined_requests eval
[(main::post('/w')) x 1400]
--- more_headers eval
[map { "X-Tenant: t-$_" } (1 .. 700) x 2]
--- timeout: 20
--- log_level: warn
--- error_code eval
[(201) x 1400]
--- response_body_filters eval
my $n = 0;
sub {
    return 'answer' if ++$n < 1400;
    my $asked = grep { $_->[1] eq 'HGET' } $Setter::Suite::fake->received;
    open my $log, '<', main::server_root() . '/logs/error.log' or die "log: $!";
    my $told = grep { /no place for tenant "t-/ } <$log>;
    return $asked > 800 && $asked < 1400 ? "some again, told $told x"
        : "$asked times";
}
--- response_body eval
[('answer') x 1399, 'some again, told 1 x']



=== TEST 21: while Redis is away a tenant stays what it was
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=3s backoff=2s,2s;
--- fake
SISMEMBER 2: close
--- config eval
"    setter_tenant acme;
    location /w {
$::generic    }"
--- request eval
main::post('/w')
--- response_body_filters eval
sub {
    my @told = main::until_status(503);
    return "@told, then " . (Setter::Suite::post('/w', $::message))[0];
}
--- error_code: 201
--- response_body: 503 in time, then 201
--- fake_saw
2 x connect
2 x SISMEMBER
