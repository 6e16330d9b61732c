#!/usr/bin/perl

# The queue's functions one by one, on a real Redis: what each promises, and
# what tries to break it.  306 to 309 go on with settings, outside workers,
# shares and jobs that come again; the model test tries everything at once.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use List::Util qw(min);
use Test::More;
use Time::HiRes qw(sleep time);

use Setter::Lanes;
use Setter::Redis;


test 'a burst is one turn, in the order it came' => sub {
    append(id => $_) for 1 .. 5;
    my $claim = $queue->claim;

    is(@{ $claim->{turns} }, 1, 'one turn');
    my $turn = $claim->{turns}[0];
    is_deeply(ids($turn), [1 .. 5], 'with all five, in order');
    is($turn->{jobs}[2]{envelope}, '{3}', 'and their envelopes');
    is($turn->{lane}, 'acme/conv/a', 'of the lane');
    is($redis->xlen($queue->key('inbox')), 0, 'the inbox is empty');

    append(id => 6);
    is_deeply(claim(), [], 'its lane is not given to another meanwhile');
    is($queue->complete($turn), 1, 'complete');
    is_deeply(ids(claim()->[0]), [6], 'then the next turn has the rest');
};

test 'a turn has one kind, and bounds' => sub {
    append(id => 1, envelope => 'x' x 250);
    append(id => 2, envelope => 'x' x 250);
    append(id => $_) for 3 .. 5;
    append(id => 6, kind => 'status');

    for my $want ([1], [2, 3, 4], [5], [6]) {
        my ($turn) = @{ claim() };
        is_deeply(ids($turn), $want, "a turn of @$want");
        $queue->complete($turn);
    }
}, turn_bytes => 500, turn_jobs => 3;

test 'a repeated id is dropped, before and after its turn' => sub {
    append(id => 'a', envelope => 'first');
    append(id => 'a', envelope => 'second');
    my ($turn) = @{ claim() };
    is_deeply([map { $_->{envelope} } @{ $turn->{jobs} }], ['first'],
        'the first counts');
    append(id => 'a');
    $queue->complete($turn);
    append(id => 'a');
    is_deeply(claim(), [], 'no turn for the repeats');
    cmp_ok($redis->pttl($queue->key('seen:a')), '>', 3_590_000,
        'remembered for an hour');
};

test 'what cannot be read is set aside and stops nothing' => sub {
    my @bad = ('x', "2\ta\tacme\tm\tacme/l\t1\t0\t0\t0",
        "1\ta\tacme\tm\tother/l\t1\t0\t0\t0",
        "1\ta\tAcme\tm\tAcme/l\t1\t0\t0\t0",
        "1\ta\tacme\tm\tacme/l\t1\t0\t0",
        "1\ta\tacme\tm\tacme/l\t1\t0\t0\t0x",
        "1\ta\tacme\tm\tacme/l\t1\t0\t0\t0\n",
        "1\t\tacme\tm\tacme/l\t1\t0\t0\t0",
        "1\ta\tacme\tm\tacme/l\t1\t0\t0\t-1",
        "1\ta\tacme\tm\tacme/l\t1\t0\t0\t" . '9' x 400,
        "1\ta\t" . 'a' x 64 . "\tm\t" . 'a' x 64 . "/l\t1\t0\t0\t0",
        "\0\xff%d%s");

    $redis->xadd($queue->key('inbox'), '*', h => $_, j => '{}') for @bad;
    $redis->xadd($queue->key('inbox'), '*', other => 'x');
    $redis->xadd($queue->key('inbox'), '*', h => $queue->header(id => 'b',
        tenant => 'acme', lane => 'acme/l'), j => '');
    $redis->xadd($queue->key('inbox'), '*', j => '{c}', more => 1,
        h => $queue->header(id => 'c', tenant => 'acme', lane => 'acme/l')
            . "\tnew\tfields");
    my $claim = $queue->claim;

    is($claim->{rejected}, @bad + 2, 'each is counted');
    is_deeply(ids($claim->{turns}[0]), ['c'],
        'fields in another order, and more of them, are no reason');
    my %first = @{ $redis->xrange($queue->key('rejects'), '-', '+')->[0][1] };
    is_deeply(\%first, { h => 'x', j => '{}' }, 'kept as it came');

    $redis->xadd($queue->key('inbox'), '*', h => 'x', j => $_) for 1 .. 150;
    $queue->claim for 1 .. 2;
    is($redis->xlen($queue->key('rejects')), 100, 'only the last are kept');
    is($queue->depth->{rejected}, @bad + 152, 'all are counted');
};

