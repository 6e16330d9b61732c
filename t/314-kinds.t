#!/usr/bin/perl

# Jobs of other kinds than a message to be answered: what is over a quota,
# what workers of another make handled, what providers report.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Test::More;

start();
my $worker = worker();

# --- over the quota

subtest 'a message over the quota' => sub {
    fresh();
    my $lane = lane();
    my ($first, $over, $last) = (message($lane, 'one'),
        message($lane, 'two', header => { flags => 'over' }),
        message($lane, 'three'));

    wait_job($_, 'done') for $first, $last;
    wait_job($over, 'failed');
    is(reason($over), 'quota exceeded', 'says why');
    is_deeply(texts($lane), ["one\nthree"], 'is not answered');
    is(value("SELECT text FROM messages WHERE id = '$over'"), 'two',
       'but recorded');
    is(value("SELECT turn IS NULL FROM jobs WHERE id = '$over'"), 't',
       'as part of no turn');
    wait_idle($lane);
};

subtest 'nothing but messages over the quota' => sub {
    fresh();
    my $lane = lane();
    my @over = map { message($lane, $_, header => { flags => 'again,over' }) }
        qw(one two);

    wait_job($_, 'failed') for @over;
    wait_idle($lane);
    is(asked(), 0, 'the model is not asked');
};


# --- what workers of another make handled

# The queue's job for one that was handled outside.
sub handled {
    my ($lane, $text, $status, %more) = @_;
    my $id = uuid();

    message($lane, $text, id => $id, %more, header => {
        id => "$id-r", kind => 'record', lane => "acme/record/$id",
        flags => "status=$status", %{ $more{header} // {} } });
    return $id;
}

subtest 'a message handled elsewhere' => sub {
    fresh();
    my $lane = lane();
    my %jobs = map { $_ => handled($lane, $_, $_) } qw(done failed dead);

    for my $status (sort keys %jobs) {
        wait_job($jobs{$status}, $status);
        is(value("SELECT text || lane FROM messages
                  WHERE id = '$jobs{$status}'"), "$status$lane",
           'with its message');
        wait_idle("acme/record/$jobs{$status}");
    }

    is(reason($jobs{done}), '', 'one that is done needs no reason');
    isnt(reason($jobs{dead}), '', 'or the reason is told');
    is(value("SELECT string_agg(kind || lane, ' ') FROM jobs
              WHERE id IN ('" . join("','", values %jobs) . "')"),
       join(' ', ("message$lane") x 3), 'under its own kind and lane');
    is(value("SELECT turn_token FROM conversations WHERE lane = '$lane'"), 0,
       'the conversation is not taken');
    is(asked(), 0, 'nobody is answered');
};

subtest 'what was put on record may be anything' => sub {
    my $lane = lane();
    my $pigeon = handled($lane, undef, 'done', provider => 'pigeon');
    wait_job($pigeon, 'done');
    is(value("SELECT provider FROM messages WHERE id = '$pigeon'"), 'pigeon',
       'a provider that only others know');

    my $named = uuid();
    message($lane, 'Hello', id => "order-$named", header => {
        id => "order-$named-r", kind => 'record',
        lane => "acme/record/order-$named", flags => 'status=done' });
    wait_for('it', sub {
        value("SELECT count(*) FROM jobs WHERE payload->>'id' =
               'order-$named' AND status = 'done'")
    });
    is(value("SELECT count(*) FROM messages AS m JOIN jobs AS j USING (id)
              WHERE j.payload->>'id' = 'order-$named'"), 1,
       'an id that is no UUID');

    my %wrong = (
        'another lane' => { lane => 'acme/record/x' },
        'another id' => { id => uuid() . '-r' },
        'no -r' => { id => uuid() },
        'another tenant' => { tenant => 'globex', lane => 'globex/record/x' },
    );
    for my $name (sort keys %wrong) {
        my $id = uuid();
        message($lane, $name, id => $id, header => {
            id => "$id-r", kind => 'record', lane => "acme/record/$id",
            flags => 'status=done', %{ $wrong{$name} } });
        ok(wait_for($name, sub { value("SELECT count(*) FROM jobs
            WHERE payload->>'id' = '$id' AND status = 'dead'
            AND reason LIKE '%disagrees%'") }), "$name disagrees");
    }
};

subtest 'a message that both had' => sub {
    fresh({ chat => { status => { 401 => 1 } } });
    my $lane = lane();
    my $id = message($lane, 'Hello');
    wait_job($id, 'queued');
    message($lane, 'Hello', id => $id, header => {
        id => "$id-r", kind => 'record', lane => "acme/record/$id",
        flags => 'status=done' });
    wait_job($id, 'done');
    fresh();
    $redis->zadd($queue->key('due'), 0, $lane);
    $redis->xadd($queue->key('inbox'), '*', h => '', j => '');
    wait_idle($lane);
    is_deeply(texts($lane), [], 'is not answered once it is done');
};


is($worker->stop, 0, 'the worker ends');
is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;
