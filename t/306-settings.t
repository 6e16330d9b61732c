#!/usr/bin/perl

# Settings of tenants and holds of lanes, on a real Redis: they count at once,
# they lose nothing, and they leave nothing behind.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use Setter::Lanes;

sub depth_of { $queue->depth->{ $_[0] } }

test 'settings are checked, and the defaults are not kept' => sub {
    my %wrong = (
        weight => [qw(0 1001 -1 1.5 x 1e3), ' 1'], cap => [qw(0 100001)],
        day => [qw(-1 9999999999)], minute => ['x'], outside => [2, 'yes'],
        held => [2], colour => [1],
    );

    for my $name (sort keys %wrong) {
        for my $value (@{ $wrong{$name} }) {
            eval { $queue->tenant('acme', weight => 2, $name => $value) };
            like($@, qr/\Q$name\E/, "$name=$value: the error names it");
        }
    }
    for my $slug ('', 'Acme', '1a', 'a' x 64, 'a/b') {
        eval { $queue->tenant($slug, weight => 2) };
        like($@, qr/not a tenant/, "no tenant: $slug");
    }
    eval { $queue->tenant('acme', 'weight') };
    like($@, qr/weight/, 'no value');
    is(scalar $redis->keys(key('tenant:*')), 0, 'nothing was set');

    my %all = (weight => 3, cap => 7, day => 100, minute => 20, outside => 1,
        held => 1);
    is($queue->tenant('acme', %all), 1, 'set');
    is_deeply({ $redis->hgetall(key('tenant:acme')) }, \%all, 'as they are');
    is($queue->tenant('acme', weight => 1, cap => 200, day => 0, minute => 0,
        outside => 0, held => 0), 1, 'set to what they are by default');
    is_deeply([grep { /tenant|ruled/ } keys %{ $queue->scan }], [],
        'nothing is left');
    $queue->tenant('acme', %all);
    $queue->tenant('acme', map { $_ => '' } keys %all);
    is_deeply([grep { /tenant|ruled/ } keys %{ $queue->scan }], [],
        'nor when they are taken back');
};

test 'a cap counts at once' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 12;
    $queue->tenant('acme', cap => 3);
    my @turns = @{ claim() };
    is(@turns, 3, 'three');
    $queue->tenant('acme', cap => 5);
    is(rings(), 1, 'more: others are told');
    push @turns, @{ claim() };
    is(@turns, 5, 'and get them');

    $queue->tenant('acme', cap => 2);
    $queue->complete(shift @turns) for 1 .. 3;
    is_deeply(claim(), [], 'less: none until it is under the cap');
    $queue->complete(shift @turns);
    is(@{ claim() }, 1, 'then one');
    append(id => 'x', lane => 'acme/conv/x');
    $queue->tenant('acme', cap => '');
    is(@{ claim() }, 7, 'the default again');
};

test 'a cap lowered while lanes wait in line' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 4;
    append(id => 'x', lane => 'other/conv/x');
    claim(slots => 2);
    $queue->tenant('acme', cap => 1);
    is_deeply($queue->scan->{capped}, ['acme'], 'out of line');
    is_deeply(lanes(claim()), [], 'nobody gets them');
    is_deeply($queue->scan->{tenants}, undef, 'nor is there a line');
};

test 'a weight counts from the next turn on' => sub {
    append(id => "$_$_", lane => "big/conv/$_") for 1 .. 40;
    append(id => "s$_", lane => "small/conv/$_") for 1 .. 40;
    is_deeply(share(\&slug, @{ claim(slots => 10) }), { big => 5, small => 5 },
        'evenly');
    $queue->tenant('big', weight => 4);
    is_deeply(share(\&slug, @{ claim(slots => 40) }),
        { big => 32, small => 8 }, 'four to one');
};

test 'of a tenant that is held nothing is handed out' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
    append(id => 'x', lane => 'other/conv/x');
    my ($turn, $other) = @{ claim(slots => 2) };
    $queue->tenant('acme', held => 1);
    append(id => 4, lane => 'acme/conv/4');
    append(id => 5, lane => 'acme/campaign/5');
    append(id => 6, lane => $turn->{lane});
    is_deeply(claim(), [], 'neither old nor new, nor of a bulk kind');
    is($queue->complete($turn), 1, 'a turn in hand ends');
    is_deeply(claim(), [], 'and its lane waits with the others');
    cmp_ok($queue->claim->{next}, '>', 0, 'nobody is kept busy');
    append(id => 'y', lane => 'other/conv/y');
    is_deeply(lanes(claim()), ['y'], 'other tenants go on');

    $queue->tenant('acme', held => '');
    is(rings(), 1, 'released: workers are told');
    is_deeply([sort @{ lanes(claim()) }], [1 .. 5], 'and all of it comes');
};

