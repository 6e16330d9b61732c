#!/usr/bin/perl

# Jobs that come again (requeued, reconciled), and what can be asked of jobs
# and workers.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Test::More;

use Setter::Lanes;

sub again { append(flags => 'again', @_) }

test 'a job may come again when it says so' => sub {
    append(id => 1);
    $queue->complete(claim()->[0]);
    append(id => 1);
    append(id => 1, flags => 'other');
    is_deeply(claim(), [], 'not without');
    again(id => 1);
    my ($turn) = @{ claim() };
    is_deeply(ids($turn), [1], 'with it');
    $queue->complete($turn);
    again(id => 1, flags => 'x,again,y');
    is_deeply(ids(claim()->[0]), [1], 'as often as it does');
    again(id => 2, lane => 'acme/conv/b');
    append(id => 2, lane => 'acme/conv/b');
    my ($first) = @{ claim() };
    is_deeply(ids($first), [2], 'it is remembered like others');
};

test 'a job that is there does not come again' => sub {
    append(id => $_) for 1 .. 3;
    again(id => 2);
    my ($turn) = @{ claim(turn_jobs => 2) };
    is_deeply(ids($turn), [1, 2], 'waiting');
    again(id => $_) for 1 .. 3;
    is_deeply(claim(), [], 'in hands, and behind them');
    $queue->fail($turn, delay_ms => 60000);
    again(id => $_) for 1, 3;
    claim();
    is($redis->llen(key('lane:acme/conv/a')), 3, 'put back');

    append(id => 4, lane => 'acme/conv/b', send_at_ms => 9e12);
    again(id => 4, lane => 'acme/conv/b', send_at_ms => 9e12);
    again(id => 4, lane => 'acme/conv/b');
    is_deeply(claim(), [], 'waiting for its time');
    is($queue->depth->{later}, 1, 'once');

    append(id => "n$_", lane => 'acme/conv/c') for 1 .. 130;
    again(id => "n$_", lane => 'acme/conv/c') for 1, 50, 51, 101, 130;
    sort_all();
    is($redis->llen(key('lane:acme/conv/c')), 130, 'in a long lane');
};

test 'it takes its old place among those that wait' => sub {
    append(id => $_, received_ms => 100 * $_) for 1, 2, 3, 5, 7;
    my ($turn) = @{ claim(turn_jobs => 3) };
    again(id => $_, received_ms => 100 * $_) for 6, 8, 4;
    again(id => 0, received_ms => 50);
    again(id => 55, received_ms => 500);
    claim();
    $queue->complete($turn);
    is_deeply(ids(claim()->[0]), [0, 4, 5, 55, 6, 7, 8],
        'by the time it was received, behind what was handed over');

    append(id => "r$_", lane => 'acme/conv/r', received_ms => 100 * $_)
        for 1, 2;
    my ($failed) = @{ claim() };
    $queue->fail($failed, delay_ms => 60000);
    again(id => 'r0', lane => 'acme/conv/r', received_ms => 1);
    claim();
    now_due(due => 'acme/conv/r');
    ($failed) = @{ claim() };
    is_deeply(ids($failed), ['r1', 'r2'], 'a retry stays as it was');
    $queue->complete($failed);
    is_deeply(ids(claim()->[0]), ['r0'], 'then it comes');

    append(id => "w$_", lane => 'acme/conv/w', received_ms => 100 * $_,
        debounce_ms => 60000) for 1, 3;
    claim();
    my $due = due('acme/conv/w');
    again(id => 'w2', lane => 'acme/conv/w', received_ms => 200,
        debounce_ms => 90000);
    is_deeply(claim(), [], 'an open window stays open');
    is(due('acme/conv/w'), $due, 'and does not move');
    now_due(due => 'acme/conv/w');
    is_deeply(ids(claim()->[0]), [qw(w1 w2 w3)], 'in order');
    is($queue->depth->{waiting}, 0, 'and counted');
};

test 'a job for later may come again, too' => sub {
    append(id => 1, received_ms => 100);
    again(id => 2, received_ms => 50, send_at_ms => 9e12);
    is_deeply(ids(claim()->[0]), [1], 'not before its time');
    is($queue->depth->{later}, 1, 'for which it waits');
    now_due(later => 2);
    claim();
    is($redis->llen(key('lane:acme/conv/a')), 2, 'then it joins its lane');
    ok(!$redis->exists(key('delayed')), 'nothing of it is left');
};

test 'jobs for later that version 1.0 put aside' => sub {
    my $element = $queue->header(id => 'old', tenant => 'acme',
        lane => 'acme/conv/a', send_at_ms => 5) . "\n{old\n}";

    $redis->zadd(key('later'), 5, $element);
    my ($turn) = @{ claim() };
    is_deeply([map { "$_->{id} $_->{envelope}" } @{ $turn->{jobs} }],
        ["old {old\n}"], 'are not lost');
};

