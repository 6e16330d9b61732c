# Who may call: setter_verify key, with the hashes of keys in Redis.

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

our $webhook = <<'EOC';
        setter_webhook generic;
        setter_set provider meta;
EOC

our $secret = '0123456789-abcdefghijklmnop_ABCDEFGHIJKLMNO';
our ($acme, $other) = map { "stk_${_}_$secret" } qw(acme other);
our $post = "POST /w\n" . '{"from":"15550100001","text":"hello"}';

sub bearer { return "Authorization: Bearer $_[0]" }

sub member {
    my ($key) = @_;
    my ($slug) = $key =~ /^stk_([^_]+)_/;
    return "$slug/" . sha256_hex($key);
}

sub grant { Setter::Suite::redis()->sadd('setter:{mm}:keys', member($_[0])) }

sub revoke { Setter::Suite::redis()->srem('setter:{mm}:keys', member($_[0])) }

# The status of a message with this key, asked for again until it is the one
# wanted, and how long that took.
sub until_status {
    my ($wanted, $key) = @_;
    my $start = time;
    my $status = 0;

    while (time - $start < 10) {
        ($status) = Setter::Suite::post('/w', '{"from":"1","text":"a"}',
            bearer($key));
        last if $status == $wanted;
        sleep 0.02;
    }
    return ($status, time - $start);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', "    location /w {\n"
        . "        setter_verify key;\n$webhook    }\n")
        if !defined $block->config;
    $block->set_value('post_setup_server_root', "main::grant(\$_)"
        . " for \$main::acme, \$main::other;\n") if !defined $block->fake;
    $block->set_value('http_config', "setter_redis \$TEST_NGINX_FAKE"
        . " timeout=500ms backoff=10ms,50ms;\nsetter_tenants any;\n")
        if defined $block->fake && !defined $block->http_config;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a key tells the tenant
--- request eval
[($::post) x 4]
--- more_headers eval
[main::bearer($::acme), main::bearer($::other), "authorization: bearer $::acme",
 "Authorization: BEARER   $::acme"]
--- error_code eval
[(201) x 4]
--- job eval
["tenant: acme\nheader.tenant: acme", "tenant: other", "tenant: acme",
 "tenant: acme"]



=== TEST 2: none, or none of ours
--- request eval
[($::post) x 12]
--- more_headers eval
my $unknown = $::acme =~ s/.\z/P/r;
["", map { "Authorization: $_" } 'Bearer', 'Bearer ', 'Bearer x',
 "Bearer $unknown", "Bearer stk_third_$::secret", "Bearer $::acme ",
 "Bearer $::acme$::acme", "Basic $::acme", "Bearer$::acme", $::acme,
 "Bearer stk_acme_" . 'a' x 42]
--- error_code eval
[(401) x 6, 201, (401) x 5]
--- raw_response_headers_like eval
[("\r\nWWW-Authenticate: Bearer\r\n") x 6, "201",
 ("\r\nWWW-Authenticate: Bearer\r\n") x 5]
--- response_body_like eval
my $no = qr/^\{"id":null,"status":"ERROR","message":"Unauthorized"\}\s*$/;
[($no) x 6, qr/SUCCESS/, ($no) x 5]
--- queued eval
[(0) x 6, 1, (0) x 5]



=== TEST 3: optional: no key is fine, a wrong one is not
--- config eval
"    location /w {
        setter_verify key optional;
        setter_tenant \$http_x_tenant;
        setter_tenant last;
$::webhook    }"
--- request eval
[($::post) x 5]
--- more_headers eval
["", "X-Tenant: host", main::bearer($::acme) . "\nX-Tenant: host",
 main::bearer("$::acme."), "Authorization: Basic YTpi"]
--- error_code eval
[201, 201, 201, 401, 201]
--- job eval
["tenant: last", "tenant: host", "tenant: acme", undef, "tenant: last"]
--- queued eval
[1, 1, 1, 0, 1]



=== TEST 4: the body must not name another tenant
--- config eval
"    location /w {
        setter_verify key;
        setter_tenant body:account ^t-([a-z]+)\\z;
        setter_tenant \$http_x_tenant;
$::webhook    }
    location /engine {
        setter_verify key;
        setter_webhook engine;
    }"