test 'a window ends when it was quiet, and no later than its limit' => sub {
    my %debounce = (debounce_ms => 60000, debounce_max_ms => 90000);
    my ($first) = append(id => 1, %debounce) =~ /^(\d+)/;

    is_deeply(claim(), [], 'no turn yet');
    is(due(), $first + 60000, 'counted from the append');
    wait_until($first + 5);
    my ($second) = append(id => 2, %debounce) =~ /^(\d+)/;
    claim();
    is(due(), $second + 60000, 'moved by the second message');

    append(id => 3, %debounce, debounce_ms => 99000);
    claim();
    is(due(), $first + 90000, 'not past the limit');
    append(id => 4, debounce_ms => 1);
    claim();
    is(due(), $first + 90000, 'and not back');
    append(id => 5);
    claim();
    is(due(), $first + 90000, 'nor by a job without a window');

    append(id => 6, lane => 'acme/conv/b', debounce_ms => 300);
    is_deeply(claim(), [], 'the other lane waits');
    wait_until(due('acme/conv/b'));
    is_deeply(lanes(claim()), ['b'], 'until its time, not until the first');
    now_due(due => 'acme/conv/a');
    is_deeply(ids(claim()->[0]), [1 .. 5], 'then all is one turn');
};

test 'messages sorted late fall into the windows of their own time' => sub {
    my $now = $queue->now;
    append(id => 1, debounce_ms => 40, entry => ($now - 200) . '-1');
    append(id => 2, debounce_ms => 60000, entry => ($now - 180) . '-1');
    append(id => 3, debounce_ms => 40, lane => 'acme/conv/b',
        entry => ($now - 170) . '-1');
    append(id => 4, debounce_ms => 60000, lane => 'acme/conv/b',
        entry => ($now - 120) . '-1');

    is_deeply(ids(claim()->[0]), [3, 4], 'after the end, nothing moves it');
    is(due(), $now - 180 + 60000, 'before, though nobody saw it: moved');
};

test 'a retry is not moved by messages' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    $queue->fail($turn, delay_ms => 60000);
    my $due = due();
    append(id => 2, debounce_ms => 300000);
    claim();
    is(due(), $due, 'stays');
    now_due(due => 'acme/conv/a');
    my ($again) = @{ claim() };
    is_deeply(ids($again), [1], 'the same job again, without the new one');
    is($again->{failures}, 1, 'one failure');
    is($again->{reason}, 'it failed', 'its reason');

    $queue->complete($again);
    cmp_ok(due(), '>', $due + 200000, 'the new one then waits for its window');
};

test 'complete waits for the window of what came meanwhile' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    my ($at) = append(id => 2, debounce_ms => 60000, debounce_max_ms => 90000)
        =~ /^(\d+)/;
    append(id => 3, debounce_ms => 80000);
    claim();
    $queue->complete($turn);
    cmp_ok(due(), '>=', $at + 80000, 'open, as the newest message has it');
    cmp_ok(due(), '<=', $at + 90000, 'not past the limit');

    append(id => 4, lane => 'acme/conv/b');
    ($turn) = @{ claim() };
    append(id => 5, lane => 'acme/conv/b', debounce_ms => 5);
    claim();
    wait_until($queue->now + 10);
    $queue->complete($turn);
    is_deeply(ids(claim()->[0]), [5], 'a window that has ended holds nothing');
};

