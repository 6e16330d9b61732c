# Redis down, slow, loading, full, read-only, talking nonsense: each has its
# answer, and all is well again by itself.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    if (!defined $block->config) {
        $block->set_value('config', "    location /w {\n$webhook    }\n"
            . "    location /compat {\n        setter_status compat;\n"
            . "$webhook    }\n    location /ok { return 200; }\n");
    }
    if (defined $block->fake && !defined $block->http_config) {
        my $url = "redis://user:pw\@127.0.0.1:" . $Setter::Suite::fake->port;
        $block->set_value('http_config', "setter_redis $url/3 timeout=300ms"
            . " connect_timeout=300ms backoff=10ms,50ms;\n"
            . "setter_tenants any;\n");
    }
});

our $post = "POST /w\n" . '{"from":"1","text":"a"}';

our $unavailable = qr/^\{"id":null,"status":"ERROR","message":"[^"]+"\}$/;

# How much of the time nginx was on the CPU for half a second: "idle" or
# "busy"; one that polls without rest has all of it.
sub rest {
    my $pid = do {
        local @ARGV = (server_root() . '/logs/nginx.pid');
        <> + 0;
    };
    my $used = sub {
        local @ARGV = ("/proc/$pid/stat");
        my @fields = split ' ', <> =~ s/.*\)//r;
        return $fields[11] + $fields[12];
    };
    my $before = $used->();
    select undef, undef, undef, 0.5;
    return $used->() - $before < 25 ? 'idle' : 'busy';
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a healthy one: handshake once, then one XADD a message
--- fake
--- request eval
[$::post, $::post, $::post]
--- error_code eval
[201, 201, 201]
--- fake_saw eval
[undef, undef, "1 x connect
1 x AUTH user pw
1 x SELECT 3
1 x SET setter:{mm}:layout 1 1 NX
1 x GET setter:{mm}:layout
1 x INFO
3 x XADD setter:{mm}:inbox * h 1"]



=== TEST 2: down: 503 at once, and when to come again
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=1s backoff=30s,60s;
    setter_tenants any;
--- request eval
[$::post, $::post, "POST /compat\n{\"from\":\"1\",\"text\":\"a\"}"]
--- error_code eval
[503, 503, 201]
--- response_headers_like eval
["Retry-After: [1-9]\\d*", "Retry-After: [1-9]\\d*", ""]
--- response_body_like eval
[($::unavailable) x 3]
--- no_error_log
[alert]



=== TEST 3: down: trying again costs nothing
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- request eval
[$::post]
--- error_code eval
[503]
--- response_body_filters eval
sub { main::rest() }
--- response_body eval
["idle"]



=== TEST 4: down is one line in the log, however often it is tried
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=300ms backoff=1ms,5ms;
    setter_tenants any;
--- log_level: info
--- request eval
[$::post]
--- error_code eval
[503]
--- wait: 0.3
--- grep_error_log eval
qr/is away|recv\(\) failed/
--- grep_error_log_out
is away
--- error_log
is away: connect(): Connection refused



=== TEST 5: nginx starts while Redis is down, and serves what needs none
--- http_config
    setter_redis $TEST_NGINX_NOWHERE;
    setter_tenants any;
--- request
GET /ok
--- error_code: 200



=== TEST 6: it accepts and says nothing: answered within the time-out
--- fake
connect: silence
--- request eval
[$::post, $::post]
--- error_code eval
[503, 503]
--- response_body_like eval
[($::unavailable) x 2]



=== TEST 7: it closes each connection as it comes
--- fake
connect: close
--- request eval
[$::post]
--- error_code eval
[503]



=== TEST 8: it resets each connection as it comes
--- fake
connect: reset
--- request eval
[$::post]
--- error_code eval
[503]



=== TEST 9: it closes at first; the message waits for the next connection
--- fake
connect 1: close
connect 2: close
--- request eval
[$::post]
--- error_code eval
[201]
--- fake_saw
3 x connect
1 x XADD



=== TEST 10: the reply does not come: perhaps stored, 504, and not sent again
--- fake
XADD 1: silence
--- request eval
[$::post]
--- error_code eval
[504]
--- response_body_like eval
['^\{"id":null,"status":"ERROR","message":"[^"]*message_id[^"]*"\}$']
--- fake_saw
1 x XADD



=== TEST 11: the same in compat
--- fake
XADD 1: silence
--- request
POST /compat
{"from":"1","text":"a"}
--- error_code: 201
--- response_body_like: ^\{"id":null,"status":"ERROR",



=== TEST 12: a late reply is dropped, the next message gets its own
--- fake
XADD 1: delay 0.6
--- request eval
[$::post, $::post]
--- error_code_like eval
['^504$', '^(?:201|504)$']
--- fake_saw eval
[undef, "2 x XADD"]



=== TEST 13: closed after the command was sent: unknown, 504, sent once
--- fake
XADD 1: close
--- request eval
[$::post, $::post]
--- error_code eval
[504, 201]
--- fake_saw eval
["1 x XADD", "2 x XADD
2 x connect"]



=== TEST 14: half a reply, then nothing; half a reply, then the end
--- fake
XADD 1: half
--- request eval
[$::post]
--- error_code eval
[504]



=== TEST 15: loading, then loaded
--- fake
SET 1: -LOADING Redis is loading the dataset in memory
GET 1: -LOADING Redis is loading the dataset in memory
INFO 1: -LOADING Redis is loading the dataset in memory
--- request eval
[$::post]
--- error_code eval
[201]
--- fake_saw
2 x connect
1 x XADD
--- error_log
is away: LOADING



=== TEST 16: loading for longer than a message can wait
--- fake
SET: -LOADING Redis is loading the dataset in memory
GET: -LOADING Redis is loading the dataset in memory
INFO: -LOADING Redis is loading the dataset in memory
--- log_level: info
--- request eval
$::post
--- error_code: 503
--- grep_error_log: away: LOADING
--- grep_error_log_out
away: LOADING
--- fake_saw
! XADD



=== TEST 17: loading in the middle: refused, reconnected, well again
--- fake
XADD 1: -LOADING Redis is loading the dataset in memory
--- request eval
[$::post, $::post]
--- error_code eval
[503, 201]
--- response_headers_like eval
["Retry-After: [1-9]\\d*", "Content-Type: application/json"]
--- fake_saw eval
[undef, "2 x connect"]



=== TEST 18: full, then not: the same connection
--- fake
XADD 1: -OOM command not allowed when used memory > 'maxmemory'.
--- request eval
[$::post, $::post]
--- error_code eval
[503, 201]
--- response_body_like eval
[$::unavailable, "SUCCESS"]
--- fake_saw eval
[undef, "1 x connect"]



=== TEST 19: a replica now: reconnected, since the name may lead elsewhere
--- fake
XADD 1: -READONLY You can't write against a read only replica.
--- request eval
[$::post, $::post]
--- error_code eval
[503, 201]
--- fake_saw eval
[undef, "2 x connect"]



=== TEST 20: other errors refuse one message each, not the connection
--- fake
XADD 1: -ERR something odd
XADD 2: -WRONGTYPE Operation against a key holding the wrong kind of value
XADD 3: -NOPERM this user has no permissions
XADD 4: :17
XADD 5: nil
XADD 6: +OK
--- request eval
[($::post) x 7]
--- error_code eval
[(503) x 6, 201]
--- response_body_like eval
[($::unavailable) x 6, "SUCCESS"]



=== TEST 21: a wrong password
--- fake
AUTH: -WRONGPASS invalid username-password pair or user is disabled.
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
WRONGPASS
--- no_error_log
user:pw
--- fake_saw
! XADD



=== TEST 22: a password that is missing
--- fake
SET: -NOAUTH Authentication required.
GET: -NOAUTH Authentication required.
INFO: -NOAUTH Authentication required.
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
NOAUTH
--- fake_saw
! XADD



=== TEST 23: no such database
--- fake
SELECT: -ERR DB index is out of range
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
DB index is out of range
--- fake_saw
! XADD



=== TEST 24: keys of another number of partitions
--- fake
GET: bulk 1 64
SET: nil
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
1 64
--- fake_saw
! XADD



=== TEST 25: a memory policy that would throw messages away
--- fake
INFO: bulk # Memory\r\nmaxmemory_policy:allkeys-lru\r\n
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
allkeys-lru
--- fake_saw
! XADD



=== TEST 26: a CLIENT command that is forbidden matters to nobody
--- fake
CLIENT: -NOPERM this user has no permissions to run the 'client' command
--- request eval
[$::post]
--- error_code eval
[201]



=== TEST 27: nonsense instead of a reply
--- fake
XADD 1: raw HTTP/1.1 400 Bad Request\r\n\r\n
--- request eval
[$::post, $::post]
--- error_code_like eval
['^(?:503|504)$', '^201$']
--- fake_saw eval
[undef, "2 x connect"]



=== TEST 28: nonsense as a greeting
--- fake
connect: raw 220 mail.example.com ESMTP\r\n
--- request eval
[$::post]
--- error_code eval
[503]
--- error_log
is away



=== TEST 29: a reply that nobody asked for
--- fake
XADD 1: raw $3\r\n1-0\r\n$3\r\n2-0\r\n
--- request eval
[$::post, $::post]
--- error_code eval
[201, 201]
--- fake_saw eval
[undef, "2 x connect"]



=== TEST 30: a bulk string of absurd length
--- fake
XADD 1: raw $99999999999\r\n
--- request eval
[$::post, $::post]
--- error_code_like eval
['^50[34]$', '^(?:201|50[34])$']



=== TEST 31: nested too deep
--- fake eval
"XADD 1: raw " . "*1\\r\\n" x 2000
--- request eval
[$::post, $::post]
--- error_code_like eval
['^50[34]$', '^(?:201|50[34])$']



=== TEST 32: binary in an error reply does not reach log or caller as it is
--- fake
XADD 1: raw -ERR \0 bad \\ "quoted" \n thing\r\n
--- request eval
[$::post]
--- error_code_like eval
['^50[34]$']
--- response_body_unlike eval
['bad|quoted']



=== TEST 33: more wait than may wait
--- http_config
    setter_redis $TEST_NGINX_FAKE waiting=2 timeout=500ms backoff=10ms,50ms;
    setter_tenants any;
--- fake
XADD 1: silence
--- pipelined_requests eval
[$::post, $::post]
--- error_code_like eval
['^504$', '^(?:201|50[34])$']
--- response_body_like eval
["ERROR", "id"]



=== TEST 34: an inbox that is too long is a full Redis
--- http_config
    setter_redis $TEST_NGINX_FAKE inbox=10;
    setter_tenants any;
--- fake
XLEN: :11
--- request eval
[$::post, $::post]
--- error_code_like eval
['^(?:201|503)$', '^503$']
--- response_body_like eval
['"id"', '^\{"id":null,"status":"ERROR","message":"[^"]+"\}$']



=== TEST 35: an inbox that empties again
--- http_config
    setter_redis $TEST_NGINX_REDIS inbox=3;
    setter_tenants any;
--- request eval
[$::post]
--- error_code eval
[201]



=== TEST 36: a tenant that Redis cannot be asked about
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=300ms backoff=10ms,50ms;
    setter_tenants known;
--- fake
SISMEMBER 1: -LOADING Redis is loading the dataset in memory
SISMEMBER 2: close
SISMEMBER 3: +maybe
HGET 4: -WRONGTYPE Operation against a key
HGET 5: :7
HGET 6: close
SISMEMBER 7: :0
--- request eval
[($::post) x 7]
--- error_code eval
[(503) x 6, 404]
--- fake_saw eval
[(undef) x 6, "! XADD"]



=== TEST 37: known, and Redis goes before the message does: it waits
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=3s backoff=10ms,50ms;
    setter_tenants known;
--- fake
HGET 1: last $-1\r\n
--- request eval
$::post
--- error_code: 201
--- fake_saw
2 x connect
1 x SISMEMBER
1 x HGET
1 x XADD



=== TEST 38: known, and Redis does not come back: not stored, 503
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=300ms backoff=10ms,50ms;
    setter_tenants known;
--- fake
HGET 1: last $-1\r\n
connect 1: delay 0
connect: close
--- request eval
$::post
--- error_code: 503
--- fake_saw
! XADD



=== TEST 39: known, and Redis goes with the message: perhaps stored, 504
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=3s backoff=10ms,50ms;
    setter_tenants known;
--- fake
XADD 1: close
--- request eval
$::post
--- error_code: 504
--- fake_saw
1 x SISMEMBER
1 x XADD



=== TEST 40: one deadline for the question and the message
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=1s backoff=10ms,50ms;
    setter_tenants known;
    log_format took '$request_time';
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log took;
--- fake
SISMEMBER 1: delay 0.8
XADD 1: silence
--- request eval
$::post
--- error_code: 504
--- wait: 0.1
--- access_log eval
[qr/^1\.[0-4]/]



=== TEST 41: a real one that is stopped and started again
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=5s backoff=10ms,50ms;
    setter_tenants any;
--- request eval
[($::post) x 3]
--- response_body_filters eval
my $n = 0;
sub {
    $Setter::Suite::server->stop('KILL'), $Setter::Suite::server->run
        if ++$n < 3;
    return $_[0];
}
--- error_code eval
[201, 201, 201]
--- response_body_like eval
[('SUCCESS') x 3]



=== TEST 42: a real one that is full, and has room again
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=5s backoff=10ms,50ms;
    setter_tenants any;
--- request eval
[($::post) x 3]
--- response_body_filters eval
my $n = 0;
sub {
    my $redis = Setter::Suite::redis();
    $redis->config_set('maxmemory', ++$n == 1 ? 1 : 0);
    return $_[0];
}
--- error_code eval
[201, 503, 201]
--- response_body_like eval
['SUCCESS', 'ERROR', 'SUCCESS']
--- queued eval
[1, 0, 1]



=== TEST 43: a real one that evicts
--- post_setup_server_root
Setter::Suite::redis()->config_set('maxmemory-policy', 'allkeys-lru');
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=300ms backoff=10ms,50ms;
    setter_tenants any;
--- request eval
[$::post, $::post]
--- response_body_filters eval
sub {
    Setter::Suite::redis()->config_set('maxmemory-policy', 'noeviction');
    return $_[0];
}
--- error_code_like eval
['^503$', '^(?:201|503)$']
--- response_body_like eval
['"id":null', '"id":']



=== TEST 44: a real one with a password, and a user with a file
--- http_config
    setter_redis $TEST_NGINX_REDIS user=gate password_file=$TEST_NGINX_SERVER_ROOT/html/password;
    setter_tenants any;
--- user_files
>>> password
gate-s3cret
--- post_setup_server_root
Setter::Suite::redis()->acl('SETUSER', 'gate', 'on', '>gate-s3cret',
    '~setter:*', '+@all');
--- request eval
[$::post]
--- error_code eval
[201]
--- queued: 1
--- no_error_log
gate-s3cret



=== TEST 45: a connection that turned silent is replaced
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=100ms backoff=10ms,50ms;
    setter_tenants any;
--- fake
XADD 2: silence
--- request eval
[($::post) x 2, "GET /ok", $::post]
--- wait: 0.7
--- timeout: 5
--- error_code eval
[201, 504, 200, 201]
--- fake_saw eval
[undef, undef, undef, "2 x connect"]



=== TEST 46: no rest is lost over a Redis that is away, silent or broken
--- fake
connect 1: silence
connect 2: raw -ERR max number of clients reached\r\n
connect 3: close
connect 4: raw $1000\r\nhalf
--- request eval
[$::post, $::post]
--- response_body_filters eval
sub { "$_[0] " . main::rest() }
--- error_code_like eval
['^50[34]$', '^(?:201|50[34])$']
--- response_body_like eval
['idle$', 'idle$']



=== TEST 47: a Redis that does not read: big messages wait, nginx rests
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=300ms backoff=10ms,50ms;
    setter_tenants any;
--- fake
XADD 1: deaf
--- pipelined_requests eval
[(map { "POST /w\n" . '{"from":"1","text":"' . 'a' x 200000 . '"}' } 1 .. 4)]
--- timeout: 10
--- response_body_filters eval
my $n = 0;
sub { $n++ ? $_[0] : "$_[0] " . main::rest() }
--- error_code_like eval
[('^50[34]$') x 4]
--- response_body_like eval
['idle$', ('ERROR') x 3]



=== TEST 48: a real one that is stopped for a while
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=400ms backoff=10ms,50ms;
    setter_tenants any;
--- request eval
[($::post) x 4]
--- response_body_filters eval
my $n = 0;
sub {
    my $signal = (undef, 'STOP', undef, 'CONT')[++$n];
    kill $signal, $Setter::Suite::server->{pid} if $signal;
    return $_[0];
}
--- error_code_like eval
['^201$', '^504$', '^50[34]$', '^201$']
--- response_body_like eval
['SUCCESS', 'ERROR', 'ERROR', 'SUCCESS']



=== TEST 49: a client that has left while Redis was slow
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=2s backoff=10ms,50ms;
    setter_tenants any;
--- fake
XADD 1: delay 0.4
--- request eval
$::post
--- timeout: 100ms
--- abort
--- error_code_like: ^$
--- wait: 0.5
--- fake_saw
1 x XADD
--- no_error_log
[alert]
[error]