--- request eval
[
    (map { "POST /w\n{\"from\":\"1\",\"text\":\"a\"$_}" } '',
        ',"account":"t-acme"', ',"account":"t-other"', ',"account":"other"',
        ',"tenant_id":"acme"', ',"tenant_id":"other"', ',"tenant_id":null',
        ',"tenant_id":7'),
    (map { "POST /engine\n{\"from\":\"1\",\"message\":\"a\"$_}" } '',
        ',"tenant_id":"acme"', ',"tenant_id":"other"'),
]
--- more_headers eval
[("X-Tenant: other\n" . main::bearer($::acme)) x 11]
--- error_code eval
[201, 201, 403, 201, 201, 403, 201, 403, 201, 201, 403]
--- job eval
[map { $_ ? 'tenant: acme' : undef } 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0]
--- queued eval
[1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0]



=== TEST 5: compat hides the status, not the refusal
--- config eval
"    location /w {
        setter_status compat;
        setter_verify key;
$::webhook    }"
--- request eval
[($::post) x 3]
--- more_headers eval
["", main::bearer("stk_third_$::secret"), main::bearer($::acme)]
--- error_code eval
[201, 201, 201]
--- response_body_like eval
[(qr/^\{"id":null,"status":"ERROR","message":"Unauthorized"\}/) x 2,
 qr/SUCCESS/]
--- queued eval
[0, 0, 1]



=== TEST 6: inherited, replaced, turned off
--- config eval
"    setter_verify key;
    setter_tenant other;
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
[(main::bearer($::acme)) x 3, ("X-Key: inner") x 3]
--- error_code eval
[201, 401, 201, 401, 201, 201]
--- raw_response_headers_like eval
["201", "\r\nWWW-Authenticate: Token\r\n", "201",
 "\r\nWWW-Authenticate: Bearer\r\n", "201", "201"]
--- job eval
["tenant: acme", undef, "tenant: other", undef, "tenant: other",
 "tenant: other"]
--- queued eval
[1, 0, 1, 0, 1, 1]



=== TEST 7: refused before the body has come
--- config eval
"    location /w {
        lingering_timeout 50ms;
        setter_verify key;
$::webhook    }"
--- raw_request eval
"POST /w HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Authorization: Bearer stk_acme_short\r\nContent-Length: 100\r\n\r\n"
--- error_code: 401
--- queued: 0



=== TEST 8: a wrong key is told before what is wrong with the body
--- request eval
[map { "POST /w\n$_" } '{', '{}', '{', '{}']
--- more_headers eval
[(main::bearer("stk_third_$::secret")) x 2, (main::bearer($::acme)) x 2]
--- error_code eval
[401, 401, 400, 422]
--- queued eval
[0, 0, 0, 0]



=== TEST 9: the tenant of a key is $setter_tenant
--- config eval
"    location /w {
        setter_verify key;
        add_header X-Seen \$setter_tenant always;
$::webhook    }"
--- request eval
[($::post) x 2]
--- more_headers eval
[main::bearer($::acme), ""]
--- error_code eval
[201, 401]
--- response_headers eval
["X-Seen: acme", "! X-Seen"]



=== TEST 10: neither the key nor its hash is stored or logged
--- log_level: debug
--- request eval
[($::post) x 2]
--- more_headers eval
[main::bearer($::acme), main::bearer("stk_third_$::secret")]
--- error_code eval
[201, 401]
--- job eval
["! data.authorization"]
--- queued eval
[1, 0]
--- grep_error_log eval
# nginx's own debug log has the request's header
my $hash = Digest::SHA::sha256_hex($::acme);
qr/^(?!.*(?:http header|http process request)).*(?:$::secret|$hash)/m
--- grep_error_log_out eval
["", ""]



=== TEST 11: one that is revoked stops within two seconds
--- request eval
[$::post]
--- more_headers eval
[main::bearer($::acme)]
--- response_body_filters eval
sub {
    main::revoke($::acme);
    my ($status, $time) = main::until_status(401, $::acme);
    return "$status " . ($time < 4 ? 'in time' : "after $time");
}
--- error_code eval
[201]
--- response_body eval
["401 in time"]



=== TEST 12: one that is new is known within a second
--- request eval
[$::post]
--- more_headers eval
[main::bearer("stk_third_$::secret")]
--- response_body_filters eval
sub {
    main::grant("stk_third_$::secret");
    my ($status, $time) = main::until_status(201, "stk_third_$::secret");
    return "$status " . ($time < 3 ? 'in time' : "after $time");
}
--- error_code eval
[401]
--- response_body eval
["201 in time"]



