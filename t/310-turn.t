#!/usr/bin/perl

# A worker's turns, on a real Redis and PostgreSQL; the model and the
# providers are the sandbox.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Setter::Chat;
use Setter::Turns;
use Test::More;
use Time::HiRes qw(sleep time);

start();


subtest 'one message is answered' => sub {
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello', provider_id => 'in.1',
                     profile => { name => 'Robin' });

    wait_job($id, 'done');
    wait_idle($lane);
    is_deeply(texts($lane), ['Hello'], 'the answer was sent once');
    is((reply($id))[0], 'sent', 'and is recorded as sent');

    my ($row) = $postgres->sql('system', "SELECT attempts, kind, lane,
        payload->>'text', turn = id, received_at <= now() FROM jobs
        WHERE id = '$id'");
    is_deeply($row, [1, 'message', $lane, 'Hello', 't', 't'], 'the job');

    ($row) = $postgres->sql('system', "SELECT direction, state, provider_id,
        address, text FROM messages WHERE id = '$id'");
    is_deeply($row, ['in', 'received', 'in.1', $chat, 'Hello'],
              'the message that came in');

    ($row) = $postgres->sql('system', "SELECT provider, address, surface,
        text, model IS NOT NULL, completion_tokens > 0, sent_at IS NOT NULL
        FROM messages WHERE turn = '$id' AND direction = 'out'");
    is_deeply($row, ['manychat', $chat, 'instagram', 'Hello', 't', 't', 't'],
              'the reply');

    is(value("SELECT profile->>'name' FROM contacts
              WHERE address = '$chat'"), 'Robin', 'the contact');
    is(value("SELECT status FROM tenants WHERE slug = 'acme'"), 'seen',
       'the tenant, whom nobody added');

    is_deeply([map { $_->{step} } grep { $_->{msg} eq 'step' }
               $worker->lines],
              [qw(claimed recorded asked composed sending sent completed)],
              'the log has each step');
    my ($turn) = $worker->turns;
    is($turn->{outcome}, 'sent', 'and the end');
    is($turn->{trace}, '4bf92f3577b34da6a3ce929d0e0e4736',
       'with the trace id');
    is($turn->{tenant}, 'acme', 'the tenant');
    is($turn->{job}, $id, 'and the first job');
    unlike($worker->text, qr/$chat/, 'no line names the person');
    is($worker->stop, 0, 'TERM ends the worker');
};


subtest 'three quick messages have one answer' => sub {
    fresh();
    my $lane = lane();
    my @ids = map { message($lane, $_) } qw(one two three);
    my $worker = worker();

    wait_job($_, 'done') for @ids;
    wait_idle($lane);
    is_deeply(texts($lane), ["one\ntwo\nthree"],
              'which knows all, in order');
    is(asked(), 1, 'the model was asked once');
};


subtest 'the model is reminded of what was said' => sub {
    my $model = Setter::Chat->start;
    my $worker = worker(OPENAI_BASE_URL => $model->url,
                        SETTER_MEMORY_EXCHANGES => 2,
                        SETTER_SYSTEM_PROMPT => 'Be brief.');
    my $lane = lane();

    for my $n (1 .. 4) {
        wait_job(message($lane, "question $n"), 'done');
    }

    is_deeply([map { "$_->{role}: $_->{content}" } $model->last_messages],
              ['system: Be brief.',
               'user: question 2', 'assistant: answer to question 2',
               'user: question 3', 'assistant: answer to question 3',
               'user: question 4'], 'of the last exchanges');
};


# --- the fence: each condition holds the reply back

my %gates = (
    'a person takes over' => {
        sql    => 'UPDATE conversations SET taken_over = true',
        reason => qr/taken over/,
        status => 'done',
    },
    'the contact opts out' => {
        sql    => 'UPDATE contacts SET opted_out = true',
        where  => sub { "address = '$chat'" },
        reason => qr/opted out/,
        status => 'failed',
    },
    'the window closes' => {
        sql    => 'UPDATE conversations SET window_until = now()',
        reason => qr/window/,
        status => 'failed',
    },
);

for my $name (sort keys %gates) {
    subtest "$name while the model thinks" => sub {
        fresh({ chat => { latency_ms => 2000 } });
        my $worker = worker();
        my $lane = lane();
        my $gate = $gates{$name};
        my $where = $gate->{where} ? $gate->{where}->() : "lane = '$lane'";
        my $id = message($lane, 'Hello');

        wait_asking();
        $postgres->sql('system', "$gate->{sql} WHERE $where");
        wait_job($id, $gate->{status});
        wait_idle($lane);
        my ($state, $error) = reply($id);
        is($state, 'failed', 'the reply is dropped');
        like($error, $gate->{reason}, 'with the reason');
        like(reason($id), $gate->{reason}, 'which the job has too');
        is_deeply(texts($lane), [], 'nothing is sent');
    };
}

subtest 'a later turn has begun' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    my $token = value("UPDATE conversations SET turn_token = turn_token
                       + 1000000000000000 WHERE lane = '$lane'
                       RETURNING turn_token - 1000000000000000");
    ok($worker->wait_log(sub { ($_->{outcome} // '') eq 'back' }),
       'the stale turn goes back');
    is((reply($id))[0], '', 'its answer is not even stored');

    $postgres->sql('system', "UPDATE conversations SET turn_token = $token
                              WHERE lane = '$lane'");
    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'the next one answers');
};

subtest 'a reply that is no longer composed' => sub {
    fresh({ manychat => { status => { 500 => 1 } } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    ok($worker->wait_log(sub { ($_->{outcome} // '') eq 'retry' }),
       'the provider refuses');
    is((reply($id))[0], 'composed', 'the reply waits');
    is(job($id), 'queued', 'so does the job');
    like(reason($id), qr/500/, 'with the reason');

    $postgres->sql('system', "UPDATE messages SET state = 'sending'
                              WHERE turn = '$id' AND direction = 'out'");
    fresh();
    wait_job($id, 'done');
    is((reply($id))[0], 'unknown', 'it may have been sent');
    is_deeply(texts($lane), [], 'so it is not sent again');
    is(asked(), 0, 'and the model not asked again');
};


# --- what happens to workers

subtest 'a worker is killed while the model thinks' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $first = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    $first->stop('KILL');
    my $second = worker();
    my $killed = time;
    wait_job($id, 'done');
    cmp_ok(time - $killed, '<', 1 + 2 + 1, 'soon after the lease');
    is_deeply(texts($lane), ['Hello'], 'another one answers, once');
    is(value("SELECT attempts FROM jobs WHERE id = '$id'"), 2,
       'at the second attempt');
};

subtest 'a worker is killed between send and mark' => sub {
    fresh({ manychat => { latency_ms => 1000 } });
    my $first = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_for('the send', sub { $sandbox->calls->{manychat}{open} });
    is((reply($id))[0], 'sending', 'the reply is marked before it leaves');
    $first->stop('KILL');
    my $second = worker();
    wait_job($id, 'done', 10);
    my ($state, $error) = reply($id);
    is($state, 'unknown', 'the reply is unknown');
    like($error, qr/worker was lost/, 'with the reason');
    is_deeply(texts($lane), ['Hello'], 'it is not sent again');
    is(asked(), 1, 'the model is not asked again');
    wait_idle($lane);
};

subtest 'a job kills one worker after another' => sub {
    fresh({ chat => { latency_ms => 5000 } });
    my $lane = lane();
    my $id = message($lane, 'Hello');

    for my $times (1 .. 3) {
        my $worker = worker(SETTER_LEASE_MS => 500);
        wait_asking();
        $worker->stop('KILL');
        wait_for('the model to be left', sub {
            !$sandbox->calls->{chat}{open} });
    }

    my $worker = worker();
    wait_job($id, 'dead');
    wait_idle($lane);
    like(reason($id), qr/worker was lost/, 'it is given up, with the reason');
    is(value("SELECT jsonb_typeof(payload) FROM jobs WHERE id = '$id'"),
       'object', 'its envelope is kept');
    is(asked(), 3, 'and the model was asked no more');
};

subtest 'a worker is stopped, and another takes its lane' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $first = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    $first->signal('STOP');
    my $second = worker();
    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'the other one answers');
    $first->signal('CONT');
    ok($first->wait_log(sub { ($_->{outcome} // '') =~ /lost|back/ }),
       'the first lets go');
    is_deeply(texts($lane), ['Hello'], 'and sends nothing');
};

subtest 'TERM: turns in hand are finished' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    is($worker->stop, 0, 'the worker ends well');
    is(job($id), 'done', 'the turn was finished');
    is_deeply(texts($lane), ['Hello'], 'and the answer sent');
};

subtest 'TERM: at the deadline turns are handed back' => sub {
    fresh({ chat => { latency_ms => 10000 } });
    my $worker = worker(SETTER_STOP_MS => 300);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    my $from = time;
    is($worker->stop, 0, 'the worker ends well');
    cmp_ok(time - $from, '<', 2, 'in time');
    is(job($id), 'queued', 'the job waits for another');
    my ($turn) = $worker->turns;
    is($turn->{outcome}, 'back', 'it was handed back');

    fresh();
    my $second = worker();
    wait_job($id, 'done', 5);
    is_deeply(texts($lane), ['Hello'], 'which answers');
    is(value("SELECT attempts FROM jobs WHERE id = '$id'"), 1,
       'no failure was counted');
};


# --- what happens around them

subtest 'the model fails twice' => sub {
    fresh({ chat => { fail_first => { count => 2, status => 500 } } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'the third call answers');
    is(asked(), 3, 'within one turn');
    is(value("SELECT attempts FROM jobs WHERE id = '$id'"), 1,
       'which did not fail');
};

subtest 'the model names a time' => sub {
    fresh({ chat => { fail_first => { count => 1, status => 429 },
                      retry_after => 1 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done');
    my ($turn) = $worker->turns;
    cmp_ok($turn->{llm_ms}, '>=', 1250, 'it is heard, and a little more');
    is(asked(), 2, 'one more call');
};

subtest 'the model names a time that is now' => sub {
    fresh({ chat => { fail_first => { count => 2, status => 429 },
                      retry_after => 0 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done');
    my ($turn) = $worker->turns;
    cmp_ok($turn->{llm_ms}, '>=', 750, 'the pauses are kept');
};

subtest 'the model is stuck' => sub {
    fresh({ chat => { fail_first => { count => 1, timeout => \1 } } });
    my $worker = worker(SETTER_LLM_TIMEOUT_MS => 4000);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done');
    is(asked(), 2, 'a second call has the time that is left');
};

subtest 'the model keeps failing' => sub {
    fresh({ chat => { status => { 500 => 1 } } });
    my $worker = worker(SETTER_LLM_TIMEOUT_MS => 100,
                        SETTER_MAX_FAILURES => 2);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'dead');
    wait_idle($lane);
    like(reason($id), qr/500/, 'with the reason');
    is(asked(), 2, 'after so many failures');
    is_deeply(texts($lane), [], 'nothing was sent');
    is(value("SELECT count(*) FROM messages WHERE id = '$id'"), 1,
       'the message is recorded all the same');
};

subtest 'the model refuses for good' => sub {
    fresh({ chat => { status => { 400 => 1 } } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'failed');
    like(reason($id), qr/400/, 'with the reason');
    wait_idle($lane);
    is(asked(), 1, 'it was asked once');
    is((reply($id))[0], '', 'and there is no reply');
};

subtest 'the key is refused' => sub {
    fresh({ chat => { status => { 401 => 1 } } });
    my $worker = worker(SETTER_MAX_FAILURES => 1);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    ok($worker->wait_log(sub { $_->{level} eq 'error' }), 'an error is said');
    wait_job($id, 'queued');
    is($worker->stop, 0, 'stopped');
    fresh();
    $queue->claim(slots => 0);
    is($redis->hget($queue->key("claim:$lane"), 'failures') // 0, 0,
       'no failure is counted: the jobs wait for a person');
    $redis->zadd($queue->key('due'), 0, $lane);
    my $second = worker();
    wait_job($id, 'done');
};

subtest 'the send is cut off' => sub {
    fresh({ manychat => { cut_after_accept => 1 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done');
    is((reply($id))[0], 'unknown', 'the reply is unknown');
    is_deeply(texts($lane), ['Hello'], 'and not sent again');
    wait_idle($lane);
};

subtest 'the provider refuses for a while' => sub {
    fresh({ manychat => { fail_first => { count => 2, status => 500 } } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'done', 15);
    is((reply($id))[0], 'sent', 'the reply is sent at last');
    is_deeply(texts($lane), ['Hello'], 'once');
    is(asked(), 1, 'the model was asked once');
};

subtest 'the provider refuses for good' => sub {
    fresh({ manychat => { status => { 400 => 1 } } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_job($id, 'failed');
    is((reply($id))[0], 'failed', 'so has the reply');
    isnt(reason($id), '', 'with the reason');
    wait_idle($lane);
};

subtest "the provider's key is refused" => sub {
    fresh({ manychat => { status => { 401 => 1 } } });
    my $worker = worker(SETTER_MAX_FAILURES => 1);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    my $line = $worker->wait_log(sub { $_->{level} eq 'error' });
    like($line->{reason}, qr/401/, 'an error is said');
    wait_job($id, 'queued');
    is((reply($id))[0], 'composed', 'the reply waits for a person');
    is($worker->stop, 0, 'stopped');
    fresh();
    $redis->zadd($queue->key('due'), 0, $lane);
    my $second = worker();
    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'and is sent when it is mended');
    is(asked(), 0, 'as the model wrote it');
};

subtest 'PostgreSQL goes while the model thinks' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    $postgres->stop;
    wait_for('the model to answer', sub { !$sandbox->calls->{chat}{open} });
    sleep 0.5;
    is_deeply(texts($lane), [], 'nothing is sent without the record');
    $postgres->run_server;
    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'the answer is sent when it is back');
    is(asked(), 1, 'the model was asked once');
};

subtest 'PostgreSQL goes while the provider takes the message' => sub {
    fresh({ manychat => { latency_ms => 1000 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_for('the send', sub { $sandbox->calls->{manychat}{open} });
    $postgres->stop;
    wait_for('its end', sub { !$sandbox->calls->{manychat}{open} });
    $postgres->run_server;
    wait_job($id, 'done');
    is((reply($id))[0], 'sent', 'it is marked when the record is back');
    is_deeply(texts($lane), ['Hello'], 'and sent once');
};

subtest 'the contact is locked while the reply is to be sent' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $worker = worker(SETTER_LEASE_MS => 8000);
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    my $holder = fork // die "fork: $!";
    if ($holder == 0) {
        eval { $postgres->sql('system', "UPDATE contacts SET opted_out = false
            WHERE address = '$chat'; SELECT pg_sleep(7)") };
        POSIX::_exit(0);
    }

    ok($worker->wait_log(sub { ($_->{sqlstate} // '') eq '57014' }),
       'PostgreSQL gives up before the worker');
    ok($worker->wait_log(sub { ($_->{outcome} // '') eq 'back' }),
       'the turn goes back');
    is((reply($id))[0], 'composed', 'the reply is not marked');
    is_deeply(texts($lane), [], 'nor sent');
    waitpid $holder, 0;
    wait_job($id, 'done');
    is_deeply(texts($lane), ['Hello'], 'but when the lock is gone, once');
};

subtest 'Redis is restarted while the model thinks' => sub {
    fresh({ chat => { latency_ms => 1500 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    $server->stop;
    $server->run;
    redis_again();
    wait_job($id, 'done');
    wait_idle($lane);
    is_deeply(texts($lane), ['Hello'], 'the turn goes on');
    is(asked(), 1, 'the model was asked once');
};

subtest 'Redis hangs while the model thinks' => sub {
    fresh({ chat => { latency_ms => 2000 } });
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello');

    wait_asking();
    kill 'STOP', $server->{pid};
    wait_for('the answer to be stored', sub { (reply($id))[0] });
    sleep 1.5;
    is((reply($id))[0], 'composed', 'it waits');
    is_deeply(texts($lane), [], 'nothing is sent without a lease');
    kill 'CONT', $server->{pid};
    wait_job($id, 'done', 20);
    wait_idle($lane);
    is_deeply(texts($lane), ['Hello'], 'but when Redis is back, once');
    is(asked(), 1, 'the model was asked once');
};


# --- jobs that are no ordinary messages

subtest 'jobs that cannot be answered' => sub {
    fresh();
    my $worker = worker();
    my %jobs = (
        'unknown provider' => [provider => 'pigeon'],
        'does not handle the kind' => [kind => 'flow'],
        'disagrees' => [tenant => 'globex'],
        'cannot be read' => [envelope => "{\"no\": \"\xff\0\"}"],
        'no text' => [text => undef],
        'missing' => [from => undef],
    );

    for my $reason (sort keys %jobs) {
        my $lane = lane();
        my $id = message($lane, 'Hello', @{ $jobs{$reason} });
        wait_job($id, 'dead');
        like(reason($id), qr/$reason/, $reason);
        wait_idle($lane);
    }

    unlike($worker->text, qr/conv.{0,2}manychat/, 'no line names a person');
    is(asked(), 0, 'the model was never asked');
    is(value("SELECT jsonb_typeof(payload) FROM jobs
              WHERE reason = 'the envelope cannot be read'"), 'string',
       'what is not JSON is kept as a string');
};

subtest 'JSON that jsonb cannot hold' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    my $id = uuid();
    message($lane, '', id => $id, envelope =>
        qq({"id":"$id","kind":"message","tenant":"acme","lane":"$lane",)
        . qq("from":"$chat","text":"Caf\xc3\xa9","provider":"manychat",)
        . q("data":{"n":1e400000}}));

    wait_job($id, 'done');
    is_deeply(texts($lane), ["Caf\xe9"], 'is answered');
    like(value("SELECT payload#>>'{}' FROM jobs WHERE id = '$id'"),
         qr/Caf\xc3\xa9.*1e400000/, 'and kept as a string');
};

subtest 'a job comes again much later' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello', provider_id => 'in.2');
    wait_job($id, 'done');
    wait_idle($lane);

    $redis->del($queue->key("seen:$id"));
    message($lane, 'Hello', id => $id, provider_id => 'in.2');
    my $repeat = message($lane, 'Hello', provider_id => 'in.2');
    my $new = message($lane, 'And then?');
    wait_job($_, 'done') for $repeat, $new;
    wait_idle($lane);
    is_deeply(texts($lane), ['Hello', 'And then?'],
              'only what is new is answered');
    like(reason($repeat), qr/repeats/, 'the repeat says so');
};

subtest 'a conversation that a person has taken over' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    wait_job(message($lane, 'Hello'), 'done');
    $postgres->sql('system', "UPDATE conversations SET taken_over = true
                              WHERE lane = '$lane'");
    fresh();
    my $id = message($lane, 'Is anybody there?');
    wait_job($id, 'done');
    like(reason($id), qr/taken over/, 'is left to that person');
    is(asked(), 0, 'the model is not asked');
    is(value("SELECT count(*) FROM messages WHERE id = '$id'"), 1,
       'the message is recorded');
};

subtest 'a tenant that is suspended' => sub {
    fresh();
    my $lane = 'dormant/conv/manychat:-:' . ++$chat;
    $postgres->sql('owner', "INSERT INTO tenants (slug, status)
        VALUES ('dormant', 'suspended'), ('globex', 'active')");
    my $worker = worker();
    my $id = message($lane, 'Hello');
    wait_job($id, 'failed');
    like(reason($id), qr/suspended/, 'gets no answers');
    is(asked(), 0, 'and the model is not asked');
    is_deeply([sort $redis->smembers($queue->key('known'))], ['globex'],
              'only active tenants are published, not those seen');
};

subtest 'a message goes out through Infobip' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello', provider => 'infobip', to => undef);

    wait_job($id, 'done');
    my ($sent) = grep { $_->{to} eq $chat } @{ $sandbox->sent };
    is($sent->{from}, '15550199', 'from our number');
    is($sent->{raw}{callbackData} // $sent->{raw}{messageId},
       value("SELECT id FROM messages WHERE turn = '$id'
              AND direction = 'out'"), 'our message id travels along');
    is(value("SELECT provider_id FROM messages WHERE turn = '$id'
              AND direction = 'out'"), $sent->{id}, "the provider's is kept");
};

subtest 'a message goes out through Meta' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    my $id = message($lane, 'Hello', provider => 'meta',
        to => '100000000000009');

    wait_job($id, 'done');
    my ($sent) = grep { $_->{to} eq $chat } @{ $sandbox->sent };
    is($sent->{provider}, 'meta', 'it was Meta');
    is($sent->{from}, '100000000000009', 'from the number it came to');
    is($sent->{raw}{biz_opaque_callback_data},
       value("SELECT id FROM messages WHERE turn = '$id'
              AND direction = 'out'"), 'our message id travels along');
    is(value("SELECT provider_id FROM messages WHERE turn = '$id'
              AND direction = 'out'"), $sent->{id}, "the provider's is kept");
};

subtest 'a message of Meta that came to no number of ours' => sub {
    fresh();
    my $worker = worker();
    my $id = message(lane(), 'Hello', provider => 'meta', to => undef);

    wait_job($id, 'done');
    my ($sent) = grep { $_->{to} eq $chat } @{ $sandbox->sent };
    is($sent->{from}, '100000000000001', 'META_PHONE_NUMBER_ID answers');
};

subtest 'Meta refuses for good: the message is failed, and why' => sub {
    fresh({ meta => { status => { 404 => 1 } } });
    my $worker = worker();
    my $id = message(lane(), 'Hello', provider => 'meta');

    wait_job($id, 'failed');
    like(reason($id), qr/404 132001/, 'with its code');
    is(scalar(grep { $_->{to} eq $chat } @{ $sandbox->sent }), 0,
        'and nothing was sent');
};

subtest 'a message goes out through Instagram' => sub {
    fresh();
    my $worker = worker();
    my $id = message(lane(), 'Hello', provider => 'instagram',
        to => '17800000000000123');

    wait_job($id, 'done');
    my ($sent) = grep { $_->{to} eq $chat } @{ $sandbox->sent };
    is($sent->{provider}, 'instagram', 'it was Instagram');
    is($sent->{from}, '17800000000000123', 'from the account it came to');
    is(value("SELECT provider_id FROM messages WHERE turn = '$id'
              AND direction = 'out'"), $sent->{id}, "the provider's is kept");

    my $next = message(lane(), 'Hello', provider => 'instagram', to => undef);
    wait_job($next, 'done');
    ($sent) = grep { $_->{to} eq $chat } @{ $sandbox->sent };
    is($sent->{from}, '17800000000000001', 'or else from INSTAGRAM_ACCOUNT_ID');
};

subtest 'Instagram: its longest text, one of a byte more, and a refusal' => sub {
    fresh({ chat => { reply => 'x' x 1000 } });
    my $worker = worker();
    my $lane = lane();
    my $sent = sub {
        return map { length $_->{text} } grep { $_->{to} eq $chat }
            @{ $sandbox->sent };
    };

    wait_job(message($lane, 'Hello', provider => 'instagram'), 'done');
    is_deeply([ $sent->() ], [ 1000 ], 'is sent as it is');
    $sandbox->behave({ chat => { reply => 'x' x 999 . "\xe9" } });
    wait_job(message($lane, 'Hello', provider => 'instagram'), 'done');
    is_deeply([ $sent->() ], [ 1000, 999, 1 ], 'in two parts');

    $sandbox->behave({ instagram => { status => { 403 => 1 } } });
    my $id = message($lane, 'Hello', provider => 'instagram');
    wait_job($id, 'failed');
    like(reason($id), qr{403 10/2534022}, 'with its code and subcode');
};


# --- settings

subtest 'wrong settings' => sub {
    my @wrong = (
        [SETTER_LLM          => 'gemini'],
        [SETTER_LOG_LEVEL    => 'loud'],
        [SETTER_REDIS_URL    => 'http://localhost/'],
        [SETTER_REDIS_URL    => ''],
        [SETTER_DATABASE_URL => 'nonsense'],
        [SETTER_DATABASE_URL => ''],
        [SETTER_CONCURRENCY  => '0'],
    );

    for (@wrong) {
        my ($name, $value) = @$_;
        my ($status, $text) = Setter::Worker->run(%env, $name => $value);
        is($status, 2, "$name=$value: exit 2");
        like($text, qr/\A[^\n]*$name[^\n]*\n\z/, 'and one line');
    }
};

subtest 'a Redis that must not be used' => sub {
    my ($status, $text) = Setter::Worker->run(%env, SETTER_PARTITIONS => 2);
    is($status, 2, 'another number of partitions: exit 2');
    is(() = $text =~ /"level":"error"/g, 1, 'one line says why')
        or diag $text;

    $redis->config_set('maxmemory-policy', 'allkeys-lru');
    ($status, $text) = Setter::Worker->run(%env);
    is($status, 2, 'a Redis that forgets keys: exit 2');
    like($text, qr/noeviction/, 'with the reason');
    $redis->config_set('maxmemory-policy', 'noeviction');
};

subtest 'no key for the model' => sub {
    fresh();
    my $worker = worker(OPENAI_API_KEY => '',
                        OPENAI_BASE_URL => 'https://api.openai.com/v1');
    my $hint = $worker->wait_log(sub { defined $_->{hint} });
    like($hint->{hint}, qr/OPENAI_API_KEY/, 'a hint says what to set');

    my $id = message(lane(), 'Hello');
    sleep 0.5;
    is(job($id), '', 'nothing is claimed');
    is($worker->stop, 0, 'the worker stays until it is stopped');

    my $second = worker();
    wait_job($id, 'done');
};

is_deeply([Setter::Worker->reports], [], 'no sanitizer has a report');

done_testing;


# A model that keeps what it was asked.
