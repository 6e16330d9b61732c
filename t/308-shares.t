#!/usr/bin/perl

# Who gets how many turns, and how soon: counted in turns, not in time.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use Setter::Lanes;

# A worker of so many slots, all of them in use: it completes the oldest of
# its turns and claims another.
sub worker {
    my ($slots) = @_;

    return { slots => $slots, hand => [@{ claim(slots => $slots) }] };
}

sub next_turn {
    my ($worker) = @_;

    $queue->complete(shift @{ $worker->{hand} });
    my ($turn) = @{ claim(slots => 1) };
    push @{ $worker->{hand} }, $turn;

    return $turn;
}

sub turns { my ($worker, $n) = @_; return map { next_turn($worker) } 1 .. $n }

# How many turns others get before the lane has its own.
sub waits {
    my ($worker, $lane) = @_;

    for my $turns (0 .. 1000) {
        return $turns if next_turn($worker)->{lane} eq $lane;
    }
}

# Lanes of a kind, one job each.
sub fill {
    my ($slug, $kind, $n) = @_;

    for my $i (1 .. $n) {
        my $lane = "$slug/$kind/$i";
        $redis->xadd(key('inbox'), '*', h => $queue->header(id => $lane,
            tenant => $slug, lane => $lane, kind => $kind,
            received_ms => 1), j => '{}', sub { });
        $redis->wait_all_responses if $i % 500 == 0 || $i == $n;
    }
    sort_all();
}

test 'behind 100,000 lanes a message waits a turn a slot at most' => sub {
    fill(big => conv => 100_000);
    fill(big => campaign => 5000);
    my $worker = worker(8);
    my $most = 0;

    for my $n (1 .. 20) {
        turns($worker, $n % 7);
        append(id => "b$n", lane => "small/conv/$n");
        my $waited = waits($worker, "small/conv/$n");
        $most = $waited if $waited > $most;
    }
    cmp_ok($most, '<=', 8, "alone: $most turns of others first");

    # a new one of each of 30 tenants: the last waits for the others' too
    append(id => "c$_", lane => "small$_/conv/$_") for 1 .. 30;
    my $waited = waits($worker, 'small30/conv/30');
    cmp_ok($waited, '<=', 30 + 8, "with 29 others: $waited");

    $queue->tenant('big', weight => 1000);
    turns($worker, 20);
    append(id => 'd', lane => 'small/conv/d');
    $waited = waits($worker, 'small/conv/d');
    cmp_ok($waited, '<=', 8, "whatever the other's weight: $waited");

    append(id => 'e', lane => 'fresh/conv/e');
    ok((grep { $_ eq 'e' } @{ lanes(claim(slots => 8)) }),
        'and of eight slots that are free it has one');
};

test 'a tenant with many lanes delays another by a turn at most' => sub {
    fill(big => conv => 500);
    is_deeply(lanes(claim(slots => 2)), [1, 2], 'first come');
    append(id => 'x', lane => 'small/conv/x');
    my @lanes = @{ lanes(claim(slots => 2)) };
    ok((grep { $_ eq 'x' } @lanes), "the other one's turn: @lanes");

    append(id => "y$_", lane => "small/conv/y$_") for 1 .. 4;
    is_deeply(share(\&slug, @{ claim(slots => 8) }), { big => 4, small => 4 },
        'then turn by turn');
};

test 'shares follow the weights, in a claim and in many' => sub {
    my %weight = (one => 1, two => 2, five => 5);
    $queue->tenant($_, weight => $weight{$_}) for keys %weight;
    fill($_ => conv => 300) for sort keys %weight;

    is_deeply(share(\&slug, @{ claim(slots => 80) }),
        { one => 10, two => 20, five => 50 }, 'in one claim');
    my $worker = worker(3);
    my $share = share(\&slug, turns($worker, 400));
    cmp_ok(abs($share->{$_} - 50 * $weight{$_}), '<=', 3,
        "$_: $share->{$_} of 400 turns") for sort keys %weight;
};

test 'tenants that come together are served in that order' => sub {
    my @slugs = map { "t$_" } 9, 3, 7, 1;
    append(id => $_, lane => "$_/conv/$_") for @slugs;
    is_deeply(lanes(claim()), \@slugs, 'first come, first served');
};