test 'which jobs are absent' => sub {
    append(id => $_) for 1 .. 3;
    append(id => 4, send_at_ms => 9e12);
    append(id => 5, lane => 'acme/conv/b', debounce_ms => 60000);
    append(id => "n$_", lane => 'acme/conv/n') for 1 .. 120;
    sort_all();
    my ($turn) = @{ claim(turn_jobs => 1) };
    append(id => 'inbox');

    my %absent = (
        1 => ['acme/conv/a', 1, 0, 'in hand'],
        2 => ['acme/conv/a', 2, 0, 'behind it'],
        4 => ['acme/conv/a', 4, 0, 'for later'],
        5 => ['acme/conv/b', 5, 0, 'in a window'],
        6 => ['acme/conv/n', 'n120', 0, 'at the end of a long lane'],
        7 => ['acme/conv/a', 5, 1, 'in another lane'],
        8 => ['acme/conv/a', 'none', 1, 'never seen'],
        9 => ['acme/conv/none', 1, 1, 'of no lane'],
        10 => ['acme/conv/a', 'inbox', 1, 'not sorted yet'],
    );
    my @keys = sort { $a <=> $b } keys %absent;
    my @got = $queue->absent(map { [@{ $absent{$_} }[0, 1]] } @keys);
    is($got[$_], $absent{ $keys[$_] }[2], $absent{ $keys[$_] }[3])
        for 0 .. $#keys;
    is_deeply([$queue->absent], [], 'of none');

    $queue->complete($turn);
    is_deeply([$queue->absent(['acme/conv/a', 1], ['acme/conv/a', 2])],
        [1, 0], 'completed');
    $queue->fail(claim(turn_jobs => 1)->[0], delay_ms => 60000);
    is_deeply([$queue->absent(['acme/conv/a', 2])], [0], 'put back');
};

test 'where a job is' => sub {
    append(id => 1);
    append(id => 2, send_at_ms => 9e12);
    is($queue->state('acme', 1), 0, 'in the inbox: unknown');
    my ($turn) = @{ claim() };
    is($queue->state('acme', 1), 2, 'in hand');
    is($queue->state('acme', 2), 1, 'for later');
    append(id => 3);
    claim();
    is($queue->state('acme', 3), 1, 'waiting');
    $queue->complete($turn);
    is($queue->state('acme', 1), 1, 'within the hour after it was sorted');
    $redis->del(key('seen:1'), key('seen:2'));
    is($queue->state('acme', 1), 0, 'and no longer');
    is($queue->state('acme', 2), 1, 'but for as long as it waits');
    is($queue->state('other', $_), 0, "another tenant's job: $_") for 1 .. 3;
    is($queue->state('acme', 'x'), 0, 'no job');
};

test 'which workers there are' => sub {
    is_deeply($queue->workers, {}, 'none') if $redis->del(key('workers'));
    append(id => $_, lane => "acme/conv/$_") for 1 .. 5;
    claim(worker => 'w1', slots => 3);
    claim(worker => 'w2', slots => 700);
    $queue->tenant('acme', outside => 1);
    append(id => 'o');
    $queue->take('acme', worker => 'n8n');

    my $workers = $queue->workers;
    ok($_->{age_ms} >= 0 && $_->{age_ms} < 60000, "age: $_->{age_ms}")
        for values %$workers;
    delete $_->{age_ms} for values %$workers;
    is_deeply($workers, {
        w1 => { slots => 3, version => '1.1', turns => 3 },
        w2 => { slots => 700, version => '1.1', turns => 2 },
    }, 'ours, with what they have in hand');
};

test 'a full Redis takes all calls, a replica those that only ask' => sub {
    my %library = @{ $redis->function('LIST')->[0] };
    my %flag = map { my %f = @$_; ($f{name} => "@{ $f{flags} }") }
        @{ $library{functions} };

    is_deeply(\%flag, {
        (map { ("setter_$_" => 'no-writes') }
            qw(depth absent state workers version)),
        (map { ("setter_$_" => 'allow-oom') }
            qw(claim take more extend complete fail tenant hold release
               pace pace_stop)),
    }, 'flags');
};

test 'what ours cannot read is set aside' => sub {
    my @bad = map { s/\\t/\t/gr } '1\ta b\tacme\tm\tacme/l\t1\t0\t0\t0',
        "1\\ta\\tacme\\tm\\tacme/\xc3\\t1\\t0\\t0\\t0",
        "1\\ta\\tacme\\tm\\tacme/l\\t1\\t0\\t0\\t0\\tx\0y",
        '1\ta\tacme\tm m\tacme/l\t1\t0\t0\t0';

    $redis->xadd(key('inbox'), '*', h => $_, j => '{}') for @bad;
    is($queue->claim->{rejected}, 4, 'bytes that no field has');
};

done_testing;
