package Setter::FaultInject;

# What is done to a running stack: one function a fault.  Each gets the run
# (Setter::Fault) and the row's arguments, returns when the fault is over,
# and leaves to the run's undo() what has to be put right even where it
# fails, or to its afterwards() what has to wait for the row's end.  Seconds
# and times of the rows are in Setter::FaultRows.

use strict;
use warnings;

use IO::Socket::UNIX;
use IPC::Run ();
use Redis;
use Setter::FaultBefore;
use Setter::FaultProxy;
use Setter::Memory;
use Setter::Worker;
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(sleep time);

use constant {
    BREAKER  => 1,          # s after which nginx knows that Redis is away
    OUTAGE   => 30,         # s to wait for a service that is started again
    BACKENDS => 300,        # more than PostgreSQL lets in at once
};


# --- workers

# One after the other, at any time of a turn.  Each lives for two seconds and
# more, so that the supervisor starts it again at once.
sub kill_workers {
    my ($run, %args) = @_;
    my $at;
    for my $n (1 .. $args{times}) {
        sleep 1.1 + rand 0.3;
        $at = kill_worker($run, 'worker.' . (1 + $n % 2));
    }
    return $at;
}

sub kill_worker {
    my ($run, $name) = @_;
    my $pid = $run->stack->signal('KILL', $name);
    my $at = time;
    $run->stack->wait_restart($name, $pid);
    return $at;
}

# Both, while the model thinks and nothing is being sent.
sub kill_asking {
    my ($run, %args) = @_;
    $run->behave(chat => { latency_ms => 1500 });
    $run->wait_calls(\&asking);
    return kill_both($run);
}

sub asking {
    my ($calls) = @_;
    return $calls->{chat}{open} && !$calls->{manychat}{open}
        && !$calls->{infobip}{open};
}

# Both, while the provider has a message and has not answered.
sub kill_sending {
    my ($run, %args) = @_;
    my $at;
    for (1 .. $args{times}) {
        $run->behave(manychat => { latency_ms => 1500 },
            infobip => { latency_ms => 1500 });
        $run->wait_calls(sub {
            $_[0]{manychat}{open} && $_[0]{infobip}{open};
        });
        $at = kill_both($run);
        sleep 2;
    }
    return $at;
}

sub kill_both {
    my ($run) = @_;
    my %pid = map { $_ => $run->stack->signal('KILL', $_) }
        qw(worker.1 worker.2);
    my $at = time;
    $run->behave;
    $run->stack->wait_restart($_, $pid{$_}) for keys %pid;
    return $at;
}

# What it holds has to be answered long before it goes on.
sub stop_worker {
    my ($run, %args) = @_;
    $run->behave(chat => { latency_ms => 1000 });
    $run->stack->wait_for('a worker to have turns in hand', 20,
        sub { $run->turns_of('worker.1') });
    $run->wait_calls(\&asking);
    my $pid = $run->stack->signal('STOP', 'worker.1');
    my $at = time;
    $run->undo(sub { kill CONT => $pid });
    $run->behave;
    sleep $args{seconds};
    return $at;
}

# Before the load begins; returns why the row cannot be run.
sub build_before {
    my ($run) = @_;
    ($run->{before}, my $what) = Setter::FaultBefore::build($run->{files});
    return $run->{before} ? undef : $what;
}

# A worker of the version before takes part, and its functions are loaded
# where Redis lost all; then one of each version is killed.
sub mix_versions {
    my ($run, %args) = @_;
    local $Setter::Worker::program = $run->{before};
    my $old = Setter::Worker->start($run->worker_environment);
    $run->redis->function('DELETE', 'setter');
    sleep $args{seconds} / 2;
    $run->stack->wait_for('the other version to take turns', 20,
        sub { scalar $old->turns });

    $old->stop('KILL');
    my $at = kill_worker($run, 'worker.1');
    $old = Setter::Worker->start($run->worker_environment);
    sleep $args{seconds} / 2;
    $run->stack->wait_for('the other version to take turns again', 20,
        sub { scalar $old->turns });
    my $status = $old->stop;
    die "the other version's worker ended with status $status\n" if $status;
    return $at;
}

# Why memory cannot be made short, or undef.
sub needs_memory { return Setter::Memory::lacks() }

