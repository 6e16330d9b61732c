#!/usr/bin/perl

# Outside workers: a tenant's messages go to them, everything else stays with
# ours, and what became of their turns is put on record by ours.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use Setter::Lanes;

# As test(), with acme's messages going outside.
sub outside {
    my ($name, $code, %settings) = @_;

    test $name => sub { $queue->tenant('acme', outside => 1); $code->() },
        %settings;
}

sub take { $queue->take('acme', @_)->{turns} }

sub by_job { Setter::Queue::by_job(@_) }

# Jobs that put on record what outside workers had, wherever they wait:
# [header's fields].
sub recorded {
    my $keys = $queue->scan;

    return grep { $_->[3] eq 'record' } map { [split /\t/, (split /\n/)[0]] }
        map { @{ $keys->{$_} } } grep { /^lane:/ } sort keys %$keys;
}

# Our workers put on record what there is to.
sub record_all {
    for my $turn (@{ claim() }) {
        $queue->complete($turn) if $turn->{jobs}[0]{kind} eq 'record';
    }
}

outside 'messages go outside, all else to our workers' => sub {
    append(id => 'm1');
    append(id => 'm2');
    append(id => 'm3', lane => 'acme/conv/b');
    append(id => 'st', lane => 'acme/status/1', kind => 'status');
    append(id => 'se', lane => 'acme/conv/c', kind => 'send');
    append(id => 'x', lane => 'other/conv/x');

    is_deeply([sort @{ lanes(claim()) }], [1, 'c', 'x'], 'ours');
    is($queue->depth->{outside}, 2, 'the others are counted');
    my $claim = $queue->take('acme', worker => 'n8n');
    my ($turn) = @{ $claim->{turns} };
    is(@{ $claim->{turns} }, 1, 'one turn at a time');
    is($claim->{next}, 0, 'and more at once');
    is_deeply(ids($turn), [qw(m1 m2)], 'a burst');
    is($turn->{lane}, 'acme/conv/a', 'of a lane');
    is($redis->hget(key('claim:acme/conv/a'), 'worker'), 'n8n', 'whose');
    is_deeply($queue->take('other')->{turns}, [], "not another's");
    is_deeply(ids(take()->[0]), ['m3'], 'the next lane');
    $claim = $queue->take('acme');
    is_deeply($claim->{turns}, [], 'then none');
    cmp_ok($claim->{next}, '>', 0, 'and none in sight but by leases');
    is($queue->depth->{outside}, 0, 'none counted');
    is($queue->depth('acme')->{tenants}{acme}[1], 4, 'all are in flight');
};

outside 'a take sorts, and moves on what is due' => sub {
    append(id => 1);
    append(id => 'x', lane => 'other/conv/x');
    append(id => 2, lane => 'acme/conv/b', debounce_ms => 60000);
    is_deeply(ids(take()->[0]), [1], 'it sorts');
    is_deeply(take(), [], 'a window is open');
    my $next = $queue->take('acme', lease_ms => 1e6)->{next};
    ok($next > 0 && $next <= 60000, "next: $next");
    now_due(due => 'acme/conv/b');
    is_deeply(ids(take()->[0]), [2], 'until its time');
    is_deeply(lanes(claim()), ['x'], 'what it sorted for others is theirs');
};

outside 'a turn is named by one of its jobs' => sub {
    append(id => $_) for 1, 2;
    my ($turn) = @{ take() };
    append(id => 3);
    claim();
    append(id => 'o1', lane => 'other/conv/x');
    my ($other) = @{ claim() };
    my @wrong = (['#acme/3', 'a job behind it'], ['#acme/4', 'no job'],
        ['#other/1', "another tenant's"], ['#acme/o1', "not the tenant's"],
        ['#acme', 'no id'], ['#', 'nothing'], ['#/1', 'no tenant'],
        ['#acme/', 'an empty id'], ['#acme/1/2', 'more']);

    my $before = $queue->scan;
    for (@wrong) {
        my %wrong = (%$turn, lane => $_->[0]);
        is_deeply([$queue->extend(\%wrong), $queue->complete(\%wrong),
            $queue->fail(\%wrong)], [0, 0, 0], "$_->[0]: $_->[1]");
    }
    my %stale = (%{ by_job($turn) }, token => $other->{token});
    is_deeply([$queue->extend(\%stale), $queue->complete(\%stale)], [0, 0],
        'nor with the token of another turn');
    is_deeply($queue->scan, $before, 'nothing changed');

    $queue->{lease_ms} = 90000;
    is_deeply([$queue->extend(by_job($turn), $turn, by_job($other))],
        [1, 1, 1], 'extend, by any of its jobs');
    cmp_ok($redis->zscore(key('leased'), 'acme/conv/a'), '>',
        $queue->now + 60000, 'prolonged');
    is($queue->fail(by_job($turn, 2), delay_ms => 0, reason => 'n8n is out'),
        1, 'fail');
    my ($again) = @{ take() };
    is_deeply([@$again{qw(failures reason)}, ids($again)],
        [1, 'n8n is out', [1, 2]], 'and it comes again');
    is($queue->complete(by_job($again, 2)), 1, 'complete, the whole turn');
    is($queue->complete(by_job($again, 1)), 0, 'once');
    record_all();
    is_deeply(ids(take()->[0]), [3], 'and what came behind is next');
};