test 'a stale token changes nothing' => sub {
    my $stale = sub {
        my ($turn, $when) = @_;
        my $before = $queue->scan;

        is($queue->complete($turn), 0, "complete $when");
        is($queue->fail($turn), 0, "fail $when");
        is($queue->more($turn), undef, "more $when");
        is_deeply([$queue->extend($turn)], [0], "extend $when");
        is_deeply($queue->scan, $before, 'nothing changed');
    };

    append(id => 1);
    my ($one) = @{ claim() };
    $queue->fail($one);
    $stale->($one, 'after fail');
    my ($two) = @{ claim(lease_ms => 1) };
    wait_until($queue->now + 5);
    my ($three) = @{ claim() };
    is($three->{crashes}, 1, 'the lease was lost');
    $stale->($two, 'after the lease');
    cmp_ok($three->{token}, '>', $two->{token}, 'tokens grow');
    $queue->complete($three);
    $stale->($three, 'after complete');
};

test 'tokens grow even where the clock goes back' => sub {
    my $ahead = 1e6 * (time + 86400);

    $redis->hset($queue->key('state'), token => sprintf '%.0f', $ahead);
    append(id => 1);
    append(id => 2, lane => 'acme/conv/b');
    is_deeply([map { $_->{token} } @{ claim() }],
        [map { sprintf '%.0f', $ahead + $_ } 1, 2], 'by one, all digits');
};

test 'an extended lease holds, even past its end' => sub {
    append(id => 1);
    my ($turn) = @{ claim(lease_ms => 1) };
    wait_until($queue->now + 5);
    is_deeply([$queue->extend($turn)], [1], 'still its own');
    is_deeply(claim(), [], 'nobody else gets the lane');
    is($queue->complete($turn), 1, 'completed');
};

test 'a lease is never cut short' => sub {
    append(id => 1);
    my ($turn) = @{ claim(lease_ms => 60000) };
    my $end = $redis->zscore($queue->key('leased'), $turn->{lane});
    $queue->{lease_ms} = 1000;
    is_deeply([$queue->extend($turn)], [1], 'a shorter time than it has');
    is($redis->zscore($queue->key('leased'), $turn->{lane}), $end, 'stays');
    $queue->{lease_ms} = 90000;
    $queue->extend($turn);
    cmp_ok($redis->zscore($queue->key('leased'), $turn->{lane}), '>', $end,
        'a longer one counts');
};

test 'failures: eight, then handed over as dead' => sub {
    append(id => $_) for 1, 2;
    for my $failures (0 .. 8) {
        my ($turn) = @{ claim() };
        is_deeply(ids($turn), [1, 2], 'the same jobs') if $failures < 3;
        is($turn->{failures}, $failures, "failures $failures");
        is($turn->{dead}, $failures == 8 ? 1 : 0, 'dead only at eight');
        is(length $turn->{reason}, 200, 'a reason is cut') if $failures == 4;
        append(id => 10 + $failures);
        is($queue->complete($turn), 1, 'recorded'), last if $turn->{dead};
        $queue->fail($turn, reason => 'r' x 999);
        $queue->fail(claim()->[0], counted => 0, reason => 'r' x 999)
            if $failures == 3;
    }
    my ($next) = @{ claim() };
    is_deeply([@$next{qw(failures dead reason)}, ids($next)],
        [0, 0, '', [10 .. 18]], 'the lane goes on with the rest');
};

