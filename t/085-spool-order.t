# Redis goes and comes back while people write, on several nginx workers:
# nothing that was answered for is lost, nobody's messages change places.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Setter::Disk;
use Setter::Load;
use Setter::Master;
use Test::Nginx::Socket 'no_plan';

use Time::HiRes qw(sleep);

# A Redis that keeps what it acknowledged.
our $server = $Setter::Suite::server;
$server->stop;
@{ $server->{settings} }{qw(appendonly appendfsync)} = qw(yes always);
$server->run;

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $Setter::Load::CONFIG);
    $block->set_value('request', 'GET /metrics');
    $block->set_value('timeout', '20');
    $block->set_value('http_config', <<'EOC') if !defined $block->http_config;
    setter_redis $TEST_NGINX_REDIS backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
EOC
});

sub redis { Setter::Suite::redis() }

# Redis is away for as long as the code takes.
sub without_redis {
    my ($code) = @_;
    $server->stop('KILL');
    my $result = $code->();
    $server->run;
    return $result;
}

# The nginx workers that hold the lock of the spool: one, or none.
sub replayer {
    return grep {
        grep { (readlink($_) // '') =~ m{/spool/lock\z} } glob "/proc/$_/fd/*"
    } workers_of(master());
}

sub spooled { return metric('setter_spool_written_total') > 0 }

our $good = '0 lost, 0 doubled, 0 disordered, 0 refused; all accepted';

master_on();
workers(3);
no_long_string();
run_tests();

__DATA__

=== TEST 1: Redis is killed and comes back, three times
--- log_level: info
--- response_body_filters eval
sub {
    main::verdict(main::under_load(8, sub {
        for (1 .. 3) {
            main::without_redis(sub { Time::HiRes::sleep(0.3) });
            main::drained() or return 0;
            Time::HiRes::sleep(0.2);
        }
        return main::spooled();
    }));
}
--- response_body eval
$::good
--- error_log
go into the spool
is drained
--- no_error_log
[alert]
[crit]



=== TEST 2: Redis hangs, then goes on: what it has after all is no second job
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=200ms backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
--- log_level: info
--- response_body_filters eval
sub {
    my $pid = $main::server->{pid};
    main::verdict(main::under_load(8, sub {
        for (1 .. 2) {
            kill 'STOP', $pid;
            Time::HiRes::sleep(0.6);
            kill 'CONT', $pid;
            main::drained() or return 0;
        }
        return main::spooled();
    }));
}
--- response_body eval
$::good
--- no_error_log
[alert]
[crit]



=== TEST 3: Redis is full, and is not any more
--- log_level: info
--- response_body_filters eval
sub {
    my $redis = main::redis();
    main::verdict(main::under_load(8, sub {
        for (1 .. 2) {
            $redis->config_set('maxmemory', 1);
            Time::HiRes::sleep(0.3);
            $redis->config_set('maxmemory', 0);
            main::drained() or return 0;
        }
        return main::spooled();
    }));
}
--- response_body eval
$::good
--- error_log
refuses: OOM
accepts again
--- no_error_log
[alert]
[crit]



=== TEST 4: it is a replica for a while
--- log_level: info
--- response_body_filters eval
sub {
    my $redis = main::redis();
    my $result = main::verdict(main::under_load(8, sub {
        # one that never syncs, so that its own data stays
        $redis->replicaof('127.0.0.1', 1);
        Time::HiRes::sleep(0.3);
        $redis->replicaof('no', 'one');
        main::drained() or return 0;
        return main::spooled();
    }));
    return $result;
}
--- response_body eval
$::good
--- no_error_log
[alert]
[crit]



=== TEST 5: a slow disk, and load that goes on: the spool is left all the same
--- log_level: info
--- response_body_filters eval
sub {
    Setter::Disk::disk('slow 40');
    my $verdict = main::verdict(main::under_load(24, sub {
        main::without_redis(sub { Time::HiRes::sleep(0.5) });
        my $written = 0;
        main::until_true(sub {
            my $last = $written;
            Time::HiRes::sleep(0.2);
            $written = main::metric('setter_spool_written_total');
            return $written == $last;
        });
    }));
    Setter::Disk::disk('');
    return $verdict;
}
--- response_body eval
$::good
--- no_error_log
[alert]
[crit]



=== TEST 6: reloads while Redis is away, and while the spool is drained
--- log_level: info
--- response_body_filters eval
sub {
    main::verdict(main::under_load(8, sub {
        my $ok = 1;
        main::without_redis(sub { $ok &&= main::reload() for 1 .. 2 });
        $ok &&= main::reload() for 1 .. 3;
        return $ok && main::drained() && main::spooled();
    }));
}
--- response_body eval
$::good
--- no_error_log
[alert]
[crit]



=== TEST 7: nginx workers are killed with jobs in their hands
--- log_level: info
--- response_body_filters eval
sub {
    my @sent = main::under_load(8, sub {
        my $ok = 1;
        main::without_redis(sub {
            for (1 .. 3) {
                my ($one) = main::workers_of(main::master());
                kill 'KILL', $one;
                $ok &&= main::until_true(sub {
                    my @now = main::workers_of(main::master());
                    return @now == 3 && !grep { $_ == $one } @now;
                });
                Time::HiRes::sleep(0.1);
            }
        });
        # those of the killed are taken over
        return $ok && main::drained();
    });
    return main::verdict(main::answered(@sent));
}
--- response_body eval
$::good
--- error_log
exited on signal 9



=== TEST 8: the process that drains is killed in the middle of it
--- log_level: info
--- response_body_filters eval
sub {
    my @sent = main::under_load(8, sub {
        main::without_redis(sub { Time::HiRes::sleep(1) });
        my $killed = 0;
        for (1 .. 3) {
            my $holder;
            main::until_true(sub {
                ($holder) = main::replayer();
                return $holder || main::metric('setter_spool_records') == 0;
            });
            $killed += kill 'KILL', $holder if $holder;
        }
        return $killed && main::drained();
    });
    return main::verdict(main::answered(@sent));
}
--- response_body eval
$::good
--- error_log
exited on signal 9
