package Setter::Turns;

# What tests of a worker's turns share: a real Redis and PostgreSQL, the
# sandbox as model and providers, messages, and waiting for what becomes of
# them.  Everything is exported.
#
#   use Setter::Turns;
#   start();
#   my $worker = worker(SETTER_LEASE_MS => 500);
#   my $id = message(my $lane = lane(), 'Hello');
#   wait_job($id, 'done');
#   is_deeply(texts($lane), ['Hello']);

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use IPC::Run ();
use JSON::XS ();
use Setter::Postgres;
use Setter::Queue;
use Setter::Redis;
use Setter::Sandbox;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($postgres $server $sandbox $redis $queue $tag $chat %env
    start redis_again worker ctl lane uuid message wait_for value job reason
    wait_job reply texts wait_idle asked fresh wait_asking);

our ($postgres, $server, $sandbox, $redis, $queue, %env);
our $tag = 'mm';        # of the only partition
our $chat = 5550100;    # the last person who wrote

my $json = JSON::XS->new->utf8->canonical;
my $setterctl = abs_path(dirname(__FILE__) . '/../../..') . '/'
    . ($ENV{SETTER_BUILD} // 'build') . '/setterctl';

sub start {
    $postgres = Setter::Postgres->start;
    $server = Setter::Redis->start(appendonly => 'yes');
    $sandbox = Setter::Sandbox->start;
    redis_again();

    %env = (
        SETTER_REDIS_URL     => $server->url,
        SETTER_DATABASE_URL  => $postgres->url('worker'),
        Setter::Sandbox::environment($sandbox->url),
        SETTER_LEASE_MS      => 1000,
        SETTER_SEND_TIMEOUT_MS => 2000,
        SETTER_LOG_LEVEL     => 'debug',
    );
}

# Connections of our own, to a Redis that was started again.
sub redis_again {
    $redis = $server->client;
    $queue = Setter::Queue->new($redis, tag => $tag);
}

sub worker { Setter::Worker->start(%env, @_) }

# Runs setterctl; its exit status, and what it wrote, errors behind the rest.
sub ctl {
    my @words = @_;
    local %ENV = (PATH => $ENV{PATH}, %env,
                  SETTER_ADMIN_DATABASE_URL => $postgres->url('owner'));
    my ($out, $err);

    IPC::Run::run([$setterctl, @words], \undef, \$out, \$err,
        IPC::Run::timeout(30));
    my $status = $? >> 8;

    return wantarray ? ($status, $out . $err) : $status;
}

# A conversation of its own for a test.
sub lane {
    $chat++;
    return 'acme/conv/manychat:-:' . $chat;
}

sub uuid {
    my $hex = join '', map { sprintf '%04x', int rand 65536 } 1 .. 8;

    return join '-', unpack 'A8 A4 A4 A4 A12', $hex;
}

# Appends a message as the module does; returns its id.  header: what is to
# stand there but not in the envelope.
sub message {
    my ($lane, $text, %more) = @_;
    my $id = delete $more{id} // uuid();
    my $header = delete $more{header} // {};
    my ($tenant) = $lane =~ m{^([^/]+)};
    my %job = (
        id => $id, kind => 'message', tenant => $tenant, lane => $lane,
        channel => 'telegram', from => ($lane =~ /(\d+)$/)[0],
        text => $text, type => 'text', provider => 'manychat',
        received_at => '2026-11-20T10:30:00.123Z',
        trace => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        data => { surface => 'instagram' }, %more,
    );
    my $envelope = delete $job{envelope} // $json->encode(\%job);

    $queue->append(id => $id, lane => $lane, kind => $job{kind},
                   envelope => $envelope, %$header);
    return $id;
}

sub wait_for {
    my ($name, $code, $seconds) = @_;
    my $limit = time + ($seconds // 10);
    my $result;

    until ($result = $code->()) {
        if (time > $limit) {
            diag "waited in vain: $name";
            last;
        }
        sleep 0.05;
    }

    return $result;
}

sub value { $postgres->value('system', @_) }

sub job { value("SELECT status FROM jobs WHERE id = '$_[0]'") // '' }

sub reason { value("SELECT reason FROM jobs WHERE id = '$_[0]'") // '' }

sub wait_job {
    my ($id, $status, $seconds) = @_;

    wait_for("$id to be $status", sub { job($id) eq $status }, $seconds);
    is(job($id), $status, "the job is $status");
}

# State and error of the reply to a turn.
sub reply {
    my ($row) = $postgres->sql('system', "SELECT state, error FROM messages
        WHERE turn = '$_[0]' AND direction = 'out' AND NOT set_aside");

    return $row ? @$row : ('');
}

sub texts {
    my ($lane) = @_;
    my ($to) = $lane =~ /(\d+)$/;

    return [map { $_->{text} } grep { $_->{to} eq $to } @{ $sandbox->sent }];
}

# The queue has nothing of the lane any more.
sub wait_idle {
    my ($lane, $seconds) = @_;

    ok(wait_for("$lane to be idle", sub {
        !$redis->exists($queue->key("lane:$lane"))
            && !$redis->exists($queue->key("claim:$lane"))
    }, $seconds), 'the queue has dropped the jobs');
}

sub asked { $sandbox->calls->{chat}{count} }

sub fresh {
    $sandbox->reset;
    $sandbox->reset_calls;
    $sandbox->behave($_[0]) if $_[0];
}

sub wait_asking {
    wait_for('the model to be asked', sub { $sandbox->calls->{chat}{open} });
}

1;