test 'crashes: suspects run alone, at three dead' => sub {
    my $crash = sub {
        my %how = @_;
        my ($turn) = grep { $_->{lane} =~ /a$/ }
            @{ claim(lease_ms => 1, %how) };
        wait_until($queue->now + 5);
        return $turn;
    };

    append(id => 1);
    append(id => 2, lane => 'acme/conv/b');
    is($crash->(slots => 1)->{crashes}, 0, 'no crash yet');
    is($crash->(slots => 1)->{crashes}, 1, 'one: in front of the other lane');
    is_deeply(lanes(claim(suspect => 0, slots => 1)), ['b'],
        'two: not for a process that holds a suspect');
    is(rings(), 1, 'others are told');
    is($queue->depth->{suspects}, 1, 'counted');

    append(id => 3, lane => 'acme/conv/c');
    my ($turn, $other) = @{ claim() };
    is_deeply(lanes([$turn, $other]), ['a', 'c'], 'suspects come first');
    is($turn->{crashes}, 2, 'after two crashes');

    is($queue->fail($turn), 1, 'a suspect that fails');
    is_deeply(lanes(claim(suspect => 0)), [], 'is a suspect again');
    is($crash->()->{failures}, 1, 'with its failures');
    my ($last) = @{ claim() };
    is_deeply([@$last{qw(dead crashes reason)}],
        [1, 3, 'the worker was lost'], 'three: dead');
    is($queue->complete($last), 1, 'and gone');
};

test 'one suspect a claim' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
    for (1, 2) {
        claim(lease_ms => 1);
        wait_until($queue->now + 5);
    }
    claim(slots => 0);
    is($queue->depth->{suspects}, 3, 'three suspects');
    my $claim = $queue->claim;
    is(@{ $claim->{turns} }, 1, 'one is handed out');
    cmp_ok($claim->{next}, '>', 0, 'and the worker need not ask again');
};

test 'a cap leaves a tenant out until a turn ends' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 250;
    my @turns = map { @{ claim() } } 1 .. 4;
    is(@turns, 200, 'by default 200 in flight');
    is($queue->claim->{turns}[0], undef, 'no more');
    append(id => 'x', lane => 'other/conv/x');
    is_deeply(lanes(claim()), ['x'], 'others go on');

    $queue->claim;
    $queue->complete(shift @turns);
    is(rings(), 1, 'a turn that ends rings');
    my $claim = $queue->claim;
    is_deeply(lanes($claim->{turns}), [201], 'and lets one in');
    is($queue->depth('acme')->{tenants}{acme}[1], 200, 'in flight');
    $queue->fail(shift @turns, delay_ms => 60000);
    is_deeply(lanes(claim()), [202], 'a failed one, too');
};

test 'a later job joins its lane when it is due' => sub {
    my $at = $queue->now + 60000;
    append(id => 'later', send_at_ms => $at);
    my $claim = $queue->claim;
    is($claim->{next}, $at - $claim->{now}, 'next is its time');
    is($queue->depth->{later}, 1, 'counted');
    is($queue->depth->{overdue}, 0, 'and not due');
    append(id => 'now');
    my ($turn) = @{ claim() };
    is_deeply(ids($turn), ['now'], 'not yet');
    $queue->complete($turn);
    now_due(later => $redis->zrange($queue->key('later'), 0, 0));
    is($queue->depth->{overdue}, 1, 'due, and nobody has looked');
    is_deeply(ids(claim()->[0]), ['later'], 'then');
    is($queue->depth->{overdue}, 0, 'no more');

    append(id => 'past', lane => 'acme/conv/b', send_at_ms => $at - 70000);
    is_deeply(ids(claim()->[0]), ['past'], 'what is due already comes at once');
};

test 'more takes what fits the turn' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    is_deeply($queue->more($turn), [], 'nothing yet');
    append(id => $_) for 2, 3;
    append(id => 4, kind => 'status');
    append(id => 5);
    claim();
    is_deeply(ids({ jobs => $queue->more($turn) }), [2, 3], 'of its kind');
    is_deeply($queue->more($turn), [], 'once');
    is($redis->hget($queue->key('jobs'), 3), 'acme/conv/a', 'in hand');

    $queue->fail($turn);
    ($turn) = @{ claim() };
    is_deeply(ids($turn), [1, 2, 3], 'handed over together again');
    $queue->complete($turn);
    is_deeply(ids(claim()->[0]), [4], 'the rest stays');
};

