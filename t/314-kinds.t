#!/usr/bin/perl

# Jobs of other kinds than a message to be answered: what is over a quota,
# what workers of another make handled, what providers report.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS ();
use Setter::Turns;
use Test::More;

my $json = JSON::XS->new->canonical;

start();
my $worker = worker();

# A job of another kind; returns its id.
sub append {
    my ($kind, %more) = @_;
    my $id = uuid();
    my %job = (id => $id, kind => $kind, tenant => 'acme',
        received_at => '2026-11-20T10:30:00.123Z', %more);

    $job{lane} //= "$job{tenant}/$kind/$id";
    $queue->append(%job, envelope => $json->encode(\%job));
    return $id;
}


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
    is_deeply(texts($lane), ['one', "two\nthree"],
              'is not answered, but remembered');
    is(asked(), 2, 'the model was asked about the others');
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
        id => "$id-r", kind => 'record', flags => "status=$status",
        %{ $more{header} // {} } });
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
    }
    wait_idle($lane);

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
        id => "order-$named-r", kind => 'record', flags => 'status=done' });
    wait_for('it', sub {
        value("SELECT count(*) FROM jobs WHERE payload->>'id' =
               'order-$named' AND status = 'done'")
    });
    is(value("SELECT count(*) FROM messages AS m JOIN jobs AS j USING (id)
              WHERE j.payload->>'id' = 'order-$named'"), 1,
       'an id that is no UUID');

    my %wrong = (
        'another lane' => { lane => 'acme/conv/x' },
        'another id' => { id => uuid() . '-r' },
        'no -r' => { id => uuid() },
        'another tenant' => { tenant => 'globex', lane => 'globex/conv/x' },
    );
    for my $name (sort keys %wrong) {
        my $id = uuid();
        message($lane, $name, id => $id, header => {
            id => "$id-r", kind => 'record', flags => 'status=done',
            %{ $wrong{$name} } });
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
    $queue->tenant('acme', outside => 1);
    $redis->zadd($queue->key('due'), 0, $lane);
    my $turn = wait_for('it', sub { $queue->take('acme')->{turns}[0] });
    fresh();
    is($queue->complete($turn), 1, 'is completed outside');
    wait_job($id, 'done');
    wait_idle($lane);
    is_deeply(texts($lane), [], 'and not answered by us');
    $queue->tenant('acme', outside => '');
};


# --- what providers report

# A reply in this state, recorded as if a turn had sent it; its id.
sub sent {
    my ($state, $provider_id) = @_;
    my $id = uuid();
    my $theirs = defined $provider_id ? "'$provider_id'" : 'NULL';

    $postgres->as_tenant('acme', "INSERT INTO conversations (tenant, lane,
        window_until) VALUES ('acme', 'acme/conv/r', now())
        ON CONFLICT DO NOTHING; INSERT INTO messages (tenant, id, lane,
        direction, state, turn, provider, provider_id, address) VALUES
        ('acme', '$id', 'acme/conv/r', 'out', '$state', '$id', 'infobip',
        $theirs, '1')");
    return $id;
}

# A report that has been seen to; its job.
sub report {
    my ($data, %more) = @_;
    my $id = append('status', provider => 'infobip', data => $data, %more);

    wait_for('the report', sub { job($id) =~ /done|failed|dead/ }, 20);
    return $id;
}

# What is known of a message.
sub known {
    return value("SELECT concat_ws(' ', state, CASE WHEN delivered_at
        IS NOT NULL THEN 'delivered' END, CASE WHEN read_at IS NOT NULL
        THEN 'read' END, CASE WHEN sent_at IS NOT NULL THEN 'at' END, error)
        FROM messages WHERE id = '$_[0]'");
}

subtest 'a reply that was unknown' => sub {
    my %said = (
        sent => 'sent at', delivered => 'sent delivered at',
        read => 'sent delivered read at', failed => 'failed why',
    );
    for my $state (sort keys %said) {
        my $id = sent('unknown');
        is(job(report({ id => $id, state => $state, reason => 'why' })),
           'done', "$state: the job is done");
        is(known($id), $said{$state}, 'and so much is known');
    }
};

subtest 'only forward' => sub {
    my @order = ([sent => 'sent at'], [failed => 'failed at no'],
        [delivered => 'sent delivered at'], [read => 'sent delivered read at']);

    for my $last (0 .. $#order) {
        my $id = sent('unknown');
        my $reached = $order[$last][1];
        for my $n ($last, 0 .. $last) {
            report({ id => $id, state => $order[$n][0], reason => 'no' });
        }
        $reached =~ s/ at// if $last == 1;      # it was never said to be sent
        is(known($id), $reached, "$order[$last][0] is not taken back");
    }

    my $id = sent('unknown');
    for (@order) {
        report({ id => $id, state => $_->[0], reason => 'no' });
        is(known($id), $_->[1], $_->[0]);
    }
};

subtest 'a reply that is about to be sent again' => sub {
    my $id = sent('composed');
    report({ id => $id, state => 'failed', reason => 'busy' });
    is(known($id), 'composed', 'is not hindered by the first try');
    report({ id => $id, state => 'delivered' });
    is(known($id), 'sent delivered at', 'but need not be, if that came');
};

subtest 'by the id of the provider' => sub {
    my $id = sent('sent', 'theirs-1');
    report({ provider_id => 'theirs-1', state => 'read' });
    is(known($id), 'sent delivered read at', 'is found');

    my $other = sent('sent', 'theirs-2');
    report({ provider_id => 'theirs-2', state => 'read' },
           provider => 'manychat');
    is(known($other), 'sent', "but not another provider's");

    my $late = sent('unknown');
    my $job = append('status', provider => 'infobip',
                     data => { provider_id => 'late', state => 'sent' });
    wait_job($job, 'queued');
    $postgres->sql('system', "UPDATE messages SET provider_id = 'late'
                              WHERE id = '$late'");
    wait_job($job, 'done');
    is(known($late), 'sent at', 'one that is not known yet is tried again');

    my $never = report({ provider_id => 'never', state => 'sent' });
    is(job($never), 'done', 'for a while');
    like(reason($never), qr/1 name no message of ours/, 'says what it was');
};

subtest 'a reply of another tenant' => sub {
    my $id = sent('unknown');
    my $job = append('status', tenant => 'globex',
                     data => { id => $id, state => 'sent' });
    wait_job($job, 'done', 20);
    is(known($id), 'unknown', 'is not touched');
};

subtest "what Infobip posted" => sub {
    my @ids = map { sent('unknown') } 1 .. 4;
    my @group = qw(PENDING DELIVERED REJECTED);
    my @results = map { { callbackData => $ids[$_], messageId => "m$_",
        status => { groupName => $group[$_], name => "NAME$_" } } } 0 .. 2;

    push @results, { messageId => $ids[3], seenAt => 'x' },
        { messageId => 'nobody', message => {} };
    my $job = report({ results => \@results });
    is(job($job), 'done', 'is one job');
    like(reason($job), qr/5 reports: 0 name no message of ours, 1 cannot/,
         'that tells of what was of no use');
    is_deeply([map { known($_) } @ids], ['sent at', 'sent delivered at',
        'failed NAME2', 'sent delivered read at'], 'each report counts');
    is(value("SELECT provider_id FROM messages WHERE id = '$ids[0]'"), 'm0',
       'and names the message');
};

subtest "what is no report" => sub {
    for my $data ({}, { state => 'sent' }, { id => uuid() },
                  { id => 'x', state => 'sent' }, { results => [] },
                  { id => uuid(), state => 'lost' }) {
        my $job = report($data);
        is(job($job), 'failed', $json->encode($data));
        like(reason($job), qr/no report/, 'said');
    }
};

subtest 'several reports of one lane' => sub {
    my ($id, $other) = map { sent('unknown') } 1, 2;
    my $lane = "acme/status/$id";
    $worker->stop;
    my @jobs = map { append('status', lane => $lane, data => $_) }
        { id => $id, state => 'sent' }, { state => 'sent' },
        { id => $other, state => 'read' };
    $worker = worker();
    wait_job($jobs[0], 'done');
    wait_job($jobs[1], 'failed');
    wait_job($jobs[2], 'done');
    wait_idle($lane);
    is(known($id), 'sent at', 'the first');
    is(known($other), 'sent delivered read at', 'the last');
    is(value("SELECT count(*) FROM conversations WHERE lane = '$lane'"), 0,
       'which is no conversation');
};

subtest 'a report that has to wait, and one behind it' => sub {
    my $id = sent('unknown');
    my $lane = "acme/status/$id";
    $worker->stop;
    my ($waits, $behind) = map { append('status', lane => $lane, data => $_) }
        { provider_id => 'nobody', state => 'sent' },
        { id => $id, state => 'read' };
    $worker = worker();
    ok(wait_for('both to wait', sub { value("SELECT count(*) FROM jobs
        WHERE status = 'queued' AND id IN ('$waits', '$behind')") == 2 }),
       'both wait');
    wait_job($_, 'done') for $waits, $behind;
    is(known($id), 'sent delivered read at', 'counts in the end');
};

subtest 'a reply is reported before the provider answered' => sub {
    fresh({ infobip => { latency_ms => 2000 } });
    my $lane = lane();
    my $id = message($lane, 'Hello', provider => 'infobip', to => undef);
    wait_for('the send', sub { (reply($id))[0] eq 'sending' });
    my $reply = value("SELECT id FROM messages WHERE turn = '$id'
                       AND direction = 'out'");
    report({ id => $reply, provider_id => 'early', state => 'delivered' });
    wait_job($id, 'done');
    is(known($reply), 'sent delivered at', 'it stays so');
};

is($worker->stop, 0, 'the worker ends');
is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;