test 'a bulk kind gets one turn in ten while replies wait' => sub {
    my $kind = sub { $_[0]{lane} =~ m{/(\w+)/} ? $1 : '' };

    fill(acme => conv => 400);
    fill(acme => campaign => 400);
    $queue->tenant('acme', cap => 1000);
    is_deeply(share($kind, @{ claim(slots => 100) }),
        { conv => 90, campaign => 10 }, 'in one claim');
    is_deeply(share($kind, map { @{ claim(slots => 7) } } 1 .. 10),
        { conv => 63, campaign => 7 }, 'in claims of seven');
    is_deeply(share($kind, turns(worker(1), 100)),
        { conv => 90, campaign => 10 }, 'and one by one');

    is_deeply(share($kind, map { @{ claim() } } 1 .. 4),
        { conv => 156, campaign => 244 },
        'all slots when no replies wait');
    append(id => $_, lane => "other/conv/$_") for 1 .. 12;
    is_deeply(share($kind, @{ claim(slots => 10) }),
        { conv => 9, campaign => 1 }, 'and replies first when they come');
};

test 'behind 20,000 bulk lanes a reply is next' => sub {
    fill(big => ingest => 20_000);
    my $worker = worker(8);
    my $most = 0;

    for my $n (1 .. 20) {
        turns($worker, $n % 7);
        append(id => "b$n", lane => "small/conv/$n");
        my $waited = waits($worker, "small/conv/$n");
        $most = $waited if $waited > $most;
    }
    is($most, 0, 'a reply');
    turns($worker, 5);
    append(id => 's', lane => 'small/sync/s');
    my $waited = waits($worker, 'small/sync/s');
    cmp_ok($waited, '<=', 8, "another tenant's bulk: $waited");
    append(id => 'own', lane => 'big/conv/own');
    is(waits($worker, 'big/conv/own'), 0, "the tenant's own reply");
};

test 'tenants share what bulk gets, too' => sub {
    $queue->tenant('big', weight => 3);
    fill(big => campaign => 100);
    fill(small => sync => 100);
    is_deeply(share(\&slug, @{ claim(slots => 40) }),
        { big => 30, small => 10 }, 'by weight, without replies');
    fill(other => conv => 400);
    is_deeply(share(\&slug, map { @{ claim() } } 1 .. 2),
        { other => 180, big => 15, small => 5 }, 'and beside them');
};

test 'which kinds are bulk' => sub {
    fill(acme => $_ => 3) for qw(campaign ingest sync flow status call);
    my @lanes = map { $_->{lane} } @{ claim(slots => 9) };
    is_deeply([sort @lanes],
        [sort map { my $k = $_; map { "acme/$k/$_" } 1 .. 3 }
            qw(call flow status)], 'campaign, ingest and sync come last');
};

test "a tenant's bulk leaves its replies a tenth of the cap" => sub {
    $queue->tenant('acme', cap => 10);
    fill(acme => campaign => 20);
    my @turns = @{ claim() };
    is(@turns, 9, 'nine of ten');
    is($queue->claim->{next} > 0, 1, 'no more, and nobody is kept busy');
    append(id => 'a', lane => 'acme/conv/a');
    append(id => 'b', lane => 'acme/conv/b');
    is_deeply(lanes(claim()), ['a'], 'the last one is for a reply');
    is_deeply($queue->scan->{capped}, ['acme'], 'then the cap is reached');

    $queue->complete(shift @turns);
    is_deeply(lanes(claim()), ['b'], 'which then goes on with replies');
    $queue->complete(shift @turns);
    is_deeply(claim(), [], 'down to nine');
    $queue->complete(shift @turns);
    is_deeply([map { $_->{lane} } @{ claim() }], ['acme/campaign/10'],
        'and below that with bulk');
    $queue->tenant('acme', cap => 1);
    fill(b => campaign => 1);
    $queue->tenant('b', cap => 1);
    is(@{ claim() }, 1, 'a cap of one lets bulk run');
};

test 'a bulk lane fails and crashes as others do' => sub {
    append(id => $_, lane => "acme/sync/$_") for 1, 2;
    my ($one, $two) = @{ claim() };
    $queue->fail($one);
    lapse($two);
    my @turns = @{ claim() };
    is_deeply(lanes(\@turns), [2, 1], 'the lost one in front');
    is_deeply([map { $_->{crashes} + $_->{failures} } @turns], [1, 1],
        'counted');
    lapse($turns[0]);
    $queue->claim(slots => 0);
    is($queue->depth->{suspects}, 1, 'a suspect after two');
    $queue->complete($_) for $turns[1], @{ claim() };
    is_deeply([sort keys %{ $queue->scan }], [qw(inbox state)], 'all gone');
};

done_testing;
