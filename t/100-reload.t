# Reload and quit, with messages on their way: none is lost, none unanswered.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Load;
use Setter::Master;
use Setter::Suite qw(tls fake);
use Test::Nginx::Socket 'no_plan';

use Time::HiRes ();

# "over TLS" in a block's name: that is how nginx reaches Redis
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', 'setter_redis rediss://$TEST_NGINX_TLS'
        . ' ca=$TEST_NGINX_CERTIFICATES/ca.pem timeout=20s;'
        . ' setter_tenants any;') if $block->name =~ /over TLS/;
    $block->set_value('config', $Setter::Load::CONFIG) if !defined $block->config;
    $block->set_value('request', 'GET /metrics') if !defined $block->request;
});

our $good = '0 lost, 0 doubled, 0 disordered, 0 refused; all accepted';

master_on();
workers(2);
no_long_string();
run_tests();

__DATA__

=== TEST 1: reloads under load
--- log_level: info
--- response_body_filters eval
sub {
    main::verdict(main::under_load(3, sub {
        my $ok = 1;
        $ok &&= main::reload() for 1 .. 4;
        return $ok;
    }));
}
--- response_body eval
$::good
--- no_error_log
[alert]
[error]



=== TEST 2: workers that quit under load
--- log_level: info
--- response_body_filters eval
sub {
    main::verdict(main::under_load(3, sub {
        my $ok = 1;
        for (1 .. 4) {
            my %old = map { $_ => 1 } main::workers_of(main::master());
            my ($one) = sort keys %old;
            kill 'QUIT', $one;
            $ok &&= main::until_true(sub {
                !grep { $_ == $one } main::workers_of(main::master())
            });
        }
        return $ok;
    }));
}
--- response_body eval
$::good
--- no_error_log
[alert]



=== TEST 3: messages that wait for Redis when the reload comes
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=10s;
    setter_tenants any;
--- fake
XADD: delay 0.5
--- response_body_filters eval
sub {
    my @sent = map { main::send_message() } 1 .. 10;
    my $seen = main::until_true(sub {
        10 == grep { $_->[1] eq 'XADD' } $Setter::Suite::fake->received });
    kill 'HUP', main::master();
    my $tally = main::tally(map { main::answer($_) } @sent);
    return "$seen: $tally";
}
--- response_body eval
"1: 10 accepted"
--- no_error_log
[alert]



=== TEST 4: messages that wait for Redis when their worker quits
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=10s;
    setter_tenants any;
--- fake
XADD: delay 0.5
--- response_body_filters eval
sub {
    my @sent = map { main::send_message() } 1 .. 10;
    my $seen = main::until_true(sub {
        10 == grep { $_->[1] eq 'XADD' } $Setter::Suite::fake->received });
    kill 'QUIT', main::workers_of(main::master());
    my $tally = main::tally(map { main::answer($_) } @sent);
    return "$seen: $tally";
}
--- response_body eval
"1: 10 accepted"
--- no_error_log
[alert]



=== TEST 5: waiting for a connection when the worker is to quit
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=10s connect_timeout=10s;
    setter_tenants any;
--- fake
INFO: delay 0.5
--- response_body_filters eval
sub {
    my @sent = map { main::send_message() } 1 .. 6;
    Time::HiRes::sleep(0.1);
    kill 'QUIT', main::workers_of(main::master());
    return main::tally(map { main::answer($_) } @sent);
}
--- response_body eval
"6 accepted"
--- no_error_log
[alert]



=== TEST 6: neither an idle connection nor a lost Redis keeps a worker
--- http_config
    setter_redis $TEST_NGINX_NOWHERE backoff=2m,2m;
    setter_tenants any;
--- response_body_filters eval
sub { main::reload() && main::reload() ? 'left' : 'stayed' }
--- response_body eval
"left"
--- no_error_log
[alert]



=== TEST 7: worker_shutdown_timeout ends what Redis does not answer
--- main_config
    worker_shutdown_timeout 200ms;
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=60s;
    setter_tenants any;
--- fake
XADD: silence
--- response_body_filters eval
sub {
    my @sent = map { main::send_message() } 1 .. 4;
    my $seen = main::until_true(sub {
        2 <= grep { $_->[1] eq 'XADD' } $Setter::Suite::fake->received });
    my $left = main::reload() ? 'left' : 'stayed';
    my $bad = grep { main::answer($_) eq 'accepted' } @sent;
    return "$seen $left, $bad accepted";
}
--- response_body eval
"1 left, 0 accepted"
--- no_error_log
[alert]



=== TEST 8: a client that left does not hold a worker, its message counts
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=10s;
    setter_tenants any;