outside 'what is completed goes on record' => sub {
    append(id => 'a1', received_ms => 1790000000001, envelope => '{"a":1}');
    append(id => 'a2', received_ms => 1790000000002, envelope => "{\n\"b\":2}");
    my ($turn) = @{ take() };
    append(id => 'a3');
    claim();
    is($queue->complete($turn), 1, 'completed');
    is_deeply([recorded()], [
        [1, 'a1-r', 'acme', 'record', 'acme/conv/a', 1790000000001, 0, 0,
            0, 'status=done'],
        [1, 'a2-r', 'acme', 'record', 'acme/conv/a', 1790000000002, 0, 0,
            0, 'status=done'],
    ], 'a record job in the place of each job handed over');
    is($queue->depth('acme')->{tenants}{acme}[0], 3, 'which wait');
    is_deeply([$queue->absent(map { ['acme/conv/a', $_] } 'a1', 'b')], [0, 1],
        'under the name of what they record, too');
    is_deeply(take(), [], 'the lane goes on when that is done');
    my ($record, @more) = @{ claim() };
    is_deeply($record->{jobs}, [
        { id => 'a1-r', kind => 'record', envelope => '{"a":1}',
            flags => 'status=done' },
        { id => 'a2-r', kind => 'record', envelope => "{\n\"b\":2}",
            flags => 'status=done' },
    ], 'for our workers, with the envelopes');
    is(@more, 0, 'and no more of it');
    $queue->complete($record);
    is_deeply([recorded()], [], 'which record it once');
    is_deeply(ids(take()->[0]), ['a3'], 'then come the jobs behind');
    is($queue->complete($turn), 0, 'a stale token records nothing');

    append(id => 'b', lane => 'other/conv/b');
    $queue->complete(claim()->[0]);
    is_deeply([recorded()], [], 'what ours complete they have recorded');
};

outside 'an answer is behind what it answers, and before what comes then' =>
    sub {
    append(id => 'm1');
    my ($turn) = @{ take() };
    append(id => 's1', kind => 'send');
    append(id => 'm2');
    sort_all();
    $queue->complete($turn);
    my @order;
    for (1 .. 3) {
        my ($next) = @{ claim() };
        ($next) = @{ take() } if !$next;
        push @order, ids($next);
        $queue->complete($next);
    }
    is_deeply(\@order, [['m1-r'], ['s1'], ['m2']], 'in this order');
};

outside 'a window behind a turn outside is kept' => sub {
    append(id => 1);
    my ($turn) = @{ take() };
    append(id => 2, debounce_ms => 60000, debounce_max_ms => 90000);
    sort_all();
    $queue->complete($turn);
    append(id => 3, debounce_ms => 60000, debounce_max_ms => 90000);
    record_all();
    is($queue->depth->{due}, 1, 'it is open');
    is_deeply(take(), [], 'and waited for');
    now_due(due => 'acme/conv/a');
    is_deeply(ids(take()->[0]), [2, 3], 'until its end');

    append(id => 4, lane => 'acme/conv/b');
    ($turn) = @{ take() };
    $queue->complete($turn);
    append(id => 5, lane => 'acme/conv/b', debounce_ms => 60000);
    sort_all();
    record_all();
    is($queue->depth->{due}, 1, 'so is one that opens meanwhile');
};

