# The spool's disk is slow, full, failing, damaged: nothing is answered for
# that is not on it, and what is on it is read.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Setter::Disk;
use Setter::Load;
use Setter::Master;
use Test::Nginx::Socket 'no_plan';

use Time::HiRes qw(sleep time);

our $spool = 'setter_spool $TEST_NGINX_SERVER_ROOT/spool';
our $server = $Setter::Suite::server;
our $small = tmpfs('64k');
$ENV{TEST_NGINX_SMALL} = $small // '/nonexistent';

diag('no file system can be mounted: a full disk is NOT TESTED') if !$small;

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', "$Setter::Load::CONFIG\n"
        . "location /health { setter_api health; }\n");
    $block->set_value('request', 'GET /metrics') if !defined $block->request;
    $block->set_value('timeout', '20');
    $block->set_value('http_config', "setter_redis \$TEST_NGINX_REDIS"
        . " backoff=50ms,200ms;\nsetter_tenants any;\n$spool;\n")
        if !defined $block->http_config;

    # each block begins with a Redis, and a disk that is well
    my $own = $block->post_setup_server_root // '';
    $block->set_value('post_setup_server_root', "main::begin();\n$own");
});

sub begin {
    disk('');
    $server->run if !$server->runs;
    unlink glob "$small/*" if $small;
}

sub redis { Setter::Suite::redis() }

# Sends messages while Redis is away; returns what became of them.
sub spool {
    my (@texts) = @_;
    $server->stop('KILL');
    return map { answer(send_message(text => "$_")) } @texts;
}

# Redis comes back and gets what is in the spool: the texts, in their order.
sub replay {
    $server->run;
    return drained() ? texts(0) : 'not drained';
}

sub file { return (glob server_root() . '/spool/jobs-*')[0] }

