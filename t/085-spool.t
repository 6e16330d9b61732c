# The spool of one nginx: what it takes, what it answers, what comes of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Setter::Load;
use Setter::Master;
use Test::Nginx::Socket 'no_plan';

use JSON::XS;
use Time::HiRes qw(sleep);

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

our $spool = 'setter_spool $TEST_NGINX_SERVER_ROOT/spool';

add_block_preprocessor(sub {
    my ($block) = @_;
    my $redis = defined $block->fake ? '$TEST_NGINX_FAKE'
        : '$TEST_NGINX_NOWHERE';

    $block->set_value('config', "    location /w {\n$webhook    }\n"
        . "    location /compat {\n        setter_status compat;\n"
        . "$webhook    }\n    location /health { setter_api health; }\n"
        . "    location /metrics { setter_api metrics; }\n")
        if !defined $block->config;

    $block->set_value('http_config',
        "setter_redis $redis timeout=300ms connect_timeout=300ms"
        . " backoff=10ms,50ms;\nsetter_tenants any;\n$spool;\n")
        if !defined $block->http_config;
});

our $post = "POST /w\n" . '{"from":"1","text":"a"}';
our $success = qr/^\{"id":"[-0-9a-f]{36}","status":"SUCCESS",/;

# The texts of the XADDs that the scripted Redis saw, once it has seen so many.
sub appended {
    my ($n) = @_;
    my @texts;
    until_true(sub {
        @texts = map { decode_json($_->[-1])->{text} }
            grep { $_->[1] eq 'XADD' } $Setter::Suite::fake->received;
        return @texts >= $n;
    });
    return @texts;
}

# The files of the spool, without the numbers in their names.
sub files {
    opendir my $dir, server_root() . '/spool' or return "none: $!";
    return join ' ', sort map { s/-.*//r } grep { !/^\.\.?\z/ } readdir $dir;
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: Redis is away: accepted, at once, and kept in a file
--- request eval
[$::post, $::post, "POST /compat\n{\"from\":\"1\",\"text\":\"a\"}"]
--- error_code eval
[201, 201, 201]
--- response_body_like eval
[($::success) x 3]
--- no_error_log
[alert]
[crit]



=== TEST 2: one line says so, however many jobs there are
--- log_level: info
--- request eval
[($::post) x 5]
--- error_code eval
[(201) x 5]
--- response_body_filters eval
my $n = 0;
sub { return ++$n < 5 ? '' : scalar(main::log_lines(qr/into the spool/))
    . ' ' . main::files() }
--- response_body eval
['', '', '', '', '1 jobs']



=== TEST 3: what is refused without Redis is refused, and not kept
--- request eval
["POST /w\n{}", "GET /w", "POST /w\n{", $::post =~ s/"1"/"\\u0000"/r]
--- error_code eval
[422, 405, 400, 400]
--- response_body_filters eval
my $n = 0;
sub { return ++$n < 4 ? '' : main::files() }
--- response_body eval
['', '', '', '']



=== TEST 4: the folder is the workers' own
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub {
    my $path = main::server_root() . '/spool';
    my ($file) = glob "$path/jobs-*";
    return sprintf '%04o %04o', map { (stat)[2] & 07777 } $path, $file;
}
--- response_body chomp
0700 0600



=== TEST 5: sent and not acknowledged in time: accepted, and sent once more
--- fake
XADD 1: silence
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub { CORE::join ' ', main::appended(2) }
--- response_body chomp
a a
--- fake_saw
2 x XADD
2 x connect



=== TEST 6: the connection is lost with a job under way
--- fake
XADD 1: close
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub { CORE::join ' ', main::appended(2) }
--- response_body chomp
a a



=== TEST 7: full: accepted, and sent when it is not any more
--- fake
XADD 1: -OOM command not allowed when used memory > 'maxmemory'.
XADD 2: -OOM command not allowed when used memory > 'maxmemory'.
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub { CORE::join ' ', main::appended(3) }
--- response_body chomp
a a a
--- fake_saw
1 x connect
--- error_log
refuses: OOM
is drained, 1 jobs



=== TEST 8: loading in the middle
--- fake
XADD 1: -LOADING Redis is loading the dataset in memory
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub { CORE::join ' ', main::appended(2) }
--- response_body chomp
a a
--- fake_saw
2 x connect



=== TEST 9: loading for longer than a message can wait
--- fake
SET: -LOADING Redis is loading the dataset in memory
GET: -LOADING Redis is loading the dataset in memory
INFO: -LOADING Redis is loading the dataset in memory
--- request eval
[$::post, $::post]
--- error_code eval
[201, 201]
--- fake_saw eval
["! XADD", "! XADD"]



=== TEST 10: whatever else it says
--- fake
XADD 1: -READONLY You can't write against a read only replica.
XADD 3: -MISCONF Redis is configured to save RDB snapshots
XADD 5: -ERR something odd
XADD 7: :17
--- request eval
[($::post) x 4]
--- error_code eval
[(201) x 4]
--- response_body_filters eval
sub { main::until_true(sub { main::metric('setter_spool_records') == 0 }) }
--- response_body eval
[(1) x 4]



=== TEST 11: it accepts connections and says nothing
--- fake
connect: silence
--- request eval
[$::post, $::post, $::post]
--- error_code eval
[201, 201, 201]



=== TEST 12: the inbox is too long: accepted, and it waits until it is not
--- http_config eval
"setter_redis \$TEST_NGINX_FAKE inbox=10 timeout=300ms; setter_tenants any;
$::spool;"
--- fake
XLEN 1: :11
XLEN 2: :11
XLEN 3: :11
--- request
GET /metrics
--- response_body_filters eval
sub {
    main::until_true(sub { main::log_lines(qr/no more are taken/) });
    my $answer = main::answer(main::send_message());
    return CORE::join ' ', $answer,
        main::metric('setter_spool_written_total'), main::appended(1);
}
--- response_body chomp
accepted 1 a
--- error_log
no more are taken
more are taken again
is drained, 1 jobs



=== TEST 13: a tenant of whom nothing is known is not let in by the spool
--- http_config eval
"setter_redis \$TEST_NGINX_NOWHERE timeout=300ms; $::spool;"
--- request eval
[$::post, $::post]
--- error_code eval
[503, 503]
--- response_headers_like eval
[("Retry-After: [1-9]\\d*") x 2]
--- response_body_filters eval
sub { main::files() }
--- response_body eval
['', '']



=== TEST 14: one who was known when Redis went is; one who was not is not
--- http_config eval
"setter_redis \$TEST_NGINX_FAKE timeout=300ms backoff=10ms,50ms; $::spool;"
--- config eval
"location /w { $::webhook }
 location /ghost { " . ($::webhook =~ s/acme/ghost/r) . " }
 location /metrics { setter_api metrics; }"
--- fake
SISMEMBER 2: :0
XADD 1: close
--- request eval
[$::post, $::post =~ s/w/ghost/r, $::post, $::post =~ s/w/ghost/r, $::post]
--- error_code eval
[201, 404, 201, 404, 201]
--- response_body_filters eval
my $n = 0;
sub {
    $n++;
    if ($n == 1) {
        # the ghost has to be asked for
        main::until_true(sub { main::metric('setter_redis_up') == 1 });

    } elsif ($n == 2) {
        $Setter::Suite::fake->stop;
        main::until_true(sub { main::metric('setter_redis_up') == 0 });

    } elsif ($n == 4) {
        # longer than what was heard counts while Redis is there
        Time::HiRes::sleep(2.1);
    }
    return main::metric('setter_spool_written_total');
}
--- response_body_like eval
['^1$', '^1$', '^2$', '^2$', '^3$']



=== TEST 15: several jobs go together: all of them or none
--- http_config eval
"setter_redis \$TEST_NGINX_FAKE timeout=300ms backoff=10ms,50ms;
setter_tenants any; $::spool;"
--- fake
connect 1: close
connect 2: silence
XADD 2: -OOM command not allowed when used memory > 'maxmemory'.
--- request eval
[map { "POST /w\n{\"from\":\"$_\",\"text\":\"t$_\"}" } 1 .. 3]
--- error_code eval
[201, 201, 201]
--- response_body_filters eval
my $n = 0;
sub { return ++$n < 3 ? '' : CORE::join ' ', main::appended(6) }
--- response_body eval
['', '', 't1 t2 t3 t1 t2 t3']
--- fake_saw eval
[undef, undef, "2 x MULTI
2 x EXEC"]



=== TEST 16: those that wait go into the spool before those that come later
--- http_config eval
"setter_redis \$TEST_NGINX_FAKE timeout=500ms backoff=10ms,50ms;
setter_tenants any; $::spool;"
--- fake
connect 1: silence
connect 2: silence
--- request
GET /metrics
--- response_body_filters eval
sub {
    # the first one gives up after 500 ms, and they do not wait longer
    my @sent = map { Time::HiRes::sleep(0.1);
        main::send_message(text => "t$_") } 1 .. 8;
    my $tally = main::tally(map { main::answer($_) } @sent);
    return CORE::join ' ', "$tally:", main::appended(8);
}
--- response_body chomp
8 accepted: t1 t2 t3 t4 t5 t6 t7 t8



=== TEST 17: metrics and health tell of it
--- request eval
[$::post, "GET /health", "GET /metrics"]
--- error_code eval
[201, 200, 200]
--- response_body_like eval
[$::success,
 qr/^\{"status":"spooling","redis":"unavailable","spool":\{"status":"ok","records":1,"bytes":\d{3,}\}\}$/,
 qr/^setter_spool_records 1\n.*^setter_spool_bytes [1-9]\d\d+\n.*^setter_spool_written_total 1\n.*^setter_spool_replayed_total 0\n.*^setter_spool_damaged_total 0\n.*^setter_spool_failures_total 0$/ms]



=== TEST 18: health when all is well
--- http_config eval
"setter_redis \$TEST_NGINX_REDIS; setter_tenants any; $::spool;"
--- request
GET /health
--- error_code: 200
--- response_body_like: ^\{"status":"ok","redis":"ok","spool":\{"status":"ok","records":0,"bytes":0\},"queue":\{



=== TEST 19: without one, or with one that is off, nothing is said of it
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=300ms;
    setter_tenants any;
    setter_spool off;
--- request eval
[$::post, "GET /health", "GET /metrics"]
--- error_code eval
[503, 503, 200]
--- response_body_unlike eval
[qr/spool/, qr/spool/, qr/^setter_spool/m]



=== TEST 20: what is longer than a buffer of the client or of ours
--- fake
XADD 1: close
--- request eval
my $text = 'x' x 200000;
"POST /w\n{\"from\":\"1\",\"text\":\"$text\"}"
--- error_code: 201
--- response_body_filters eval
sub { CORE::join ' ', map { length } main::appended(2) }
--- response_body chomp
200000 200000



=== TEST 21: the log and the variables know a job of the spool
--- config eval
"location /w { $::webhook  access_log \$TEST_NGINX_SERVER_ROOT/logs/w.log w; }"
--- http_config eval
"setter_redis \$TEST_NGINX_NOWHERE timeout=300ms; setter_tenants any;
log_format w '\$setter_reason \$setter_id \$setter_lane \$setter_enqueue_time';
$::spool;"
--- request eval
$::post
--- error_code: 201
--- response_body_filters eval
sub {
    my ($id) = $_[0] =~ /"id":"([^"]+)"/;
    my $name = main::server_root() . '/logs/w.log';
    main::until_true(sub { -s $name });
    open my $log, '<', $name or die;
    return <$log> =~ s/\Q$id\E/ID/r =~ s/\d\.\d{3}/TIME/r;
}
--- response_body
accepted ID acme/conv/meta:-:1 TIME