outside 'a worker that is lost: its lane is handed out again' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1, 2;
    for my $crashes (0 .. 2) {
        my ($turn) = @{ take() };
        is_deeply([@$turn{qw(crashes dead)}, ids($turn)], [$crashes, 0, [1]],
            "after $crashes crashes, in front");
        lapse($turn);
    }
    is($queue->depth->{suspects}, 0, 'ours never get it');
    is_deeply(ids(take()->[0]), [2], 'after three it is given up');
    is_deeply([map { [@$_[1, 3, 9]] } recorded()],
        [['1-r', 'record', 'status=dead,reason=the%20worker%20was%20lost']],
        'and recorded');
};

outside 'what is given up goes on record, and its lane goes on' => sub {
    append(id => 'p1', envelope => '{"poison":1}');
    append(id => 'p2');
    for (1 .. 8) {
        my ($turn) = @{ take() };
        append(id => 'n1'), append(id => 'n2') if $_ == 3;
        $queue->fail($turn, reason => "50%,\tno\xe9!");
    }
    is($queue->depth->{due}, 1, 'eight failures');
    is_deeply(take(), [], 'no more');
    is_deeply([map { [@$_[1, 3, 4, 9]] } recorded()], [
        ['p1-r', 'record', 'acme/conv/a',
            'status=dead,reason=50%25%2C%09no%E9!'],
        ['p2-r', 'record', 'acme/conv/a',
            'status=dead,reason=50%25%2C%09no%E9!'],
    ], 'they are recorded with the reason');
    my ($record) = @{ claim() };
    is_deeply([$record->{jobs}[0]{envelope}, @$record{qw(failures dead)}],
        ['{"poison":1}', 0, 0], 'as they came, by a new turn');
    $queue->complete($record);
    is_deeply(ids(take()->[0]), [qw(n1 n2)], 'the jobs behind go on');
    is($queue->depth('acme')->{tenants}{acme}[0], 0, 'none waits');

    append(id => 'q', lane => 'acme/conv/q');
    $queue->fail(take(max_failures => 1)->[0]);
    append(id => 'r', lane => 'acme/conv/q', debounce_ms => 60000);
    is_deeply(take(max_failures => 1), [], 'given up');
    record_all();
    is($queue->depth->{due}, 1, 'a window behind it is kept');
    now_due(due => 'acme/conv/q');
    is_deeply(ids(take()->[0]), ['r'], 'until its end');
};

outside 'many lanes to give up take more than one call' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 150;
    sort_all();
    $queue->fail($_) for map { @{ take() } } 1 .. 150;
    append(id => 'x', lane => 'acme/conv/x');
    $queue->claim(slots => 0) for 1, 2;
    my $claim = $queue->take('acme', max_failures => 1);
    is_deeply($claim->{turns}, [], 'a hundred');
    is($claim->{next}, 0, 'go on');
    my @taken = map { @{ take(max_failures => 1) } } 1 .. 3;
    is_deeply(lanes(\@taken), ['x'], 'then the one that may run');
};

outside 'a cap and holds count outside, too' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 5;
    $queue->tenant('acme', cap => 2);
    my @turns = map { @{ take() } } 1 .. 3;
    is(@turns, 2, 'two at a time');
    cmp_ok($queue->take('acme')->{next}, '>', 0, 'and no need to ask again');
    $queue->complete(shift @turns);
    is(@{ take() }, 1, 'then one more');

    $queue->tenant('acme', cap => '', held => 1);
    is_deeply(take(), [], 'the tenant is held');
    $queue->tenant('acme', held => '');
    is(rings(), 1, 'released: others are told');
    $queue->hold('acme/conv/4');
    is_deeply(lanes(take()), [5], 'a lane that is held is passed over');
    $queue->release('acme/conv/4');
    is_deeply(lanes(take()), [4], 'until it is released');
};

outside 'messages over the quota are for our workers' => sub {
    avoid_midnight();
    $queue->tenant('acme', day => 2);
    append(id => $_) for 1 .. 4;
    my ($turn) = @{ take() };
    is_deeply(ids($turn), [1, 2], 'two');
    $queue->complete($turn);
    is_deeply(take(), [], 'no more');
    record_all();
    my ($over) = grep { $_->{lane} eq 'acme/conv/a' } @{ claim() };
    is_deeply([map { "$_->{id} $_->{flags}" } @{ $over->{jobs} }],
        ['3 over', '4 over'], 'the others');
};