test 'of a tenant that is held no suspect stands in the way' => sub {
    append(id => $_, lane => "$_/conv/$_") for qw(acme other);
    for (1, 2) {
        lapse(@{ claim() });
        $queue->claim(suspect => 0, slots => 0);
    }
    is($queue->depth->{suspects}, 2, 'two suspects');
    $queue->tenant('acme', held => 1);
    is_deeply(lanes(claim()), ['other'], 'the other tenant has its turn');
    is($queue->depth->{suspects}, 0, 'the first is put aside');
    $queue->tenant('acme', held => 0);
    is_deeply(lanes(claim(suspect => 0)), [], 'released, it is a suspect');
    is($queue->depth->{suspects}, 1, 'again');
    is_deeply(lanes(claim()), ['acme'], 'and is handed out as one');
};

test 'a lane is held, in whatever state it is' => sub {
    my %lane = map { $_ => "acme/conv/$_" } qw(idle due ready leased retry);
    append(id => 'due', lane => $lane{due}, debounce_ms => 60000);
    append(id => $_, lane => $lane{$_}) for qw(leased retry);
    my ($leased, $retry) = @{ claim() };
    append(id => 'ready', lane => $lane{ready});
    append(id => 'behind', lane => $lane{leased});
    sort_all();
    $queue->fail($retry, delay_ms => 60000);

    is($queue->hold($_), 1, "hold $_") for sort values %lane;
    is($queue->hold($_), 0, "held already: $_") for sort values %lane;
    append(id => 'idle', lane => $lane{idle});
    append(id => 'free', lane => 'acme/conv/free');
    now_due(due => $lane{$_}) for qw(due retry);
    is_deeply(lanes(claim()), ['free'], 'none is handed out');
    is($queue->complete($leased), 1, 'a turn in hand ends');
    is_deeply(claim(), [], 'and its lane is held');
    is(depth_of('held'), 5, 'five wait');
    is(depth_of('ready'), 0, 'they are not ready');
    cmp_ok($queue->claim->{next}, '>', 0, 'nobody is kept busy');

    append(id => 'more', lane => $lane{due});
    append(id => 'soon', lane => $lane{due}, debounce_ms => 60000);
    is_deeply(claim(), [], 'nor do new jobs free it');
    is($queue->release($lane{$_}), 1, "release $_") for sort keys %lane;
    is($queue->release($lane{$_}), 0, "it is free: $_") for sort keys %lane;
    is(rings(), 5, 'each rings');
    my %turn = map { $_->{lane} => $_ } @{ claim() };
    is_deeply([sort keys %turn], [sort values %lane], 'all are handed out');
    is_deeply(ids($turn{ $lane{due} }), [qw(due more soon)], 'in order');
    is_deeply(ids($turn{ $lane{leased} }), ['behind'], 'what was behind');
    is($turn{ $lane{retry} }{failures}, 1, 'with the failures it had');
};

test 'a hold waits for a lane that has no jobs' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    $queue->hold('acme/conv/a');
    is($queue->complete($turn), 1, 'the turn ends');
    is_deeply($queue->scan->{held}, { 'acme/conv/a' => 0 }, 'nothing waits');
    is(depth_of('held'), 0, 'so none is counted');
    append(id => 2);
    is_deeply(claim(), [], 'but what comes is held');
    $queue->release('acme/conv/a');
    is_deeply(ids(claim()->[0]), [2], 'until it is released');

    $queue->hold('acme/conv/b');
    is($queue->release('acme/conv/b'), 1, 'released before anything came');
    append(id => 3, lane => 'acme/conv/b');
    is_deeply(ids(claim()->[0]), [3], 'as if it never was');
    ok(!$redis->exists(key('held')), 'nothing is left');
    for my $lane ('acme', '', '#acme/1', '/x') {
        eval { $queue->hold($lane) };
        like($@, qr/not a lane/, "no lane: $lane");
    }
};