test 'follow-up jobs go to the inbox' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    my %job = (id => 2, tenant => 'acme', lane => 'acme/status/2',
        kind => 'status');
    is($queue->complete($turn, $queue->header(%job), '{two}'), 1, 'complete');
    is_deeply(claim()->[0]{jobs},
        [{ id => 2, kind => 'status', envelope => '{two}' }], 'a turn later');
};

test 'next is when something becomes claimable' => sub {
    is($queue->claim->{next}, -1, 'nothing in sight');
    append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
    is($queue->claim(slots => 2, lease_ms => 4e5)->{next}, 0, 'at once');
    my $next = $queue->claim(lease_ms => 8e5)->{next};
    ok($next > 3e5 && $next <= 4e5, "first lease end: $next");
    append(id => 4, lane => 'acme/conv/4', debounce_ms => 1e5);
    $next = $queue->claim->{next};
    ok($next > 5e4 && $next <= 1e5, "first due: $next");
};

test 'a claim is bounded, and the backlog drains' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 450;
    my $claim = $queue->claim(slots => 10);
    is($redis->xlen($queue->key('inbox')), 350, 'a hundred sorted');
    is($claim->{next}, 0, 'claim again');
    like($claim->{last}, qr/^\d+-\d+$/, 'the last id seen');
    my ($claims, $last) = 0;
    $last = $queue->claim(slots => 10)->{last}
        while $redis->xlen($queue->key('inbox')) && $claims++ < 10;
    is($claims, 4, 'in four more');
    is($queue->claim(slots => 0)->{last}, '0-0', 'from an empty inbox: 0-0');
    is($queue->claim(slots => 5000)->{turns}[100], undef, '100 turns a claim');
};

test 'counters and heads of the queues' => sub {
    append(id => 1, received_ms => $queue->now - 5000);
    append(id => $_, lane => "acme/conv/$_") for 2, 3;
    append(id => 4, lane => 'other/conv/4', debounce_ms => 60000);
    append(id => 5, lane => 'other/conv/5', send_at_ms => 9e12);
    $queue->claim(slots => 1);
    $queue->fail(claim(slots => 1, lease_ms => 60000)->[0], delay_ms => 60000);
    append(id => 6, lane => 'acme/conv/6');
    my $depth = $queue->depth;
    my $oldest = delete $depth->{oldest_ms};

    is_deeply($depth, {
        inbox => 2, waiting => 3, later => 1, overdue => 0, ready => 1,
        due => 2, leased => 1, suspects => 0, rejected => 0, workers => 1,
        held => 0, outside => 0,
        tenants => { acme => [2, 1], other => [1, 0] },
    }, 'as they stand; the inbox with a doorbell');
    is_deeply($queue->depth('acme', 'none')->{tenants},
        { acme => [2, 1], none => [0, 0] }, 'of tenants asked for');
    cmp_ok($oldest, '<', 3000, 'what runs or waits for its time is not old');

    append(id => 7, lane => 'acme/conv/7', received_ms => $queue->now - 9000);
    $queue->claim(slots => 0);
    append(id => 8, lane => 'b/conv/8', received_ms => $queue->now - 3000);
    $queue->claim(slots => 0);
    ok($queue->depth->{oldest_ms} < 60000, 'the first ready lanes count');
    cmp_ok($queue->depth->{oldest_ms}, '>=', 3000, 'by what they received');

    is($redis->hget($queue->key('worker:test'), 'version'), '1.1',
        'a worker says its version');
    cmp_ok($redis->zscore($queue->key('workers'), 'test'), '>',
        $queue->now - 10000, 'and that it lives');
};