# Two workers of our own take the places of the stack's; one in so many of
# their allocations fails, the libraries' too.  One that dies of it is replaced.
sub starve_workers {
    my ($run, %args) = @_;
    my $memory = Setter::Memory->new;
    my @start = ($run->worker_environment, $memory->environment);
    hold_service($run, $_) for qw(worker.1 worker.2);
    my @workers = map { Setter::Worker->start(@start) } 1 .. 2;
    $run->stack->wait_for('them to take turns', 20, sub {
        !grep { !$_->turns } @workers;
    });

    my ($until, $at, @died) = (time + $args{seconds}, time);
    $memory->fail_some('libc', $args{one_in}, $run->{seed});
    while (time < $until) {
        sleep 0.05;
        for my $worker (grep { !$_->runs } @workers) {
            push @died, "$worker->{end}: "
                . (($worker->text =~ /(.*)\n\z/)[0] // '');
            $worker = Setter::Worker->start(@start);
        }
    }
    my ($count, $failed) = $memory->stop;
    $run->say("$failed of $count allocations failed, of which "
        . @died . ' workers died', @died);

    $at = time;
    $_->stop for @workers;
    $run->stack->signal('CONT', 'run');
    $run->stack->wait_for('the workers to be back', OUTAGE, sub {
        2 == grep { $run->stack->pid($_) } qw(worker.1 worker.2);
    });
    return $at;
}


# --- nginx

sub kill_nginx {
    my ($run, %args) = @_;
    for (1 .. $args{times}) {
        my ($pid) = $run->nginx_workers;
        kill KILL => $pid or die "kill: $!\n";
        sleep 1;
    }
    return time;
}

sub reload_nginx {
    my ($run, %args) = @_;
    for (1 .. $args{times}) {
        $run->stack->signal('HUP', 'nginx');
        sleep 2;
    }
    return time;
}


# --- Redis

sub end_redis {
    my ($run, %args) = @_;
    return await_redis($run, $run->stack->signal($args{signal}, 'redis'));
}

# Nobody starts it again before the time is over.
sub take_redis_away {
    my ($run, %args) = @_;
    my $pid = hold_service($run, 'redis');
    $run->measure_from(time + BREAKER);
    sleep $args{seconds};
    return await_redis($run, $pid);
}

# What is in the spool then has been written by those that are gone.
sub kill_spooling_nginx {
    my ($run, %args) = @_;
    my $pid = hold_service($run, 'redis');
    for (1 .. $args{times}) {
        sleep 1;
        kill_nginx($run, times => 1);
        reload_nginx($run, times => 1);
    }
    return await_redis($run, $pid);
}

# A small file system in the place of the spool's folder, until the load is
# over and all that it took is in Redis.
sub fill_spool {
    my ($run, %args) = @_;
    my $stack = $run->stack;
    my $folder = $run->spool;
    my ($uid, $gid) = (stat $folder)[4, 5];
    mount_tmpfs($folder, "size=$args{size},mode=0700,uid=$uid,gid=$gid")
        or die "$folder: a tmpfs cannot be mounted\n";
    $run->afterwards(sub {
        $stack->wait_for('the spool to be empty', OUTAGE, sub {
            $run->metric('setter_spool_records') == 0;
        });
        $stack->signal('HUP', 'nginx');
        system 'umount', '-l', $folder;
    });
    reload_nginx($run, times => 1);

    my $pid = hold_service($run, 'redis');
    sleep $args{seconds};
    return await_redis($run, $pid);
}

sub mount_tmpfs {
    my ($folder, $options) = @_;
    return IPC::Run::run([ 'mount', '-t', 'tmpfs', '-o', $options, 'tmpfs',
        $folder ], \undef, '>&', \my $out);
}

# Why a row cannot be run without nginx's memory of what it sent, or undef.
sub needs_spool {
    my ($run) = @_;
    return $run->spool ? undef : 'it needs setter_spool';
}

sub needs_tmpfs {
    my ($run) = @_;
    my $lacks = needs_spool($run);
    return $lacks if $lacks;
    my $folder = "$run->{files}/tmpfs";
    mkdir $folder;
    mount_tmpfs($folder, 'size=64k')
        or return 'a tmpfs cannot be mounted here';
    system 'umount', $folder;
    return undef;
}

# What it wrote in the last second is gone, as after a power cut.
sub cut_redis_log {
    my ($run, %args) = @_;
    my ($log) = reverse sort glob $run->stack->dir
        . '/redis/appendonlydir/*.incr.aof';
    my $size = -s $log;
    sleep 1;
    my $pid = hold_service($run, 'redis');
    truncate $log, $size + 7 or die "$log: $!\n";     # within a command
    return await_redis($run, $pid);
}

# Kills a service, and keeps the supervisor from starting it again until the
# row is put right or await_redis() is called.  Returns the pid it had.
sub hold_service {
    my ($run, $name) = @_;
    my $keeper = $run->stack->signal('STOP', 'run');
    $run->undo(sub { kill CONT => $keeper });
    my $pid = $run->stack->signal('KILL', $name);
    $run->stack->wait_for("$name to be gone", OUTAGE, sub {
        Setter::Fault::slurp("/proc/$pid/stat") !~ /\) [^Z]/;
    });
    return $pid;
}