--- fake
XADD: delay 0.3
--- response_body_filters eval
sub {
    my $sent = main::send_message();
    my $seen = main::until_true(sub {
        grep { $_->[1] eq 'XADD' } $Setter::Suite::fake->received });
    close $sent;
    return "$seen " . (main::reload() ? 'left' : 'stayed');
}
--- response_body eval
"1 left"
--- no_error_log
[alert]



=== TEST 9: a worker that is killed is replaced, and works
--- response_body_filters eval
sub {
    my %old = map { $_ => 1 } main::workers_of(main::master());
    kill 'KILL', keys %old;
    my $new = main::until_true(sub {
        my @now = main::workers_of(main::master());
        return @now == 2 && !grep { $old{$_} } @now;
    });
    return "$new " . main::tally(map { main::answer(main::send_message()) }
        1 .. 6);
}
--- response_body eval
"1 6 accepted"
--- error_log
exited on signal 9



=== TEST 10: the counters outlive a reload
--- request eval
["GET /metrics", "GET /metrics"]
--- response_body_filters eval
my $n = 0;
sub {
    return 'first' if $n++ == 0
        && main::answer(main::send_message()) eq 'accepted' && main::reload();
    return $_[0] =~ /^(setter_\w*accepted\w*_total\{[^}]*\}) 1$/m ? 'kept'
        : $_[0];
}
--- response_body eval
["first", "kept"]



=== TEST 11: a reload to a configuration that fails changes nothing
--- response_body_filters eval
sub {
    my $conf = $Test::Nginx::Util::ServRoot . '/conf/nginx.conf';
    open my $in, '<', $conf or die;
    my $text = do { local $/; <$in> };
    my @old = main::workers_of(main::master());
    open my $out, '>', $conf or die;
    print $out $text =~ s/setter_webhook generic/setter_webhook none/r;
    close $out;
    kill 'HUP', main::master();
    my $log = main::server_root() . '/logs/error.log';
    my $told = main::until_true(sub {
        open my $file, '<', $log or die;
        return scalar grep { /\[emerg\].*"none"/ } <$file>;
    });
    my $same = "@old" eq CORE::join ' ', main::workers_of(main::master());
    return "$told $same " . main::answer(main::send_message());
}
--- response_body eval
"1 1 accepted"
--- error_log
[emerg]



=== TEST 12: the time a message could have taken does not keep a worker
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=5m;
    setter_tenants any;
--- response_body_filters eval
sub {
    my $answer = main::answer(main::send_message());
    return "$answer, " . (main::reload() ? 'left' : 'stayed');
}
--- response_body eval
"accepted, left"



=== TEST 13: reloads under load, over TLS
--- log_level: info
--- response_body_filters eval
sub {
    main::verdict(main::under_load(3, sub {
        my $ok = 1;
        $ok &&= main::reload() for 1 .. 4;
        return $ok;
    }));
}
--- response_body eval
$::good
--- no_error_log
[alert]
[error]



=== TEST 14: messages that wait for Redis when the reload comes, over TLS
--- response_body_filters eval
sub {
    $Setter::Suite::server->signal('STOP');
    my @sent = map { main::send_message() } 1 .. 10;
    Time::HiRes::sleep(0.1);
    kill 'HUP', main::master();
    $Setter::Suite::server->signal('CONT');
    return main::tally(map { main::answer($_) } @sent);
}
--- response_body eval
"10 accepted"
--- no_error_log
[alert]



=== TEST 15: worker_shutdown_timeout ends what is not answered, over TLS
--- main_config
    worker_shutdown_timeout 200ms;
--- response_body_filters eval
sub {
    my $first = main::answer(main::send_message());
    $Setter::Suite::server->signal('STOP');
    my @sent = map { main::send_message() } 1 .. 4;
    Time::HiRes::sleep(0.1);
    my $left = main::reload() ? 'left' : 'stayed';
    $Setter::Suite::server->signal('CONT');
    my $bad = grep { main::answer($_) eq 'accepted' } @sent;
    return "$first, $left, $bad accepted";
}
--- response_body eval
"accepted, left, 0 accepted"
--- no_error_log
[alert]



=== TEST 16: nor does a handshake of TLS that is not answered keep a worker
--- http_config
    setter_redis rediss://127.0.0.1:$TEST_NGINX_FAKE_PORT connect_timeout=2m;
    setter_tenants any;
--- fake
connect: silence
--- response_body_filters eval
sub { main::reload() && main::reload() ? 'left' : 'stayed' }
--- response_body eval
"left"
--- no_error_log
[alert]