# The tenants that outside workers' pollers were told of since the last look.
my $heard = '0-0';

sub told {
    my @entries = $redis->xrange(key('outside'), "($heard", '+');

    $heard = $entries[-1][0] if @entries;
    return [map { $_->[1][1] } @entries];
}

outside 'who polls is told when a lane may be taken, and by whom' => sub {
    $heard = '0-0';
    $queue->tenant('other', outside => 1);
    append(id => 1);
    append(id => 2, lane => 'other/conv/x');
    append(id => 3, lane => 'third/conv/x');
    append(id => 's', lane => 'acme/conv/s', kind => 'send');
    sort_all();
    is_deeply([sort @{ told() }], ['acme', 'other'], 'sorted by a worker');
    my ($turn) = @{ take() };
    is_deeply(told(), [], 'taken: nothing to tell');

    append(id => 4, lane => 'acme/conv/b');
    take();
    is_deeply(told(), [], 'sorted and taken at once');
    append(id => $_, lane => "acme/conv/$_") for 5, 6;
    my ($five) = @{ take() };
    is_deeply(told(), ['acme'], 'there is more than was taken');
    my ($six) = @{ take() };

    append(id => 7);
    sort_all();
    $queue->complete($turn);
    is_deeply(told(), [], 'ours have to record it first');
    record_all();
    is_deeply(told(), ['acme'], 'then it may be taken');

    $queue->fail($five, delay_ms => 60000);
    is_deeply(told(), [], 'failed: not yet');
    now_due(due => $five->{lane});
    sort_all(), $queue->claim(slots => 0);
    is_deeply(told(), ['acme'], 'when its time has come');
    lapse($six);
    $queue->claim(slots => 0);
    is_deeply(told(), ['acme'], 'a lease has ended');
    $queue->hold($six->{lane});
    1 while @{ take() };
    told();
    $queue->release($six->{lane});
    is_deeply(told(), ['acme'], 'released');
    $queue->tenant('acme', held => 1);
    append(id => 8, lane => 'acme/conv/8');
    sort_all();
    told();
    $queue->tenant('acme', held => '');
    is_deeply(told(), ['acme'], 'so is a tenant');
};

outside 'told when the cap has room, and after a switch' => sub {
    $heard = '0-0';
    $queue->tenant('acme', cap => 1);
    append(id => $_, lane => "acme/conv/$_") for 1, 2;
    my ($turn) = @{ take() };
    told();
    is_deeply(take(), [], 'at its cap');
    is_deeply(told(), [], 'nobody is told');
    $queue->complete($turn);
    is_deeply(told(), ['acme'], 'until a turn ends');
    $queue->tenant('acme', cap => '', outside => '');
    sort_all();
    told();
    $queue->tenant('acme', outside => 1);
    is_deeply(told(), ['acme'], 'of what is theirs now');
};

test 'no more than the last rings are kept' => sub {
    $queue->tenant('acme', outside => 1);
    for (1 .. 1500) {
        append(id => $_, lane => "acme/conv/$_");
        $queue->claim(slots => 0);
    }
    cmp_ok($redis->xlen(key('outside')), '<=', 1200, 'about a thousand');
};

test 'a switch moves what is ready, at once' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
    append(id => 'st', lane => 'acme/status/st', kind => 'status');
    my ($turn) = @{ claim(slots => 1) };
    $queue->tenant('acme', outside => 1);
    is(rings(), 1, 'others are told');
    is($queue->depth->{outside}, 2, 'two lanes are for them');
    is_deeply(lanes(claim()), ['st'], 'ours keep the rest');
    is_deeply(lanes(take()), [2], 'and they have theirs');
    append(id => 4, lane => $turn->{lane});
    claim();
    is($queue->complete($turn), 1, 'a turn in our hands ends here');
    is_deeply([recorded()], [], 'and is recorded here');

    $queue->tenant('acme', outside => 0);
    is($queue->depth->{outside}, 0, 'back: none is for them');
    is_deeply(take(), [], 'nor do they get any');
    is_deeply([sort @{ lanes(claim()) }], [1, 3], 'ours have all');
};