sub await_redis {
    my ($run, $pid) = @_;
    $run->stack->signal('CONT', 'run');
    $run->stack->wait_for('Redis to be back', OUTAGE, sub {
        $run->stack->pid('redis') != $pid && redis_answers($run);
    });
    return time;
}

sub redis_answers {
    my ($run) = @_;
    return eval { $run->redis->ping };
}

# Everyone is led over a proxy, which then stops.  After that either all
# bytes move again, or only those of new connections.
sub stop_redis_proxy {
    my ($run, %args) = @_;
    my $redis = $run->redis;
    my $proxy = Setter::FaultProxy->start($run->redis_socket);
    $run->undo(sub { $proxy->end });
    $redis->client_kill('TYPE', 'normal', 'SKIPME', 'yes');
    sleep 2;

    kill STOP => $proxy->pid;
    sleep $args{seconds};
    if ($args{silent}) {
        $proxy->renew;
    } else {
        kill CONT => $proxy->pid;
    }
    my $at = time;
    sleep $args{silent} ? $args{silent} : 1;
    return $at;
}

sub fill_redis {
    my ($run, %args) = @_;
    my $redis = $run->redis;
    $run->undo(sub { $run->redis->config_set('maxmemory', 0) });
    $redis->config_set('maxmemory', 1);
    sleep $args{seconds};
    $redis->config_set('maxmemory', 0);
    return time;
}


# --- PostgreSQL

sub end_postgres {
    my ($run, %args) = @_;
    my $pid = $run->stack->signal($args{signal}, 'postgres');
    $run->stack->wait_for('PostgreSQL to be back', OUTAGE, sub {
        $run->stack->pid('postgres') != $pid
            && eval { $run->stack->psql('SELECT 1') };
    });
    return time;
}

# As a full disk makes an administrator do it.
sub forbid_writes {
    my ($run, %args) = @_;
    my $file = $run->stack->dir . '/postgres/data/postgresql.conf';
    my $was = -s $file;
    my $end = sub {
        truncate $file, $was or die "$file: $!\n";
        $run->stack->signal('HUP', 'postgres');
    };
    $run->undo($end);

    open my $out, '>>', $file or die "$file: $!\n";
    print $out "\ndefault_transaction_read_only = on\n";
    close $out or die "$file: $!\n";
    $run->stack->signal('HUP', 'postgres');
    sleep $args{seconds};
    $end->();
    return time;
}

# Strangers take all places, and the workers lose theirs.
sub take_connections {
    my ($run, %args) = @_;
    my $path = $run->stack->dir . '/postgres/.s.PGSQL.5432';
    my @taken = map {
        IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path)
    } 1 .. BACKENDS;
    $run->undo(sub { @taken = () });

    kill TERM => $run->worker_backends;
    sleep $args{seconds};
    @taken = ();
    $run->stack->wait_for('PostgreSQL to let in', OUTAGE,
        sub { eval { $run->stack->psql('SELECT 1') } });
    return time;
}


# --- the model and the providers

sub misbehave {
    my ($run, %args) = @_;
    $run->behave(map { $_ => $args{fault} } @{ $args{endpoints} });
    sleep $args{seconds};
    $run->behave;
    return time;
}

# Nothing more than the load.
sub watch {
    my ($run, %args) = @_;
    sleep $args{seconds};
    return time;
}

1;