test 'a lease that is lost, of a lane that is held' => sub {
    append(id => 1);
    my ($turn) = @{ claim() };
    $queue->hold('acme/conv/a');
    lapse($turn);
    is_deeply(claim(), [], 'held, not handed out');
    $queue->release('acme/conv/a');
    my ($again) = @{ claim() };
    is_deeply([@$again{qw(crashes reason)}], [1, 'the worker was lost'],
        'the crash counts');
};

test 'a claim is bounded, however many lanes are held' => sub {
    append(id => $_, lane => "acme/conv/$_") for 1 .. 350;
    append(id => 'x', lane => 'other/conv/x');
    sort_all();
    $queue->hold("acme/conv/$_") for 1 .. 349;
    my ($claims, @turns) = 0;
    while ($claims++ < 20 && @turns < 2) {
        my $claim = $queue->claim(slots => 5);
        push @turns, @{ $claim->{turns} };
        is($claim->{next}, 0, "claim $claims: go on") if @turns < 2;
    }
    is_deeply([sort @{ lanes(\@turns) }], [350, 'x'], 'the two that may run');
    cmp_ok($claims, '<', 8, "after $claims claims of a hundred and some");
    is(depth_of('held'), 349, 'the others are held');
    $queue->release("acme/conv/$_") for 1 .. 349;
    is(@{ claim() }, 100, 'and come when they are released');
};

test 'a day has so many messages' => sub {
    avoid_midnight();
    $queue->tenant('acme', day => 5);
    append(id => $_, lane => "acme/conv/$_") for 1 .. 3;
    append(id => 3, lane => 'acme/conv/3');
    append(id => "s$_", lane => "acme/status/$_", kind => 'status') for 1 .. 5;
    append(id => 'x', lane => 'other/conv/x');
    my @turns = @{ claim() };
    is(@turns, 9, 'neither a repeat nor another kind counts');
    is($redis->hget(key('tenant:acme'), 'used'), 3, 'counted');

    append(id => $_, lane => 'acme/conv/b') for 11 .. 15;
    append(id => 16, lane => 'acme/conv/c', flags => 'new,words');
    my %turn = map { $_->{lane} => $_ } @{ claim() };
    is_deeply(ids($turn{'acme/conv/b'}), [11, 12], 'five, exactly');
    is($turn{'acme/conv/b'}{jobs}[1]{flags}, undef, 'which are answered');
    is($turn{'acme/conv/c'}{jobs}[0]{flags}, 'new,words,over',
        'one that is over says so, beside what it said before');
    $queue->complete($turn{'acme/conv/b'});
    my ($over) = @{ claim() };
    is_deeply([map { "$_->{id} $_->{flags} $_->{envelope}" }
        @{ $over->{jobs} }], [map { "$_ over {$_}" } 13 .. 15],
        'those that are over have a turn of their own');

    $queue->tenant('acme', day => 6);
    append(id => 17, lane => 'acme/conv/d');
    append(id => 18, lane => 'acme/conv/d');
    is_deeply(ids(claim()->[0]), [17], 'a higher quota counts at once');

    $redis->hset(key('tenant:acme'),
        today => int($queue->now / 86_400_000) - 1);
    append(id => 19, lane => 'acme/conv/e');
    is(claim()->[0]{jobs}[0]{flags}, undef, 'another day, another quota');
    is($redis->hget(key('tenant:acme'), 'used'), 1, 'from the start');
    $queue->tenant('acme', day => '');
    ok(!$redis->hexists(key('tenant:acme'), $_), "no $_ without a quota")
        for qw(used today day);
    append(id => 20, lane => 'acme/conv/f');
    is(claim()->[0]{jobs}[0]{flags}, undef, 'as many as come');
};

test 'a job that comes again is not counted again' => sub {
    avoid_midnight();
    $queue->tenant('acme', day => 1);
    append(id => 1);
    $queue->complete(claim()->[0]);
    append(id => 1, flags => 'again');
    my ($turn) = @{ claim() };
    is($turn->{jobs}[0]{flags}, 'again', 'it is not over');
    is($redis->hget(key('tenant:acme'), 'used'), 1, 'nor counted');
};

done_testing;
