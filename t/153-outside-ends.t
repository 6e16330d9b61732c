# The ends of polls: the caller leaves, nginx quits or reloads, Redis goes.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Polls;
use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use IPC::Run ();
use POSIX ();
use Time::HiRes qw(sleep time);

BEGIN { $ENV{TEST_NGINX_HTTP2_PORT} = Setter::Suite::free_port() }

our $acme = Setter::Keys::bearer('acme');

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $routes) if !defined $block->config;
    $block->set_value('request', 'GET /health') if !defined $block->request;
    $block->set_value('post_setup_server_root',
        "Setter::Polls::outside_tenants(qw(acme other));\n");
});

sub redis { Setter::Suite::redis() }

sub settled {
    return until_true(sub { redis()->info('clients')->{blocked_clients} });
}

# Redis does nothing from here on, while nginx knows acme's key.
sub stopped {
    order('acme', 'x', 'complete', { token => 1 });
    kill 'STOP', $Setter::Suite::server->{pid};
}

sub continued { kill 'CONT', $Setter::Suite::server->{pid} }

# What is known of a lane whose turn was given back.
sub claim_of {
    my %claim = redis()->hgetall(queue()->key("claim:$_[0]"));

    return join ' ', map { "$_=$claim{$_}" }
        grep { $claim{$_} } qw(failures crashes reason);
}

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: who left while he waited gets nothing
--- response_body_filters eval
sub {
    my $gone = main::poll('acme');
    main::settled();
    $gone->close;
    my $noticed = main::until_true(sub { main::logged(qr/ 499 /, 'access') });
    main::say('acme', 'x:-:1', 'a');
    my $answer = main::poll('acme')->answer;
    return "$noticed $answer->{status} $answer->{json}{payload}{text} "
        . main::claim_of('acme/conv/x:-:1');
}
--- response_body chomp
1 200 a 
--- no_error_log
[error]



=== TEST 2: who leaves while the turn is being taken: it is given back
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=9s;
    setter_tenants any;
--- response_body_filters eval
sub {
    main::say('acme', 'x:-:1', 'a');
    main::stopped();
    my $gone = main::poll('acme');
    main::until_true(sub { main::logged(qr/setter poll/) });
    $gone->close;
    my $noticed = main::until_true(sub { main::logged(qr/ 499 /, 'access') });
    main::continued();
    my $back = main::until_true(sub {
        main::claim_of('acme/conv/x:-:1') =~ /had left/ });
    my $answer = main::poll('acme')->answer;
    return "$noticed $back $answer->{json}{payload}{text} "
        . main::claim_of('acme/conv/x:-:1')
        . ($answer->{ms} < 4500 ? '' : ", late: $answer->{ms} ms");
}
--- response_body chomp
1 1 a reason=the caller had left



=== TEST 3: the next one who waits gets it instead
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=9s;
    setter_tenants any;
--- response_body_filters eval
sub {
    main::say('acme', 'x:-:1', 'a');
    main::stopped();
    my $gone = main::poll('acme');
    main::until_true(sub { main::logged(qr/setter poll/) });
    my $next = main::poll('acme');
    main::until_true(sub { main::logged(qr/setter poll/) == 2 });
    $gone->close;
    main::until_true(sub { main::logged(qr/ 499 /, 'access') });
    main::continued();
    my $answer = $next->answer;
    return "$answer->{status} $answer->{json}{payload}{text} "
        . main::claim_of('acme/conv/x:-:1');
}
--- response_body chomp
200 a 



=== TEST 4: many come, leave and wait: each message is handed out once
--- response_body_filters eval
sub {
    my (%seen, @waiting);
    for my $round (1 .. 30) {
        my @polls = map { main::poll('acme') } 1 .. 6;
        main::say('acme', "x:-:$round.$_", "$round.$_") for 1 .. 3;
        $_->close for @polls[0 .. 2];
        push @waiting, @polls[3 .. 5];
    }
    main::until_true(sub {
        main::queue()->depth->{outside} == 0 && main::redis()->xlen(
            main::queue()->key('inbox')) == 0 });
    my $given = 0;
    for (@waiting) {
        my $j = $_->answered ? $_->answer->{json} : undef;
        next if !$j;
        $given++;
        $seen{ $_->{payload}{text} }++ for @{ $j->{jobs} };
        main::order('acme', $j->{job_id}, 'complete',
            { token => $j->{token} })->{status} == 200 or return 'stale';
    }
    my $left = 0;
    while ((my $j = main::poll('acme', '/queue/next-job?wait=0')->answer)
        ->{status} == 200)
    {
        $left++;
        $seen{ $_->{payload}{text} }++ for @{ $j->{json}{jobs} };
    }
    my $twice = grep { $_ > 1 } values %seen;
    return keys(%seen) + main::queue()->depth->{leased} >= 90
        ? "all, $twice twice" : keys(%seen) . " of 90, $twice twice";
}
--- response_body chomp
all, 0 twice
--- timeout: 60



=== TEST 5: reload: polls end at once, and the old process leaves
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my @polls = map { main::poll($_) } ('acme') x 5, ('other') x 5;
    main::settled();
    kill 'HUP', main::master();
    my %n;
    for (@polls) {
        my $answer = $_->answer;
        $n{ $answer->{status} . ($answer->{ms} < 9000 ? '' : ' late') }++;
    }
    my $left = main::left($old, 9) ? 'left' : 'stayed';
    main::say('acme', 'x:-:1', 'a');
    return CORE::join(', ', map { "$n{$_} x $_" } keys %n) . ", $left, "
        . main::poll('acme')->answer->{status};
}
--- response_body chomp
10 x 204, left, 200
--- no_error_log
[alert]
[error]