test 'a finished partition leaves only its inbox and state' => sub {
    append(id => $_, lane => "acme/conv/$_", debounce_ms => $_ % 2)
        for 1 .. 20;
    wait_until($queue->now + 5);
    is($redis->hlen($queue->key('jobs')), 0, 'no job is in hand');
    my @turns = @{ claim() };
    is($redis->hlen($queue->key('jobs')), 20, 'all jobs are');
    is($redis->hget($queue->key('jobs'), 7), 'acme/conv/7', 'with their lane');
    $queue->complete($_) for @turns;
    is_deeply([sort keys %{ $queue->scan }], [qw(inbox state)], 'clean');
};

test 'the inbox must be the key' => sub {
    eval { $redis->fcall('setter_claim', 1, 'setter:{0}:other', 1 .. 9) };
    like($@, qr/the key must be an inbox/, 'refused');
};

test 'whatever others may claim rings' => sub {
    my $wake = sub {
        my ($what, $act) = @_;
        my $best = 1e9;

        # how long until a worker that waits hears of it; the quickest of
        # five, since the machine may be busy
        for (1 .. 5) {
            my ($turn, $last) = prepare();
            pipe my $in, my $out or die;
            my $child = fork // die;
            if (!$child) {
                my $own = $server->client;
                $own->xread('BLOCK', 5000, 'STREAMS', $queue->key('inbox'),
                    $last);
                syswrite $out, sprintf "%.6f", time;
                POSIX::_exit(0);
            }
            close $out;
            my $limit = time + 10;
            until ($redis->info('clients')->{blocked_clients}) {
                die 'nobody waits' if time > $limit;
                sleep 0.002;
            }
            my $from = time;
            $act->($turn);
            $best = min($best, <$in> - $from);
            waitpid $child, 0;
        }
        cmp_ok($best, '<', 0.05, sprintf '%s: heard after %.1f ms', $what,
            $best * 1000);
    };

    $wake->('an append' => sub { append(id => 'new') });
    $wake->('fail' => sub { $queue->fail($_[0], delay_ms => 10) });
    $wake->('complete, with jobs left' => sub {
        append(id => 'new');
        claim(slots => 0);
        $queue->complete($_[0]);
    });
    $wake->('complete, at the cap' => sub { $queue->complete($_[0]) });
};

# A turn in hand of a tenant at its cap of one, with another lane ready.
sub prepare {
    $redis->flushdb;
    $queue->tenant('acme', cap => 1);
    $queue->claim;
    no_grace();
    append(id => $_, lane => "acme/conv/$_") for qw(a b);
    my $claim = $queue->claim;

    return ($claim->{turns}[0], $claim->{last});
}

test 'a full Redis can be drained' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 30;
    my ($turn) = @{ claim(slots => 1) };
    $redis->config('SET', maxmemory => 1);
    eval { append(id => 'x') };
    like($@, qr/OOM/, 'an append is refused');

    is($queue->complete($turn), 1, 'complete works');
    my @turns = @{ claim() };
    is(@turns, 29, 'claim works');
    is_deeply([$queue->extend(@turns)], [(1) x 29], 'extend works');
    is($queue->fail(shift @turns), 1, 'fail works');
    is_deeply($queue->more($turns[0]), [], 'more works');
    is($queue->depth->{leased}, 28, 'depth works');
    is($queue->hold($turns[0]{lane}), 1, 'hold works');
    is($queue->release($turns[0]{lane}), 1, 'release works');
    is($queue->tenant('acme', outside => 1), 1, 'tenant works');
    is_deeply(ids($queue->take('acme')->{turns}[0]), [2], 'take works');
    $redis->config('SET', maxmemory => 0);
};