=== TEST 13: Redis is asked once for a key, good or wrong
--- fake
SISMEMBER 3: :0
--- request eval
[($::post) x 6]
--- more_headers eval
[(main::bearer($::acme)) x 3, (main::bearer($::other)) x 3]
--- error_code eval
[201, 201, 201, 401, 401, 401]
--- fake_saw eval
[(undef) x 5, "1 x SISMEMBER setter:{mm}:keys " . main::member($::acme) . "
1 x SISMEMBER setter:{mm}:keys " . main::member($::other) . "
1 x SISMEMBER setter:{mm}:known acme
3 x SISMEMBER"]



=== TEST 14: wrong keys do not drive out a good one
--- fake
SISMEMBER 3: :0
--- request eval
[($::post) x 4]
--- more_headers eval
# a key that has the good one's place in the table of what is remembered
my $place = sub { hex(substr Digest::SHA::sha256_hex($_[0]), 0, 4) % 1024 };
my ($n, $wrong) = (0);
do {
    $wrong = sprintf 'stk_other_%043d', $n++;
} until $place->($wrong) == $place->($::acme);
[main::bearer($::acme), main::bearer($wrong), main::bearer($::acme),
 main::bearer($wrong)]
--- error_code eval
[201, 401, 201, 201]
--- fake_saw eval
[(undef) x 3, "1 x SISMEMBER setter:{mm}:keys acme/
2 x SISMEMBER setter:{mm}:keys other/"]



=== TEST 15: a key's set is in its tenant's partition
--- fake
--- http_config
    setter_redis $TEST_NGINX_FAKE;
    setter_partitions 64;
    setter_tenants any;
--- request eval
[$::post]
--- more_headers eval
[main::bearer($::acme)]
--- error_code eval
[201]
--- fake_saw eval
["SISMEMBER setter:{jf}:keys acme/\nXADD setter:{jf}:inbox"]



=== TEST 16: Redis is down: a key that was never seen cannot be told
--- fake
connect: close
--- request eval
[($::post) x 2]
--- more_headers eval
[main::bearer($::acme), main::bearer("$::acme-")]
--- error_code eval
[503, 401]
--- response_headers_like eval
["Retry-After: \\d+", ""]



=== TEST 17: Redis says nothing, or something else
--- fake
SISMEMBER 1: -WRONGTYPE Operation against a key
SISMEMBER 2: nil
SISMEMBER 5: silence
--- request eval
[($::post) x 4]
--- more_headers eval
[(main::bearer($::acme)) x 3, main::bearer($::other)]
--- error_code eval
[503, 503, 201, 503]
--- fake_saw eval
[(undef) x 3, "1 x XADD"]



=== TEST 18: a key that was good counts while Redis cannot be asked
--- fake
SISMEMBER 3: close
--- request eval
[$::post]
--- more_headers eval
[main::bearer($::acme)]
--- response_body_filters eval
sub {
    my $limit = time + 10;
    my %seen;
    do {
        my ($status) = Setter::Suite::post('/w', '{"from":"1","text":"a"}',
            main::bearer($::acme));
        $seen{$status}++;
        Time::HiRes::sleep(0.05);
    } until time > $limit
        || 3 <= grep { $_->[1] eq 'SISMEMBER' } $Setter::Suite::fake->received;
    return CORE::join(' ', keys %seen);
}
--- error_code eval
[201]
--- response_body eval
["201"]



=== TEST 19: a key and a tenant that are known wait for no Redis that is away
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=3s backoff=2s,2s;
--- fake
SISMEMBER 3: close
--- request eval
[$::post]
--- more_headers eval
[main::bearer($::acme)]
--- response_body_filters eval
sub {
    my $end = time + 10;
    my %seen;
    until (time > $end || 2 == grep { $_->[1] eq 'connect' }
           $Setter::Suite::fake->received)
    {
        my ($status) = Setter::Suite::post('/w', '{"from":"1","text":"a"}',
            main::bearer($::acme));
        $seen{$status}++;
        Time::HiRes::sleep(0.05);
    }
    return CORE::join(' ', keys %seen);
}
--- error_code eval
[201]
--- response_body eval
["201"]
--- fake_saw eval
["2 x connect\n3 x SISMEMBER\n2 x SISMEMBER setter:{mm}:keys"]



=== TEST 20: a client that leaves while its key is asked for
--- fake
SISMEMBER 1: delay 0.3
--- request eval
[$::post]
--- more_headers eval
[main::bearer($::acme)]
--- timeout: 0.1
--- abort
--- ignore_response
--- wait: 0.4
--- no_error_log
[alert]
[error]



=== TEST 21: without sources of a tenant a key has to be there
--- http_config
    setter_redis $TEST_NGINX_REDIS;
--- config eval
"    location /w {
        setter_verify key optional;
$::webhook    }"
--- must_die
--- suppress_stderr
--- error_log
no "setter_tenant" for "setter_webhook"