=== TEST 6: a process quits alone
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my @polls = map { main::poll('acme') } 1 .. 3;
    main::settled();
    kill 'QUIT', $old;
    my $statuses = CORE::join ' ', map { $_->answer->{status} } @polls;
    return "$statuses " . (main::left($old, 9) ? 'left' : 'stayed');
}
--- response_body chomp
204 204 204 left
--- no_error_log
[alert]
[error]



=== TEST 7: a process quits while Redis is away
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my $poll = main::poll('acme');
    main::settled();
    main::redis()->config(SET => 'maxclients', 1);
    main::redis()->client(KILL => TYPE => 'normal', SKIPME => 'yes');
    main::until_true(sub { main::logged(qr/bell\) is away/) });
    kill 'QUIT', $old;
    my $answer = $poll->answer;
    main::redis()->config(SET => 'maxclients', 10000);
    return "$answer->{status} " . (main::left($old, 9) ? 'left' : 'stayed');
}
--- response_body chomp
204 left
--- no_error_log
[alert]



=== TEST 8: a process quits while a turn is being taken: nothing is lost
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=9s;
    setter_tenants any;
--- response_body_filters eval
sub {
    main::say('acme', 'x:-:1', 'a');
    my ($old) = main::workers_of(main::master());
    main::stopped();
    my $poll = main::poll('acme');
    main::until_true(sub { main::logged(qr/setter poll/) });
    kill 'QUIT', $old;
    my $answer = $poll->answer;
    main::continued();
    my $left = main::left($old, 9) ? 'left' : 'stayed';
    my $again = main::poll('acme')->answer;
    return "$answer->{status} $left $again->{json}{payload}{text} "
        . main::claim_of('acme/conv/x:-:1')
        . ($again->{ms} < 4500 ? '' : ', late');
}
--- response_body chomp
204 left a reason=the caller had left
--- no_error_log
[alert]



=== TEST 9: worker_shutdown_timeout finds nothing to cut
--- main_config
    worker_shutdown_timeout 5s;
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my $poll = main::poll('acme');
    main::settled();
    kill 'HUP', main::master();
    return $poll->answer->{status} . ' '
        . (main::left($old, 4) ? 'left' : 'stayed');
}
--- response_body chomp
204 left
--- no_error_log
[alert]



=== TEST 10: a poll that comes to a process that leaves
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => main::server_port_for_client()) or die;
    print $slow "GET /queue/next-job?wait=20 HTTP/1.1\r\nHost: localhost\r\n";
    main::until_true(sub { main::logged(qr/http process request header/) });
    kill 'QUIT', $old;
    main::until_true(sub { main::logged(qr/gracefully shutting down/) });
    print $slow "$main::acme\r\nConnection: close\r\n\r\n";
    my $answer = do { local $/; <$slow> };
    return ($answer =~ /^HTTP\/1\.1 (\d+)/)[0] . ' '
        . (main::left($old, 9) ? 'left' : 'stayed');
}
--- response_body chomp
204 left
--- no_error_log
[alert]



=== TEST 11: the bell is cut: polls wait on, and are told by the new one
--- response_body_filters eval
sub {
    my $poll = main::poll('acme');
    main::settled();
    my ($bell) = map { /^id=(\d+)/ } grep { /cmd=xread/ }
        split /\n/, main::redis()->client('LIST');
    main::redis()->client(KILL => ID => $bell);
    main::until_true(sub { main::logged(qr/bell\) is away/) });
    main::say('acme', 'x:-:1', 'a');
    my $answer = $poll->answer;
    return "$answer->{status} $answer->{json}{payload}{text}"
        . ($answer->{ms} < 4500 ? '' : ", late: $answer->{ms} ms");
}
--- response_body chomp
200 a
--- error_log
(bell) is away: connection closed by Redis



=== TEST 12: Redis goes while polls wait, and comes back
--- response_body_filters eval
sub {
    my @polls = map { main::poll('acme') } 1 .. 3;
    main::settled();
    $Setter::Suite::server->stop('KILL');
    my %n = map { $_->answer->{status} => 1 } @polls;
    my $now = main::poll('acme')->answer;
    $Setter::Suite::server->run;
    Setter::Polls::outside_tenants('acme');
    main::say('acme', 'x:-:1', 'a');
    my $again = main::until_true(sub {
        my $answer = main::poll('acme')->answer;
        $answer->{status} == 200 && $answer });
    return CORE::join(' ', keys %n) . ", $now->{status} "
        . ($now->{head} =~ /\r\nRetry-After: \d/ ? 'retry' : 'no word') . ", "
        . $again->{json}{payload}{text};
}
--- response_body chomp
503, 503 retry, a
--- timeout: 40



=== TEST 13: over HTTP/2: a poll is told, its caller's leaving is noticed
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    server {
        listen 127.0.0.1:$TEST_NGINX_HTTP2_PORT http2;
        setter_verify key;
        location = /next { setter_api next_job; }
    }
--- response_body_filters eval
sub {
    my @curl = ('curl', '-s', '--http2-prior-knowledge', '-H', $main::acme,
        '-w', ' %{http_code} %{http_version}', '--max-time');
    my $url = "http://127.0.0.1:$ENV{TEST_NGINX_HTTP2_PORT}/next?wait=20";
    my ($out, $late);
    IPC::Run::run([@curl, '0.5', $url], \undef, \$late);
    my $noticed = main::until_true(sub { main::logged(qr/ 499 /, 'access') });
    my $poll = IPC::Run::start([@curl, '15', $url], \undef, \$out);
    main::settled();
    main::say('acme', 'x:-:1', 'a');
    $poll->finish;
    return "$noticed, " . ($out =~ /"text":"a".* 200 2$/ ? 'told' : $out);
}
--- response_body chomp
1, told
