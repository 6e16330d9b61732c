#!/usr/bin/perl

# Jobs that come again in other company, as they do after Redis forgot that
# they were handed over: each is answered once, whatever became of the reply
# that an earlier turn had for some of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Test::More;

start();

# One message whose reply is composed, and a worker no more; then Redis
# forgets all, and the message comes again with a second one behind it.
sub again_with_another {
    my ($state, %with) = @_;

    fresh({ manychat => { status => { 401 => 1 } } });
    my $lane = lane();
    my $worker = worker();
    my $first = message($lane, 'one');
    wait_job($first, 'queued');
    is((reply($first))[0], 'composed', 'a reply is composed');
    is($worker->stop, 0, 'and the worker gone');

    $postgres->sql('system', "UPDATE messages SET state = '$state'
                              WHERE turn = '$first'");
    fresh();
    $redis->flushall;
    message($lane, 'one', id => $first) unless $with{alone};
    my $second = message($lane, 'two');

    my $next = worker();
    wait_job($second, 'done');
    message($lane, 'one', id => $first) if $with{alone};
    wait_job($first, 'done');
    wait_idle($lane);
    return ($lane, $first, $second);
}


subtest 'the reply was composed' => sub {
    my ($lane, $first, $second) = again_with_another('composed');

    is_deeply(texts($lane), ["one\ntwo"], 'both are answered, at once');
    is(asked(), 1, 'by the model, anew');
    is((reply($first))[0], 'sent', 'the turn has another reply');
    is(value("SELECT state || error FROM messages WHERE turn = '$first'
              AND set_aside"), 'faileda message came that it does not answer',
       'and the first is set aside');
};

for my $state (qw(sending sent unknown)) {
    subtest "the reply was $state" => sub {
        my ($lane, $first, $second) = again_with_another($state);

        is_deeply(texts($lane), ['two'], 'only the other is answered');
        is((reply($first))[0], $state eq 'sent' ? 'sent' : 'unknown',
           'the reply is not sent again');
        is((reply($second))[0], 'sent', 'which has a reply of its own');
        is(value("SELECT turn = id FROM jobs WHERE id = '$second'"), 't',
           'and says so');
    };
}

subtest 'the other was first' => sub {
    my ($lane, $first, $second) = again_with_another('composed', alone => 1);

    is_deeply(texts($lane), ["one\ntwo", 'one'],
              'each has its reply: the second with the first in memory');
};

subtest 'two messages with one reply come apart' => sub {
    fresh({ manychat => { status => { 401 => 1 } } });
    my $lane = lane();
    my ($one, $two) = map { message($lane, $_) } qw(one two);
    my $worker = worker();
    wait_job($_, 'queued') for $one, $two;
    is((reply($one))[0], 'composed', 'the reply answers both');
    is($worker->stop, 0, 'stopped');
    fresh();
    $redis->flushall;

    my $next = worker();
    message($lane, 'two', id => $two);
    wait_job($two, 'done');
    message($lane, 'one', id => $one);
    wait_job($one, 'done');
    wait_idle($lane);
    is_deeply(texts($lane), ["one\ntwo"], 'it is sent once');
    is(asked(), 0, 'as the model wrote it');
};

subtest 'messages that failed together come apart' => sub {
    fresh({ chat => { fail_first => { count => 1, status => 401 } } });
    my $lane = lane();
    my ($one, $two) = map { message($lane, $_) } qw(one two);
    my $worker = worker();
    wait_job($_, 'queued') for $one, $two;
    is($worker->stop, 0, 'stopped');
    $redis->flushall;

    my $next = worker();
    for ([$one, 'one'], [$two, 'two']) {
        message($lane, $_->[1], id => $_->[0]);
        wait_job($_->[0], 'done');
    }
    is_deeply(texts($lane), ["two\none", 'two'],
              'each has its reply: the first with the second in memory');
    is((reply($_))[0], 'sent', 'of its own') for $one, $two;
};

is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;
