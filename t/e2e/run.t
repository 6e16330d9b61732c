# make run as its user sees it: the walk on the terminal, and a stack that
# ends as a whole, whoever ends it and however.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

# What works in a folder: pids of processes, zombies left out.
sub processes_in {
    my ($dir) = @_;
    return grep {
        my $cwd = readlink "/proc/$_/cwd";
        defined $cwd && $cwd =~ m{^\Q$dir\E(/|\z)};
    } map { m{(\d+)} } glob '/proc/[0-9]*';
}

# Starts scripts/run as a terminal would: leader of its own process group.
sub start_in_foreground {
    my ($env, $file) = @_;
    open my $out, '>', $file or die "$file: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp;
        open STDOUT, '>&', $out;
        open STDERR, '>&', $out;
        open STDIN, '<', '/dev/null';
        %ENV = %$env;
        exec Setter::Stack::root() . '/scripts/run' or die "exec: $!";
    }
    return $pid;
}

sub wait_for_text {
    my ($file, $text) = @_;
    my $until = time + 60;
    while (time < $until) {
        my $written = slurp($file);
        return $written if $written =~ $text;
        sleep 0.05;
    }
    die "no $text in:\n" . slurp($file);
}

sub slurp { return Setter::Stack::slurp(@_) }

# What a command is started through, to be that user's.
sub become {
    my ($uid, $gid) = (getpwnam $_[0])[2, 3];
    return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups');
}

sub run  { return Setter::Stack::script($_[0], 'run') }
sub stop { return Setter::Stack::script($_[0], 'stop') }

subtest 'in the foreground' => sub {
    my $env = Setter::Stack::environment();
    my $dir = Setter::Stack->attach($env)->dir;
    my $file = Setter::Stack::folder() . '/output';
    my $pid = start_in_foreground($env, $file);
    my $output = wait_for_text($file, qr/Ctrl-C/);

    my $id = qr/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
    like $output, qr/tenant.*valid.*appended.*$id.*claimed.*recorded.*asked
                     .*composed.*sent/sx, 'the walk is shown in order'
        or diag $output;
    my ($text) = $output =~ /Instagram: (.+)/;
    like $output, qr/sent.*\Q$text\E/s, 'and ends with the reply\'s text';
    my @seconds = $output =~ /^\s+(\d+\.\d{3}) s /mg;
    cmp_ok scalar(@seconds), '>=', 7, 'each step has its time';
    is_deeply \@seconds, [ sort { $a <=> $b } @seconds ], 'growing';

    my @curls = grep { /sandbox|webhook/ } $output =~ /^\s*(curl .*)$/mg;
    is scalar(@curls), 3, 'three lines to try';
    for my $curl (@curls) {
        like `$curl -sS 2>&1`, qr/"SUCCESS"|"provider"/, $curl;
    }

    is sprintf('%o', (stat "$dir/env")[2] & 07777), '600', 'env is private';
    my ($status, $again) = run($env);
    is $status, 1, 'a second one does not start';
    like $again, qr/already running/, 'and says why';

    kill -INT => $pid;
    waitpid $pid, 0;
    is $?, 0, 'Ctrl-C ends it with exit 0';
    is_deeply [ processes_in($dir) ], [], 'and leaves nothing running';
};

subtest 'detached, and ended from elsewhere' => sub {
    my $stack = Setter::Stack->new;
    my $dir = $stack->dir;
    my $id = $stack->say('Remember', chat_id => '5001')->{json}{id};
    $stack->wait_sent_to('5001', 1);
    $stack->wait_state($id, 'sent');

    like $stack->stop, qr/^stopped$/m, 'stopped';
    is_deeply [ processes_in($dir) ], [], 'nothing runs';
    my ($status, $output) = stop($stack->{env});
    is $status, 0, 'a second stop is no error';
    like $output, qr/nothing runs/, 'and says so';

    is((run($stack->{env}))[0], 0, 'it starts again');
    is $stack->job_status($id), 'done', 'with its data';

    kill KILL => $stack->pid('run');
    sleep 0.05 while kill 0, $stack->pid('run');
    ok scalar(processes_in($dir)), 'a killed supervisor leaves services';
    like((run($stack->{env}))[1], qr/an earlier run left/,
        'the next run ends them first');
    $stack->say('Still there?', chat_id => '5001');
    $stack->wait_sent_to('5001', 1);

    kill KILL => $stack->pid('run');
    is((stop($stack->{env}))[0], 0, 'and so does stop');
    is_deeply [ processes_in($dir) ], [], 'nothing runs';
};

subtest 'its state is removed while it runs' => sub {
    my $stack = Setter::Stack->new(SETTER_WORKERS => 2);
    my @pids = map { $stack->pid($_) }
        qw(run nginx redis postgres sandbox worker.1 worker.2);
    is scalar(grep { kill 0, $_ } @pids), 7, 'all of it runs';
    Setter::Stack::remove_tree($stack->dir);
    $stack->wait_for('it to end by itself', 10,
        sub { !grep { kill 0, $_ } @pids });
    pass 'it ends by itself';
};

