#!/usr/bin/perl

# A message that comes while the model thinks: tenants that merge have it
# taken into the turn, others have it answered by the next.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Test::More;

start();
$postgres->sql('owner', "INSERT INTO tenants (slug) VALUES ('acme')");
is(ctl('tenant', 'set', 'acme', 'mid_turn=merge'), 0, 'acme merges');

# The model's n-th call is under way.
sub wait_call {
    my ($n) = @_;

    wait_for("call $n of the model", sub {
        my $chat = $sandbox->calls->{chat};
        $chat->{count} >= $n && $chat->{open};
    });
}

my %slow = (chat => { latency_ms => 2000 });


subtest 'a message is taken in' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one');
    wait_call(1);
    my $two = message($lane, 'two', data => { surface => 'telegram' });

    wait_job($_, 'done') for $one, $two;
    wait_idle($lane);
    is_deeply(texts($lane), ["one\ntwo"], 'one reply answers both');
    is(asked(), 2, 'the model was asked again');
    is(value("SELECT count(*) FROM messages WHERE address = '$chat'
              AND direction = 'out'"), 1, 'and only that is stored');
    is(value("SELECT surface FROM messages WHERE turn = '$one'
              AND direction = 'out'"), 'telegram', 'as the last one asked');
    is_deeply([map { value("SELECT turn FROM jobs WHERE id = '$_'") }
        $one, $two], [$one, $one], 'the jobs say so');
    ok($worker->wait_step('merged'), 'so does the log');
};

subtest 'nothing is asked of the queue for others' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = 'globex/conv/manychat:-:' . ++$chat;
    my $one = message($lane, 'one');
    wait_call(1);
    my $two = message($lane, 'two');

    wait_job($_, 'done') for $one, $two;
    is_deeply(texts($lane), ['one', 'two'], 'each has a reply');
    is(asked(), 2, 'in turn');
};

subtest 'somebody writes on and on' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my @ids;

    for my $n (1 .. 5) {
        push @ids, message($lane, "$n");
        wait_call($n);
    }

    wait_job($_, 'done') for @ids;
    wait_idle($lane);
    is_deeply(texts($lane), ["1\n2\n3\n4", '5'],
              'after three times the reply goes out');
    is(asked(), 5, 'and the rest is for the next turn');
};

subtest 'what comes needs no answer' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one', provider_id => 'in.1');
    wait_call(1);
    my $over = message($lane, 'two', header => { flags => 'over' });
    my $repeat = message($lane, 'one', provider_id => 'in.1');

    wait_job($over, 'failed');
    wait_job($_, 'done') for $one, $repeat;
    wait_idle($lane);
    is_deeply(texts($lane), ['one'], 'the answer is sent as it is');
    is(asked(), 1, 'the model is not asked again');
};

subtest 'another kind of job comes' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one');
    wait_call(1);
    my $other = message($lane, 'two', kind => 'flow');

    wait_job($one, 'done');
    wait_job($other, 'dead');
    is_deeply(texts($lane), ['one'], 'it is no part of the turn');
};

subtest 'a person takes over meanwhile' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one');
    wait_call(1);
    $postgres->sql('system', "UPDATE conversations SET taken_over = true
                              WHERE lane = '$lane'");
    my $two = message($lane, 'two');

    wait_job($_, 'done') for $one, $two;
    like(reason($two), qr/taken over/, 'it is left to that person');
    is_deeply(texts($lane), [], 'nobody is answered');
    is(asked(), 1, 'the model is not asked again');
};

subtest 'the worker dies with what it took in' => sub {
    fresh({ %slow });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one');
    wait_call(1);
    my $two = message($lane, 'two');
    wait_call(2);
    $worker->stop('KILL');
    my $next = worker();

    wait_job($_, 'done') for $one, $two;
    wait_idle($lane);
    is_deeply(texts($lane), ["one\ntwo"], 'both are answered, once');
};

subtest 'a reply that is composed is not doubled' => sub {
    fresh({ %slow, manychat => { fail_first => { count => 1, status => 500 } }
        });
    my $worker = worker();
    my $lane = lane();
    my $one = message($lane, 'one');
    wait_for('the reply', sub { (reply($one))[0] eq 'composed' });
    my $two = message($lane, 'two');

    wait_job($_, 'done') for $one, $two;
    is_deeply(texts($lane), ['one', 'two'], 'what comes then waits');
    is(asked(), 2, 'and is asked for itself');
};

is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;