test 'a count that is off does not keep a claim for ever' => sub {
    append(id => 'a');
    claim(slots => 0);
    $redis->del($queue->key('ready:acme'));

    local $SIG{ALRM} = sub {
        $server->stop('KILL');
        die "the claim does not end\n";
    };
    alarm 20;
    is_deeply claim(slots => 5), [], 'nothing is handed out';
    alarm 0;
    append(lane => 'acme/conv/b', id => 'b');
    is_deeply ids(claim(slots => 5)->[0]), ['b'], 'and what comes next is';
};

# For how many ms a message of these paces waits: name, interval (us), burst.
sub pace { $queue->call(pace => @_) }

test 'a pace: a burst, then one after the other' => sub {
    my @waits = map { pace(100_000, 'meta/1', 1_000_000, 3) } 1 .. 5;
    is_deeply [@waits[0 .. 2]], [0, 0, 0], 'three at once';
    ok $waits[3] > 900 && $waits[3] <= 1000, "the next in a second: $waits[3]";
    ok $waits[4] > 1900 && $waits[4] <= 2000, "and the next: $waits[4]";
    is pace(100_000, 'meta/2', 1_000_000, 3), 0, 'another is not concerned';
    my $ttl = $redis->pttl(key('pace:meta/1'));
    ok $ttl > 4000 && $ttl <= 5000, "it is kept no longer than it counts: $ttl";
};

test 'a pace: a wait that is too long does not count' => sub {
    pace(0, 'm', 1_000_000, 1);
    ok pace(100, 'm', 1_000_000, 1) > 900, 'too long' for 1 .. 5;
    my $wait = pace(1000, 'm', 1_000_000, 1);
    ok $wait > 800 && $wait <= 1000, "the first that waits: $wait";
};

test 'two paces: both count, or neither' => sub {
    my @pair = ('m/p', 6_000_000, 1);
    is pace(0, 'm', 1000, 2, @pair), 0, 'the first';
    ok pace(0, 'm', 1000, 2, @pair) > 5900, 'the longer one counts';
    is pace(0, 'm', 1000, 2, 'm/q', 6_000_000, 1), 0, 'to somebody else';
};

test 'a pace that the provider stops' => sub {
    is $queue->call(pace_stop => 'm', 0, 1, 2000), 1, 'is stopped';
    my $wait = pace(100, 'm', 0, 1);
    ok $wait > 1900 && $wait <= 2000, "for all: $wait";
    $queue->call(pace_stop => 'm', 0, 1, 500);
    ok pace(100, 'm', 0, 1) > 1800, 'a shorter stop does not end it';
    is $queue->call(pace_stop => 'n', 1_000_000, 5, 1000), 1, 'with a burst';
    $wait = pace(100, 'n', 1_000_000, 5);
    ok $wait > 900 && $wait <= 1000, "which is used up: $wait";
};

{
    my $server = Setter::Redis->start(appendonly => 'yes',
        appendfsync => 'always');
    $redis = $server->client;

    test 'after a restart nothing is lost, and leases wait for workers' => sub {
        append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
        my @turns = @{ claim(slots => 2, lease_ms => 20) };
        append(id => 4, lane => 'acme/conv/4');
        my $before = $queue->scan;

        $server->stop('KILL');
        $server->run;
        $redis = $queue->{redis} = $server->client;
        is_deeply($queue->scan, $before, 'all is there');
        wait_until($redis->zscore($queue->key('leased'), $_->{lane}))
            for @turns;

        my $claim = $queue->claim(slots => 0);
        is($queue->depth->{leased}, 2, 'leases past their end are held');
        is($claim->{next}, 0, 'others are ready');
        $claim = $queue->claim;
        ok($claim->{next} > 1000 && $claim->{next} <= 2000,
            "a grace of two seconds: $claim->{next}");
        is_deeply([$queue->extend($turns[0])], [1], 'a worker came back');
        no_grace();
        is_deeply(lanes(claim()), [2], 'then the other one is lost');
    };
}

done_testing;