subtest 'what dies is started again' => sub {
    my $stack = Setter::Stack->new(SETTER_WORKERS => 2);
    is_deeply [ sort grep { slurp("/proc/$_/cmdline") =~ /setter-worker/ }
        processes_in($stack->dir) ], [ sort $stack->worker_pids ],
        'workers are known by their command line';
    for my $service (qw(worker.1 worker.2 nginx redis postgres sandbox)) {
        my $begun = time;
        my $pid = $stack->signal('KILL', $service);
        $stack->wait_restart($service, $pid);
        cmp_ok time - $begun, '<', 1, "$service, within a second";
    }
    is $stack->env('NGINX_PID'), $stack->pid('nginx'), 'env is kept right';
    $stack->wait_for('all of it to work', 20, sub {
        eval { $stack->sent; 1 } && ($stack->say('Up?', chat_id => '5002')
            ->{json}{status} // '') eq 'SUCCESS';
    });
    $stack->wait_sent_to('5002', 1);
    pass 'and answers again';
};

subtest 'a worker that dies as soon as it runs' => sub {
    my $stack = Setter::Stack->new;
    my $program = $stack->dir . '/bin/setter-worker';
    unlink $program;
    open my $out, '>', $program or die "$program: $!";
    print $out "#!/bin/sh\necho 'I am broken' >&2\nexit 2\n";
    close $out;
    chmod 0755, $program;
    $stack->signal('KILL', 'worker.1');
    $stack->wait_for('it to be started ever later', 10, sub {
        $stack->log_of('run') =~ /ended\ with\ status\ 2\ as\ soon\ as\ it\ ran:\ next
            \ try\ in\ 2\ s,\ its\ last\ words:\ I\ am\ broken/x;
    });
    pass 'is started ever later, and its last words shown';
};

subtest 'a worker that is set up wrongly' => sub {
    my $env = Setter::Stack::environment(SETTER_LEASE_MS => 'soon');
    my ($status, $output) = run({ %$env, DETACH => 1 });
    is $status, 1, 'it is not ready';
    like $output, qr/SETTER_LEASE_MS/, 'and says what is wrong';
    is_deeply [ processes_in($env->{RUN_DIR}) ], [], 'nothing is left';
};

subtest 'a number that is none is named' => sub {
    for my $wrong ([ SETTER_PORT => 'abc' ], [ SANDBOX_PORT => 65536 ],
                   [ SETTER_WORKERS => 'two' ]) {
        my ($variable, $value) = @$wrong;
        my $env = Setter::Stack::environment($variable => $value);
        my ($status, $output) = run({ %$env, DETACH => 1 });
        is $status, 1, "$variable=$value";
        like $output, qr/\Q$variable is not a number\E.*: $value$/m, 'is named';
    }
};

subtest 'a port in use is named' => sub {
    for my $variable (qw(SETTER_PORT SANDBOX_PORT)) {
        my $other = IO::Socket::INET->new(Listen => 1,
            LocalAddr => '127.0.0.1');
        my $env = Setter::Stack::environment($variable => $other->sockport);
        my ($status, $output) = run({ %$env, DETACH => 1 });
        is $status, 1, "$variable in use";
        like $output, qr/$variable/, 'is said';
    }
};

subtest 'strangers stay outside' => sub {
    plan skip_all => 'needs root, to become a stranger' if $>;
    my $stack = Setter::Stack->new(SETTER_WORKERS => 0);
    my $dir = $stack->dir;
    my @nobody = become('nobody');
    for my $try ([ 'redis-cli', '-s', "$dir/redis/redis.sock", 'ping' ],
                 [ 'cat', "$dir/env" ], [ 'cat', "$dir/secrets" ],
                 [ 'cat', "$dir/log/nginx.log" ],
                 [ 'psql', '-h', "$dir/postgres", '-U', 'postgres' ]) {
        isnt system("@nobody @$try > $dir/log/stranger.log 2>&1"), 0,
            "@$try";
    }
    my @www = become('www-data');
    is system("@www redis-cli -s $dir/redis/redis.sock ping"
        . " > $dir/log/stranger.log"), 0, 'nginx\'s workers come in';
    for my $user (qw(postgres www-data)) {
        my @user = become($user);
        for my $role (qw(postgres setter_owner setter_worker)) {
            isnt system("@user psql -wh $dir/postgres -U $role setter -c ''"
                . " > $dir/log/stranger.log 2>&1"), 0,
                "$user as $role, without a password";
        }
    }
};

subtest 'in a private home' => sub {
    plan skip_all => 'needs root' if $>;
    my $home = Setter::Stack::folder();
    chmod 0700, $home;
    my $stack = Setter::Stack->new(RUN_DIR => "$home/run");
    my $state = readlink "$home/run";
    like $state, qr{^/var/lib/setter-run/\w+\z}, 'the state lies outside';
    $stack->say('Hello', chat_id => '5003');
    $stack->wait_sent_to('5003', 1);
    pass 'and all of it works';
    $stack->stop;
    Setter::Stack::remove_tree($state);
};

subtest 'as an ordinary user' => sub {
    plan skip_all => 'needs root, to become another' if $>;
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    my $root = Setter::Stack::root();
    local @Setter::Stack::become = become('nobody');
    plan skip_all => 'the checkout is private'
        if system(@Setter::Stack::become, 'test', '-r', "$root/Makefile");
    my $home = Setter::Stack::folder();
    chown $uid, $gid, $home;
    chmod 0700, $home;

    my $stack = Setter::Stack->new(RUN_DIR => "$home/run", HOME => $home);
    my ($process) = processes_in("$home/run/postgres");
    is((stat "/proc/$process")[4], $uid, 'all runs as that user');
    $stack->say('Hello', chat_id => '5004');
    $stack->wait_sent_to('5004', 1);
    pass 'and works';
    $stack->stop;
    is_deeply [ processes_in("$home/run") ], [], 'nothing is left';
};

done_testing;