test 'a turn in hands outside ends there' => sub {
    $queue->tenant('acme', outside => 1);
    append(id => 1);
    my ($turn) = @{ take() };
    append(id => 2);
    claim();
    $queue->tenant('acme', outside => 0);
    is($queue->complete($turn), 1, 'completed');
    is_deeply([map { $_->[1] } recorded()], ['1-r'], 'and recorded');
    record_all();
    is_deeply(ids([grep { $_->{lane} =~ /conv/ } @{ claim() }]->[0]), [2],
        'what is behind it is ours');

    $queue->tenant('acme', outside => 1);
    append(id => 3, lane => 'acme/conv/c');
    lapse(take()->[0]);
    $queue->tenant('acme', outside => 0);
    my ($lost) = grep { $_->{lane} eq 'acme/conv/c' } @{ claim() };
    is($lost->{crashes}, 1, 'one that is lost is ours, too');
    $queue->complete($lost);
    is_deeply([recorded()], [], 'and then recorded by us');
};

test 'a switch of many lanes goes by hundreds, and nobody gets another\'s' =>
    sub {
    my (@ours, @theirs);
    append(id => $_, lane => "acme/conv/$_") for 1 .. 450;
    append(id => "s$_", lane => "acme/status/$_", kind => 'status')
        for 1 .. 20;
    sort_all();
    $queue->tenant('acme', outside => 1);
    is($queue->claim(slots => 0)->{next}, 0, 'there is more to do');
    for (1 .. 12) {
        push @ours, @{ claim() };
        push @theirs, map { @{ take() } } 1 .. 10;
    }
    is_deeply([grep { $_->{lane} =~ /conv/ } @ours], [], 'ours: no messages');
    is(@ours, 20, 'all the others');
    is_deeply([grep { $_->{lane} !~ /conv/ } @theirs], [], 'theirs: only');
    is(@theirs, 120, 'messages');

    $queue->tenant('acme', outside => 0, cap => 1000);
    $queue->tenant('acme', outside => 1);
    $queue->tenant('acme', outside => 0);
    @ours = map { @{ claim() } } 1 .. 20;
    is_deeply(take(), [], 'to and fro: none is left outside');
    is(@ours, 330, 'and all are ours');
    is($queue->depth->{ready}, 0, 'counted');
    $queue->complete($_) for @ours, @theirs;
    record_all() for 1, 2;
    is_deeply([grep { /moving|outside|ready/ } keys %{ $queue->scan }], [],
        'no list is left');
};

test 'a suspect of a tenant that is switched goes along' => sub {
    append(id => 1);
    for (1, 2) {
        lapse(@{ claim() });
        $queue->claim(suspect => 0, slots => 0);
    }
    is($queue->depth->{suspects}, 1, 'a suspect of ours');
    $queue->tenant('acme', outside => 1);
    is_deeply(claim(), [], 'is no longer');
    my ($turn) = @{ take() };
    is($turn->{crashes}, 2, 'but theirs');
    lapse($turn);
    $queue->tenant('acme', outside => 0);
    my ($dead) = @{ claim() };
    is_deeply([@$dead{qw(crashes dead)}], [3, 1], 'and ours, at its end');
};

outside 'a job that comes again may be for another side' => sub {
    append(id => 'm2', received_ms => 2000);
    sort_all();
    append(id => 's1', kind => 'send', received_ms => 1000, flags => 'again');
    is_deeply(take(), [], 'a send before a message that is ready');
    my ($turn) = @{ claim() };
    is_deeply(ids($turn), ['s1'], 'is ours');
    $queue->complete($turn);
    is_deeply(ids(take()->[0]), ['m2'], 'and then the message theirs');

    append(id => 's2', kind => 'send', lane => 'acme/conv/b',
        received_ms => 2000);
    sort_all();
    append(id => 'm1', lane => 'acme/conv/b', received_ms => 1000,
        flags => 'again');
    is_deeply(claim(), [], 'a message before a send');
    is_deeply(ids(take()->[0]), ['m1'], 'is theirs');
};

outside 'more jobs can be taken into a turn outside' => sub {
    append(id => 1);
    my ($turn) = @{ take() };
    append(id => 2);
    claim();
    is_deeply(ids({ jobs => $queue->more(by_job($turn)) }), [2], 'one more');
    $queue->complete($turn);
    is_deeply([map { $_->[1] } recorded()], ['1-r', '2-r'], 'both recorded');
};

done_testing;
