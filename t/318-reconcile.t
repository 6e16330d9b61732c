#!/usr/bin/perl

# What Redis lost: jobs that are on record and unfinished go through the queue
# again, in the order received, and are answered once; settings and holds are
# told again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS ();
use Setter::Turns;
use Test::More;

my $json = JSON::XS->new->canonical;
my $hour_ago = int(time) - 3600;
my $never = 86400000;       # the timer, where it is not to help

start();
$postgres->sql('owner', "INSERT INTO tenants (slug) VALUES ('acme')");

# A message that is on record as unfinished, and not in Redis; its id.
sub unfinished {
    my ($lane, $text, $second, %row) = @_;
    my $id = $row{id} // uuid();
    my ($tenant) = $lane =~ m{^([^/]+)};
    my $status = $row{status} // 'queued';
    my $payload = $json->encode({
        id => $row{name} // $id, kind => 'message', tenant => $tenant,
        lane => $lane, from => ($lane =~ /(\d+)$/)[0], text => $text,
        provider => 'manychat', type => 'text' });

    $postgres->as_tenant($tenant, "INSERT INTO jobs (tenant, id, kind, lane,
        status, payload, received_at) VALUES ('$tenant', '$id', 'message',
        '$lane', '$status', '$payload', to_timestamp($hour_ago + $second))");
    return $id;
}

sub brought {
    my ($worker) = @_;
    my $n = 0;

    $n += $_->{jobs} for grep { $_->{msg} =~ /had lost/ } $worker->lines;
    return $n;
}

# Redis as if it had just been installed, and the keys of workers' loss gone.
sub redis_anew {
    $server->stop('KILL');
    unlink glob "$server->{dir}/appendonlydir/*";
    $server->run;
    redis_again();
}


subtest 'Redis forgets all while a worker is at it' => sub {
    fresh({ manychat => { status => { 401 => 1 } } });
    my $worker = worker(SETTER_RECONCILE_MS => 1000);
    my ($waiting, $thinking) = (lane(), lane());
    my $composed = message($waiting, 'one');
    wait_job($composed, 'queued');

    fresh({ chat => { latency_ms => 2500 } });
    my $in_hand = message($thinking, 'two');
    wait_asking();
    $redis->flushall;

    wait_job($_, 'done', 20) for $composed, $in_hand;
    wait_idle($_) for $waiting, $thinking;
    is_deeply(texts($waiting), ['one'], 'what waited is answered, once');
    is_deeply(texts($thinking), ['two'], 'so is what was in hand');
    is((reply($composed))[0], 'sent', 'with the reply that was there');
    cmp_ok(brought($worker), '>=', 2, 'the log tells how many there were');
};

subtest 'Redis comes back without its data' => sub {
    fresh({ manychat => { status => { 401 => 1 } } });
    my $worker = worker(SETTER_RECONCILE_MS => $never);
    my @lanes = map { lane() } 1 .. 3;
    my @ids = map { message($lanes[$_], "text $_") } 0 .. 2;
    wait_job($_, 'queued') for @ids;
    fresh();
    redis_anew();

    wait_job($_, 'done', 20) for @ids;
    is_deeply(texts($lanes[$_]), ["text $_"], 'each is answered, once')
        for 0 .. 2;
    is(brought($worker), 3, 'at once, not on the timer');
};

subtest 'in the order received' => sub {
    fresh();
    redis_anew();
    my $lane = lane();
    my %at = (first => 1, second => 2, third => 3, last => 4);
    my @ids = map { unfinished($lane, $_, $at{$_}) }
        qw(third first last second);
    my $worker = worker(SETTER_TURN_JOBS => 1, SETTER_RECONCILE_MS => $never,
                        SETTER_MEMORY_EXCHANGES => 0);

    wait_job($_, 'done') for @ids;
    is_deeply(texts($lane), [qw(first second third last)],
              'whatever order they were recorded in');
};

subtest 'in the same moment' => sub {
    fresh();
    redis_anew();
    my $lane = lane();
    my @ids = map { unfinished($lane, $_, 1) } 'a' .. 'e';
    my $worker = worker(SETTER_TURN_JOBS => 1, SETTER_RECONCILE_MS => $never,
                        SETTER_MEMORY_EXCHANGES => 0);

    wait_job($_, 'done') for @ids;
    is_deeply(texts($lane), ['a' .. 'e'], 'in the order recorded');
};