# Changes the file of jobs where the text stands.
sub damage {
    my ($text, $bytes, $offset) = @_;
    open my $file, '+<:raw', file() or die "jobs: $!";
    my $content = do { local $/; <$file> };
    seek $file, index($content, $text) + ($offset // 0), 0;
    print $file $bytes;
    close $file;
}

sub health {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => server_port_for_client()) or die;
    print $socket "GET /health HTTP/1.0\r\n\r\n";
    local $/;
    my ($code, $status) = <$socket> =~ m{^\S+ (\d+).*"spool":\{"status":"(\w+)}s;
    return "$code $status";
}

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: its fdatasync() fails: not accepted, and it is not there
--- http_config eval
"setter_redis \$TEST_NGINX_NOWHERE; setter_tenants any; $::spool;"
--- post_setup_server_root
main::disk('lost');
--- request eval
[("POST /w\n" . '{"from":"1","text":"a"}') x 2]
--- error_code eval
[503, 503]
--- response_headers_like eval
[("Retry-After: [1-9]\\d*") x 2]
--- response_body_filters eval
my $n = 0;
sub {
    return '' if ++$n < 2;
    return CORE::join ' ', main::health(),
        (map { main::metric("setter_spool_${_}_total") } qw(written failures)),
        scalar main::log_lines(qr/\[crit\].*cannot sync.*Input\/output error/);
}
--- response_body eval
["", "503 unavailable 0 2 1"]



=== TEST 2: it fails for a while: what was accepted is sent, and nothing else
--- response_body_filters eval
sub {
    my @answers = main::spool('a', 'b');
    Setter::Disk::disk('lost');
    push @answers, map { main::answer(main::send_message(text => $_)) }
        'c', 'd';
    Setter::Disk::disk('');
    push @answers, map { main::answer(main::send_message(text => $_)) }
        'e', 'f';
    return CORE::join ' ', @answers, main::replay();
}
--- response_body chomp
accepted accepted 503 503 accepted accepted a b e f
--- error_log
cannot sync



=== TEST 3: it hangs: nobody waits for ever, and what it has in the end is sent
--- response_body_filters eval
sub {
    main::spool('a');
    Setter::Disk::disk('slow 12000');
    my $begun = Time::HiRes::time();
    my @waiting = map { main::send_message(text => $_) } 'b', 'c';
    my @answers = map { main::answer($_) } @waiting;
    my $waited = Time::HiRes::time() - $begun;
    # until it has ended nothing more is taken, at once
    push @answers, main::answer(main::send_message(text => 'd'));
    my $refused = Time::HiRes::time() - $begun - $waited;
    Setter::Disk::disk('');
    return CORE::join ' ', @answers, $waited > 9 && $waited < 11.9, $refused < 1,
        main::replay();
}
--- response_body chomp
504 504 503 1 1 a b c
--- error_log
cannot sync in time



=== TEST 4: a hanging disk keeps nginx, with the requests, until they are answered
--- response_body_filters eval
sub {
    main::spool('a');
    Setter::Disk::disk('slow 1500');
    my @waiting = map { main::send_message(text => $_) } 'b', 'c';
    Time::HiRes::sleep(0.1);
    my ($old) = main::workers_of(main::master());
    kill 'HUP', main::master();
    my @answers = map { main::answer($_) } @waiting;
    my $left = main::until_true(sub {
        !grep { $_ == $old } main::workers_of(main::master())
    });
    Setter::Disk::disk('');
    return CORE::join ' ', @answers, $left, main::replay();
}
--- response_body chomp
accepted accepted 1 a b c
--- no_error_log
[alert]
[crit]



=== TEST 5: who leaves does not wait, and the message counts
--- response_body_filters eval
sub {
    main::spool('a');
    Setter::Disk::disk('slow 500');
    my $waiting = main::send_message(text => 'b');
    Time::HiRes::sleep(0.1);
    shutdown $waiting, 2;
    close $waiting;
    my $answer = main::answer(main::send_message(text => 'c'));
    Setter::Disk::disk('');
    return CORE::join ' ', $answer, main::replay();
}
--- response_body chomp
accepted a b c
--- no_error_log
[alert]
[crit]



=== TEST 6: "max" is reached: refused, and accepted again when it is drained
--- http_config eval
"setter_redis \$TEST_NGINX_REDIS backoff=50ms,200ms; setter_tenants any;
$::spool max=2k;"
--- response_body_filters eval
sub {
    my @answers = main::spool(1 .. 9);
    my $n = grep { $_ eq 'accepted' } @answers;
    my $health = main::health();
    my $ordered = CORE::join('', @answers) =~ /^(accepted)+(503)+$/;
    my $texts = CORE::join ' ', main::replay();
    my $all = $texts eq CORE::join ' ', 1 .. $n;
    my $again = main::answer(main::send_message(text => 'x'));
    my $empty = main::until_true(sub {
        main::metric('setter_spool_bytes') == 0
    });
    return CORE::join ' ', $ordered, $n > 1 && $n < 9, $health, $all, $again,
        $empty;
}
--- response_body chomp
1 1 503 unavailable 1 accepted 1
--- error_log
cannot go beyond its "max"
--- grep_error_log: beyond its
--- grep_error_log_out
beyond its



=== TEST 7: the disk is full: refused, and nothing that was accepted is lost
--- http_config
    setter_redis $TEST_NGINX_REDIS backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SMALL;
--- skip_eval
5: !$::small
--- response_body_filters eval
sub {
    my @answers = main::spool(map { ("$_-") x 1 . 'x' x 3000 } 1 .. 30);
    my $n = grep { $_ eq 'accepted' } @answers;
    my %seen = map { $_ => 1 } @answers;
    my @texts = map { s/-.*//r } main::replay();
    my $all = "@texts" eq CORE::join ' ', grep { $answers[$_ - 1] eq 'accepted' }
        1 .. 30;
    my $again = main::answer(main::send_message(text => 'y'));
    return CORE::join ' ', $n > 5 && $n < 30, (sort keys %seen), $all, $again;
}
--- response_body chomp
1 503 accepted 1 accepted
--- error_log eval
qr/\[crit\].*cannot write.*No space left on device/



=== TEST 8: a record is damaged: put aside, and the rest is read
--- response_body_filters eval
sub {
    main::spool('first', 'second', 'third');
    main::damage('second', 'sEcond');
    my @texts = main::replay();
    open my $aside, '<', main::server_root() . '/spool/damaged' or return $!;
    my $found = do { local $/; <$aside> } =~ /^\xffJB\x01.*"text":"sEcond".*\}$/s;
    return CORE::join ' ', @texts, $found,
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
first third 1 1
--- grep_error_log eval
qr/is damaged: \d+ bytes at \d+ are no job, and were put aside/
--- grep_error_log_out eval
qr/^is damaged: \d+ bytes at \d+ are no job, and were put aside\n$/



=== TEST 9: the last record is damaged, and had been answered for
--- response_body_filters eval
sub {
    main::spool('first', 'second');
    main::damage('second', 'sEcond');
    return CORE::join ' ', main::replay(),
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
first 1
--- error_log
put aside



=== TEST 10: so it is of a process that is gone
--- response_body_filters eval
sub {
    main::spool('first', 'second');
    main::damage('second', 'sEcond');
    kill 'KILL', main::workers_of(main::master());
    return CORE::join ' ', main::replay(),
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
first 1
--- error_log
put aside
exited on signal 9



=== TEST 11: what a killed process had not written to its end is dropped
--- response_body_filters eval
sub {
    main::spool('first', 'second');
    my $file = main::file();
    open my $in, '<:raw', $file or die;
    my $content = do { local $/; <$in> };
    kill 'KILL', main::workers_of(main::master());
    open my $out, '>>:raw', $file or die;
    print $out substr $content, 80, 200;    # behind the head: a part of one
    close $out;
    return CORE::join ' ', main::replay(),
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
first second 0
--- no_error_log
damaged
--- error_log
exited on signal 9



=== TEST 12: the head of a file is damaged: all of it is read
--- response_body_filters eval
sub {
    main::spool('first', 'second');
    my $file = main::file();
    kill 'KILL', main::workers_of(main::master());
    main::until_true(sub { main::workers_of(main::master()) });
    open my $out, '+<:raw', $file or die;
    print $out "\0" x 80;
    close $out;
    return CORE::join ' ', main::replay(),
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
first second 1
--- error_log
80 bytes at 0 are no job
exited on signal 9



=== TEST 13: a part of a file cannot be read: the rest is
--- response_body_filters eval
sub {
    main::spool(map { "$_-" . 'x' x 1000 } 1 .. 9);
    Setter::Disk::disk('unreadable');
    my @texts = map { s/-.*//r } main::replay();
    return CORE::join ' ', "@texts" =~ /^1 2 3? ?[67] [78].* 9$/ ? 'rest' : "@texts",
        main::metric('setter_spool_damaged_total');
}
--- response_body chomp
rest 1
--- error_log
cannot be read at 4096

