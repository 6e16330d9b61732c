#!/usr/bin/perl

# setterctl scale: workers come when there is something to do, and go when
# there is not.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IPC::Run ();
use JSON::XS ();
use POSIX ();
use Setter::Postgres;
use Setter::Queue;
use Setter::Redis;
use Setter::Sandbox;
use Test::More;
use Time::HiRes qw(sleep time);

my $program = "$Bin/../" . ($ENV{SETTER_BUILD} // 'build') . '/setterctl';
my $json = JSON::XS->new->utf8->canonical;
my $postgres = Setter::Postgres->start;
my $server = Setter::Redis->start(appendonly => 'yes');
my $sandbox = Setter::Sandbox->start;
my $redis = $server->client;
my $queue = Setter::Queue->new($redis, tag => 'mm');
my $number = 0;

my %env = (
    PATH                => $ENV{PATH},
    SETTER_REDIS_URL    => $server->url,
    SETTER_DATABASE_URL => $postgres->url('worker'),
    OPENAI_BASE_URL     => $sandbox->url . '/v1',
    OPENAI_API_KEY      => 'sandbox',
    MANYCHAT_BASE_URL   => $sandbox->url,
    MANYCHAT_API_KEY    => '1:sandbox',
);
$env{$_} = $ENV{$_} for grep { /^[AU]BSAN_OPTIONS$|^ASAN/ } keys %ENV;

# A supervisor; it ends when the object goes.
package Supervisor {
    sub start {
        my ($class, @words) = @_;
        my $self = bless { out => '', err => '' }, $class;

        local %ENV = %env;
        $self->{run} = IPC::Run::start([$program, '--json', 'scale', @words],
            \undef, \$self->{out}, \$self->{err}, IPC::Run::timeout(120));
        $self->{pid} = $self->{run}{KIDS}[0]{PID};
        return $self;
    }

    sub events {
        my ($self) = @_;

        $self->{run}->pump_nb;
        return map { $json->decode($_) } $self->{out} =~ /^(\{.*\})$/mg;
    }

    # Of this kind, of these workers.
    sub count {
        my ($self, $event) = @_;
        return scalar grep { $_->{event} eq $event } $self->events;
    }

    # Waits for the n-th event of a kind.
    sub wait {
        my ($self, $event, $n) = @_;
        my $limit = Time::HiRes::time + 30;

        while (Time::HiRes::time < $limit) {
            my @events = grep { $_->{event} eq $event } $self->events;
            return $events[($n // 1) - 1] if @events >= ($n // 1);
            Time::HiRes::sleep(0.02);
        }
        Test::More::diag("no $event: $self->{out}$self->{err}");
        return {};
    }

    # The processes that are its workers.
    sub workers {
        my ($self) = @_;

        open my $in, '<', "/proc/$self->{pid}/task/$self->{pid}/children"
            or return;
        return split ' ', <$in> // '';
    }

    # Its exit status.
    sub stop {
        my ($self, $signal) = @_;
        my $run = delete $self->{run} or return;

        kill $signal // 'TERM', $self->{pid};
        local $?;
        $run->finish;
        return $run->result(0);
    }

    sub DESTROY { $_[0]->stop }
}

# Appends a message of a conversation of its own; its text.
sub message {
    my (%header) = @_;
    my $chat = 15550100 + ++$number;
    my $lane = "acme/conv/manychat:-:$chat";
    my %job = (
        id => sprintf('00000000-0000-7000-8000-%012d', $number),
        kind => 'message', tenant => 'acme', lane => $lane, from => "$chat",
        text => "text $number", type => 'text', provider => 'manychat',
        received_at => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime),
        data => { surface => 'instagram' },
    );

    $queue->append(id => $job{id}, lane => $lane, %header,
                   envelope => $json->encode(\%job));
    return $job{text};
}

sub wait_for {
    my ($name, $code) = @_;
    my $limit = time + 30;
    my $result;

    sleep 0.02 until ($result = $code->()) || time > $limit;
    ok($result, $name);
}

# How often each of these texts reached somebody.
sub answers {
    my (@texts) = @_;
    my %sent;

    $sent{ $_->{text} }++ for @{ $sandbox->sent };
    return map { $sent{$_} // 0 } @texts;
}

sub wait_answered {
    my (@texts) = @_;

    wait_for(@texts . ' answered', sub { !grep { !$_ } answers(@texts) });
    is_deeply([answers(@texts)], [map { 1 } @texts], 'once each');
}

sub fresh {
    $redis->flushall;
    $sandbox->reset;
    $sandbox->behave($_[0]) if $_[0];
}

# Runs setterctl; status and what it said.
sub ctl {
    my ($out, $err);
    local %ENV = %env;

    IPC::Run::run([$program, @_], \undef, \$out, \$err,
        IPC::Run::timeout(30));
    return ($? >> 8, $out . $err);
}


subtest 'called wrongly' => sub {
    for ([['scale', 'now'] => qr/unexpected "now"/],
         [['scale', '--min=5', '--max=4'] => qr/--min is above --max/],
         [['scale', '--target=0'] => qr/--target is "0", expected a number/],
         [['scale', '--max=0'] => qr/--max is "0", expected a number/],
         [['scale', '--most=4'] => qr/^setterctl scale: unknown option/])
    {
        my ($words, $pattern) = @$_;
        my ($status, $text) = ctl(@$words);
        is($status, 2, "@$words");
        like($text, $pattern, 'says what is wrong');
    }

    my ($status, $text) = ctl('--redis-url=unix:/nowhere', 'scale');
    is($status, 1, 'no Redis');
    like($text, qr/Redis does not answer/, 'said');
    ($status, $text) = ctl('scale', '--help');
    is($status, 0, 'help');
    like($text, qr/--idle-ms=N.*SETTER_SCALE_IDLE_MS; default: 60000/s,
        'names the options');
};

subtest 'from nothing to one and back' => sub {
    fresh();
    my $supervisor = Supervisor->start('--idle-ms=1000');

    $supervisor->wait('ready');
    wait_for('it waits at the bell', sub {
        grep { /cmd=xread/ } $redis->client('LIST')
    });
    is($supervisor->workers, 0, 'nothing runs');

    my $from = time;
    my $text = message();
    my $event = $supervisor->wait('started');
    cmp_ok(time - $from, '<', 2, 'a message wakes it within 2 s');
    is($event->{wanted}, 1, 'one is wanted');
    is_deeply([$supervisor->workers], [$event->{pid}], 'and runs');
    like(`tr '\\0' ' ' < /proc/$event->{pid}/cmdline`,
        qr{/setter-worker $}, 'the worker beside it');
    wait_answered($text);

    is($supervisor->wait('left')->{pid}, $event->{pid}, 'then it leaves');
    is($supervisor->wait('left')->{why}, 'exit status 0', 'well');
    is($supervisor->workers, 0, 'nothing runs');

    $text = message();
    wait_answered($text);
    is($supervisor->count('started'), 2, 'the next message wakes it again');
    is($supervisor->stop, 0, 'TERM ends it');
    unlike($supervisor->{err}, qr/Sanitizer|runtime error/, 'no complaint');
};

subtest 'as many as there is work for' => sub {
    fresh({ chat => { latency_ms => 1500 } });
    my $supervisor = Supervisor->start('--max=3', '--idle-ms=500', '--',
        '--concurrency=2', '--log-level=warn');
    my @texts = map { message() } 1 .. 6;

    # a queue of 6 is work for two at 5 a worker
    wait_for('two are started', sub { $supervisor->count('started') == 2 });
    like(`tr '\\0' ' ' < /proc/@{[ ($supervisor->workers)[0] ]}/cmdline`,
        qr/ --concurrency=2 --log-level=warn $/, 'with their arguments');
    push @texts, map { message() } 1 .. 30;
    wait_for('the most are started', sub {
        $supervisor->count('started') == 3 });
    wait_answered(@texts);
    wait_for('all leave', sub { $supervisor->count('left') == 3 });
    is($supervisor->count('started'), 3, 'and no more came');
    is($supervisor->count('crashed'), 0, 'none crashed');
    is((grep { $_->{running} > 3 } $supervisor->events), 0,
        'never more than allowed');
};

subtest 'one that is needed now and then stays' => sub {
    fresh();
    my $supervisor = Supervisor->start('--idle-ms=4000');

    for (1 .. 4) {
        my $text = message();
        wait_answered($text);
        sleep 0.5;
    }
    is($supervisor->count('started'), 1, 'one for all');
    is($supervisor->count('stopping'), 0, 'without a rest');
};

subtest 'a turn in hand keeps its worker' => sub {
    fresh({ chat => { latency_ms => 3000 } });
    my $supervisor = Supervisor->start('--idle-ms=0');
    my $text = message();

    wait_for('the model is asked', sub { $sandbox->calls->{chat}{open} });
    wait_answered($text);
    is($supervisor->wait('left')->{why}, 'exit status 0', 'it left');
    is($supervisor->count('started'), 1, 'after the turn');
};

subtest 'TERM: turns in hand are finished' => sub {
    fresh({ chat => { latency_ms => 1000 } });
    my $supervisor = Supervisor->start('--min=2');
    my @texts = map { message() } 1 .. 3;

    wait_for('the model is asked', sub {
        ($sandbox->calls->{chat}{open} // 0) == 3 });
    my @pids = $supervisor->workers;
    is(@pids, 2, 'two run');
    is($supervisor->stop, 0, 'it ends well');
    is((grep { kill 0, $_ } @pids), 0, 'and its workers before it');
    is_deeply([answers(@texts)], [1, 1, 1], 'with all answered');
};

subtest 'a worker that crashes is started again' => sub {
    fresh();
    my $supervisor = Supervisor->start('--min=1');
    my $pid = $supervisor->wait('started')->{pid};

    kill 'KILL', $pid;
    my $event = $supervisor->wait('crashed');
    is($event->{pid}, $pid, 'it is told');
    is($event->{why}, 'signal 9', 'how');
    $supervisor->wait('started', 2);
    my $text = message();
    wait_answered($text);
    is($supervisor->stop('INT'), 0, 'INT ends it too');
};

subtest 'workers that cannot start' => sub {
    fresh();
    my $supervisor = Supervisor->start('--min=3', '--', '--nonsense');

    $supervisor->wait('crashed', 5);
    is($supervisor->wait('crashed')->{why}, 'exit status 2', 'it tells why');
    like($supervisor->{err}, qr/unknown option "--nonsense"/, 'as they do');
    my @started = map { $_->{time} } grep { $_->{event} eq 'started' }
        $supervisor->events;
    cmp_ok(@started, '<=', 9, 'it tries now and then');
    is($supervisor->stop, 0, 'and ends when told');
};

subtest 'Redis away' => sub {
    fresh();
    my $supervisor = Supervisor->start('--min=0', '--idle-ms=100');
    $sandbox->behave({ chat => { latency_ms => 2000 } });
    my $text = message();

    $supervisor->wait('started');
    wait_for('the model is asked', sub { $sandbox->calls->{chat}{open} });
    my ($pid) = $supervisor->workers;
    $server->stop('KILL');
    is($supervisor->wait('blind')->{why}, 'Redis does not tell', 'it tells');
    is_deeply([$supervisor->workers], [$pid], 'what runs stays');
    $server->run;
    $redis = $server->client;
    $queue = Setter::Queue->new($redis, tag => 'mm');
    $supervisor->wait('sighted');
    wait_answered($text);
    is($supervisor->wait('left')->{pid}, $pid, 'until there is no more to do');

    # and it hears the bell again
    $sandbox->reset;
    $text = message();
    wait_answered($text);
};

subtest 'a job for later, with nobody there' => sub {
    fresh();
    my $supervisor = Supervisor->start('--idle-ms=0');
    my $first = message(send_at_ms => $queue->now + 3000);

    wait_for('it is sorted', sub { $queue->depth->{later} });
    $supervisor->wait('left');
    is_deeply([answers($first)], [0], 'it waits, and no worker does');
    wait_answered($first);
    is($supervisor->count('started'), 2, 'one came for it');
};

subtest 'lines for people' => sub {
    fresh();
    my ($out, $err) = ('', '');
    local %ENV = (%env, SETTER_SCALE_MIN => 1);
    my $run = IPC::Run::start([$program, 'scale'], \undef, \$out, \$err,
        IPC::Run::timeout(60));

    $run->pump until $out =~ /started/;
    $run->signal('TERM');
    $run->finish;
    like($out, qr/\A\d\d:\d\d:\d\d  ready; 0 of 0 run, 0 queued, 0 in flight$/m,
        'one a change');
    like($out, qr/^\d\d:\d\d:\d\d  started \d+; 1 of 1 run, /m, 'with counts');
    like($out, qr/  stopped; 0 of 0 run/, 'to the end');
};

done_testing;