subtest 'two workers at it, and many jobs' => sub {
    fresh();
    redis_anew();
    my @lanes = map { lane() } 1 .. 50;
    my @ids;
    for my $n (1 .. 9) {
        push @ids, map { unfinished($_, "text $n", $n) } @lanes;
    }
    my @workers = map { worker(SETTER_RECONCILE_MS => 1000) } 1, 2;

    ok(wait_for('all to be done', sub { value("SELECT count(*) FROM jobs
        WHERE status <> 'done' AND id IN ('" . join("','", @ids) . "')")
        == 0 }, 60), 'all are done');
    for my $lane (@lanes) {
        my $said = join "\n", @{ texts($lane) };
        if ($said ne join "\n", map { "text $_" } 1 .. 9) {
            fail("$lane was told: $said");
        }
    }
    is(brought($workers[0]) + brought($workers[1]), 450,
       'each was appended once');
};

subtest 'what Redis knows is left alone' => sub {
    fresh({ chat => { status => { 401 => 1 } } });
    redis_anew();
    my $lane = lane();
    my $worker = worker();
    my $id = message($lane, 'Hello');
    wait_job($id, 'queued');
    $worker->stop;

    my $next = worker(SETTER_RECONCILE_MS => 1000, SETTER_LEASE_MS => 500);
    my $sentinel = unfinished(my $other = lane(), 'Hello', 1);
    ok(wait_for('a look', sub { brought($next) }), 'a lost job is brought');
    is(brought($next), 1, 'and no other');
    is($redis->llen($queue->key("lane:$lane")), 1, 'which is there once');
    $postgres->sql('system', "DELETE FROM jobs WHERE id IN ('$id',
                              '$sentinel')");
};

subtest 'a job whose id is no UUID' => sub {
    fresh({ manychat => { status => { 401 => 1 } } });
    redis_anew();
    my $lane = lane();
    my $worker = worker(SETTER_RECONCILE_MS => $never);
    message($lane, 'Hello', id => 'order-1');
    my $id = wait_for('the job', sub { value("SELECT id FROM jobs
        WHERE payload->>'id' = 'order-1' AND status = 'queued'") });
    fresh();
    redis_anew();
    wait_job($id, 'done', 20);
    is_deeply(texts($lane), ['Hello'], 'is answered, once');
    is(value("SELECT count(*) FROM jobs WHERE lane = '$lane'"), 1,
       'and is the same job');
};

subtest 'settings and holds are told first' => sub {
    fresh();
    my ($held, $free) = (lane(), lane());
    my $worker = worker();
    is(ctl('lane', 'hold', $held), 0, 'a lane is held');
    is(ctl('tenant', 'set', 'acme', 'weight=3', 'cap=50'), 0, 'settings');
    $postgres->sql('owner', "INSERT INTO tenants (slug) VALUES ('globex')");
    is(ctl('tenant', 'hold', 'globex'), 0, 'a tenant is held');
    $worker->stop;

    redis_anew();
    my $waits = unfinished($held, 'Hello', 1);
    my $tenants = unfinished('globex/conv/manychat:-:' . ++$chat, 'Hello', 1);
    my $answered = unfinished($free, 'Hello', 2);
    my $next = worker(SETTER_RECONCILE_MS => $never);
    wait_job($answered, 'done');
    is(job($_), 'queued', 'what is held waits') for $waits, $tenants;
    my %acme = $redis->hgetall($queue->key('tenant:acme'));
    is_deeply([@acme{qw(weight cap)}], [3, 50], 'settings are as before');

    is(ctl('lane', 'release', $held), 0, 'released');
    is(ctl('tenant', 'release', 'globex'), 0, 'both');
    wait_job($_, 'done') for $waits, $tenants;
    is(ctl('tenant', 'set', 'acme', 'weight=', 'cap='), 0, 'settings back');
};

subtest 'settings are told again though the connection stays' => sub {
    my $worker = worker(SETTER_RECONCILE_MS => 1000);
    is(ctl('tenant', 'set', 'acme', 'weight=3'), 0, 'set');
    $redis->flushall;
    ok(wait_for('the weight', sub {
        ($redis->hget($queue->key('tenant:acme'), 'weight') // '') eq '3'
    }), 'on the timer');
    is(ctl('tenant', 'set', 'acme', 'weight='), 0, 'back');
    ok(!$redis->hexists($queue->key('tenant:acme'), 'weight'), 'at once');
};


# --- given up, and tried again

# As the API makes them, in one transaction.
subtest 'of a tenant that was made with settings they are told, too' => sub {
    value("INSERT INTO tenants (slug, status, cap)
        VALUES ('madeso', 'active', 7) RETURNING slug");
    my $worker = worker();
    is(wait_for('the setting', sub {
        $redis->hget($queue->key('tenant:madeso'), 'cap') }), 7,
        'the queue knows');
};

subtest 'a dead job is requeued' => sub {
    fresh({ chat => { status => { 500 => 1 } } });
    my $lane = lane();
    my %hasty = (SETTER_MAX_FAILURES => 1, SETTER_LLM_TIMEOUT_MS => 300);
    my $worker = worker(%hasty);
    my $id = message($lane, 'Hello');
    wait_for('a failure', sub { job($id) eq 'queued' });
    $redis->zadd($queue->key('due'), 0, $lane);
    $redis->xadd($queue->key('inbox'), '*', h => '', j => '');
    wait_job($id, 'dead');
    wait_idle($lane);

    fresh();
    my ($status, $said) = ctl('dead', 'requeue', $id);
    is($status, 0, 'requeued') or diag $said;
    wait_job($id, 'done');
    wait_idle($lane);
    is_deeply(texts($lane), ['Hello'], 'and answered, once');
    is(value("SELECT attempts FROM jobs WHERE id = '$id'"), 1,
       'at the first attempt');
};

subtest 'one whose reply could not be sent' => sub {
    fresh({ manychat => { status => { 500 => 1 } } });
    my $lane = lane();
    my $worker = worker(SETTER_MAX_FAILURES => 1);
    my ($one, $two) = map { message($lane, $_) } qw(one two);
    wait_for('a failure', sub { job($two) eq 'queued' });
    $redis->zadd($queue->key('due'), 0, $lane);
    $redis->xadd($queue->key('inbox'), '*', h => '', j => '');
    wait_job($_, 'dead') for $one, $two;
    is((reply($one))[0], 'failed', 'the reply has failed');

    fresh();
    my ($status, $said) = ctl('dead', 'requeue', '--tenant', 'acme');
    like($said, qr/requeued 2/, 'both are requeued');
    wait_job($_, 'done') for $one, $two;
    wait_idle($lane);
    is_deeply(texts($lane), ["one\ntwo"], 'they have another reply');
    is(value("SELECT count(*) FROM messages WHERE turn = '$one'"), 2,
       'beside the first');
};

subtest 'the command dies before Redis has it' => sub {
    fresh();
    my $lane = lane();
    my $worker = worker(SETTER_RECONCILE_MS => 1000, SETTER_LEASE_MS => 500);
    wait_job(message($lane, 'before'), 'done');
    my $id = unfinished($lane, 'Hello', 1);     # as it was left
    wait_job($id, 'done');
    is_deeply(texts($lane), ['before', "Hello"], 'a worker brings it');
};


# --- the last word on repeats

subtest 'a webhook is repeated after Redis lost its memory' => sub {
    fresh();
    my $worker = worker(SETTER_RECONCILE_MS => 1000);
    my $lane = lane();
    my $keyed = message($lane, 'by key');
    wait_job($keyed, 'done');
    my $named = message($lane, 'by name', provider_id => 'in.9');
    wait_job($named, 'done');
    wait_idle($lane);
    my $said = texts($lane);
    is(@$said, 2, 'two replies');

    redis_anew();
    message($lane, 'by key', id => $keyed);
    my $again = message($lane, 'by name', provider_id => 'in.9');
    wait_job($again, 'done');
    my $new = message($lane, 'new');
    wait_job($new, 'done');
    wait_idle($lane);
    is(@{ texts($lane) }, 3, 'only what is new is answered');
    like(reason($again), qr/repeats/, 'the repeat by name says so');
    is(value("SELECT attempts FROM jobs WHERE id = '$keyed'"), 1,
       'the repeat by key was not tried');
};

is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;
