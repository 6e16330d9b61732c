#!/usr/bin/perl

# Workers that leave by themselves: after one turn, after the job they were
# given, or when there is nothing to do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS ();
use POSIX ();
use Setter::Postgres;
use Setter::Queue;
use Setter::Redis;
use Setter::Sandbox;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(sleep time);

my $json = JSON::XS->new->utf8->canonical;
my $postgres = Setter::Postgres->start;
my $server = Setter::Redis->start(appendonly => 'yes');
my $sandbox = Setter::Sandbox->start;
my $redis = $server->client;
my $queue = Setter::Queue->new($redis, tag => 'mm');
my $number = 0;

my %env = (
    SETTER_REDIS_URL    => $server->url,
    SETTER_DATABASE_URL => $postgres->url('worker'),
    OPENAI_BASE_URL     => $sandbox->url . '/v1',
    OPENAI_API_KEY      => 'sandbox',
    MANYCHAT_BASE_URL   => $sandbox->url,
    MANYCHAT_API_KEY    => '1:sandbox',
    INFOBIP_BASE_URL    => $sandbox->url,
    INFOBIP_API_KEY     => 'sandbox',
    INFOBIP_SENDER      => '15550199',
    SETTER_ONCE_WAIT_MS => 10000,
);

# So that nothing is claimed.
my %no_model = (OPENAI_BASE_URL => 'https://api.openai.com/v1',
                OPENAI_API_KEY => '');

# An envelope of a conversation of its own.
sub envelope {
    my (%more) = @_;
    my $chat = 15550100 + ++$number;

    return {
        id => sprintf('00000000-0000-7000-8000-%012d', $number),
        kind => 'message', tenant => 'acme',
        lane => "acme/conv/manychat:-:$chat", from => "$chat",
        text => "text $number", type => 'text', provider => 'manychat',
        received_at => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime),
        data => { surface => 'instagram' }, %more,
    };
}

# Appends one as the module does; its id.
sub message {
    my ($envelope, %header) = @_;

    $queue->append(id => $envelope->{id}, lane => $envelope->{lane}, %header,
                   envelope => $json->encode($envelope));
    return $envelope->{id};
}

sub run {
    my @options = ref $_[0] ? shift : ();

    return Setter::Worker->run(@options, %env, @_);
}

sub start {
    my @options = ref $_[0] ? shift : ();

    return Setter::Worker->start(@options, %env, @_);
}

sub wait_for {
    my ($name, $code) = @_;
    my $limit = time + 20;
    my $result;

    sleep 0.02 until ($result = $code->()) || time > $limit;
    ok($result, $name);
}

sub status {
    return $postgres->value('system',
        "SELECT status FROM jobs WHERE id = '$_[0]'") // 'none';
}

sub texts { [sort map { $_->{text} } @{ $sandbox->sent }] }

# An empty queue, and a sandbox that has seen nothing.
# What an earlier test left unfinished would be brought back from the record.
sub fresh {
    $redis->flushall;
    $postgres->sql('system', "UPDATE jobs SET status = 'done'
        WHERE status IN ('queued', 'processing')");
    $sandbox->reset;
    $sandbox->reset_calls;
    $sandbox->behave($_[0]) if $_[0];
}

my $since = 0;

# What reached people since the last look.
sub sent {
    my $sent = $sandbox->sent($since);

    $since = $sent->[-1]{seq} if @$sent;
    return [sort map { $_->{text} } @$sent];
}


subtest '--once: one turn' => sub {
    fresh();
    my @ids = map { message(envelope()) } 1 .. 3;
    my ($status, $log) = run(['--once']);

    is($status, 0, 'it ends well') or diag $log;
    is((grep { status($_) eq 'done' } @ids), 1, 'one is handled');
    is(@{ sent() }, 1, 'and answered');
    is($queue->depth->{waiting}, 2, 'the others wait');
    is($queue->depth->{leased}, 0, 'in nobody\'s hands');
    like($log, qr/"reason":"a turn is completed"/, 'it says so');

    is((run(POLLING_MODE => 'false'))[0], 0, 'POLLING_MODE=false is the same');
    is(@{ sent() }, 1, 'one more');
    is((run(POLLING_MODE => 'false', EXIT_AFTER_COMPLETION => 'true'))[0], 0,
       'with EXIT_AFTER_COMPLETION=true too');
    is(@{ sent() }, 1, 'the last');
};

subtest '--once: nothing to do' => sub {
    fresh();
    my ($status, $log) = run(['--once', '--once-wait-ms=100']);

    is($status, 0, 'that is no failure');
    like($log, qr/"reason":"there was nothing to do"/, 'it says so');
};

subtest '--once: a message that is debounced is waited for' => sub {
    fresh();
    my $id = message(envelope(), debounce_ms => 500, debounce_max_ms => 1000);

    is((run(['--once']))[0], 0, 'it ends well');
    is(status($id), 'done', 'with the message handled');
    sent();
};

subtest '--once: a turn that fails' => sub {
    fresh({ manychat => { fail_first => { status => 500, count => 1000 } } });
    my $id = message(envelope());
    my ($status, $log) = run(['--once'], SETTER_ONCE_WAIT_MS => 100);

    is($status, 3, 'is not a completed one') or diag $log;
    like($log, qr/"reason":"no turn was completed"/, 'it says so');
    is(status($id), 'queued', 'its job waits');
    fresh();
};

subtest '--once: a queue that cannot be asked' => sub {
    my %lacks = (
        'no Redis'      => [SETTER_REDIS_URL => 'unix:/nowhere'],
        'no PostgreSQL' => [SETTER_DATABASE_URL => 'host=/nowhere'],
        'no model'      => [%no_model],
    );
    my %workers = map { $_ => start(['--once', '--once-wait-ms', 200],
        @{ $lacks{$_} }) } keys %lacks;

    for (sort keys %workers) {
        is($workers{$_}->wait, 3, $_);
        like($workers{$_}->text, qr/"the queue could not be asked in time"/,
             'it says so');
    }
};

subtest '--once: TERM' => sub {
    fresh();
    my $worker = start(['--once', '--once-wait-ms=60000']);

    ok($worker->wait_log(sub { $_->{msg} eq 'started' }), 'it waits');
    is($worker->stop, 0, 'and leaves when told');
};

subtest 'EXIT_AFTER_COMPLETION: waits for a turn' => sub {
    fresh();
    my $worker = start(EXIT_AFTER_COMPLETION => 'true',
                       SETTER_ONCE_WAIT_MS => 1);

    # it has asked, and found nothing
    wait_for('it claims', sub { $queue->depth->{workers} });
    my @ids = map { message(envelope()) } 1, 2;
    is($worker->wait, 0, 'it ends by itself');
    is((grep { status($_) eq 'done' } @ids), 1, 'after the first turn');
    sent();
};

subtest '--exit-when-idle' => sub {
    fresh({ chat => { latency_ms => 700 } });
    my @ids = map { message(envelope()) } 1 .. 5;
    my ($status, $log) = run(['--exit-when-idle', 300]);

    is($status, 0, 'it ends well');
    is((grep { status($_) eq 'done' } @ids), 5, 'when all turns have ended');
    like($log, qr/"reason":"there is nothing to do"/, 'it says so');
    is(@{ sent() }, 5, 'with all answered');

    is((run(SETTER_EXIT_WHEN_IDLE_MS => 100))[0], 0, 'by a variable');
    fresh();
};

subtest '--exit-when-idle: what cannot be asked is not idle' => sub {
    $server->stop('KILL');
    my $worker = start(['--exit-when-idle=1']);

    ok($worker->wait_log(sub { $_->{msg} =~ /Redis/ }), 'Redis is away');
    $server->run;
    $redis = $server->client;
    $queue = Setter::Queue->new($redis, tag => 'mm');
    is($worker->wait, 0, 'it ends by itself');
    is(@{[ $worker->text =~ /"reason":"there is nothing to do"/g ]}, 1,
       'when Redis says that there is nothing');
    is($queue->depth->{workers}, 1, 'which it has asked');
};

subtest 'SQS_BODY: an envelope' => sub {
    fresh();
    my $job = envelope();
    my $body = $json->encode($job);
    my ($status, $log) = run(SQS_BODY => $body);

    is($status, 0, 'it ends when the job is done') or diag $log;
    is(status($job->{id}), 'done', 'which it is');
    is_deeply(sent(), [$job->{text}], 'and answered');
    unlike($log, qr/$job->{text}|$job->{from}/, 'the log tells no text');
    is_deeply($json->decode($postgres->value('system',
        "SELECT payload FROM jobs WHERE id = '$job->{id}'")), $job,
        'it was recorded as it came');

    is((run(SQS_BODY => $body))[0], 0, 'once more');
    is_deeply(sent(), [], 'is harmless');
    $redis->flushall;
    is((run(SQS_BODY => $body, EXIT_AFTER_COMPLETION => 'true',
            POLLING_MODE => 'false'))[0], 0, 'and after a long time');
    is_deeply(sent(), [], 'too');
    is($queue->depth->{inbox} + $queue->depth->{waiting}, 0,
       'it does not even come into the queue');
};

subtest 'SQS_BODY: what webhooks take' => sub {
    fresh();
    my $body = '{"from":"15550100001","message":"from the queue",'
        . '"message_id":"m.1"}';

    is((run(SQS_BODY => $body, SETTER_SQS_TENANT => 'acme'))[0], 0, 'engine');
    is_deeply(sent(), ['from the queue'], 'answered');
    is((run(['--sqs-tenant=acme', "--sqs-body=$body"]))[0], 0, 'repeated');
    is_deeply(sent(), [], 'not answered again');
    is((run(SQS_BODY => $body))[0], 0, 'of another tenant');
    is_deeply(sent(), ['from the queue'], 'answered');
    is($postgres->value('system', "SELECT count(*) FROM jobs
        WHERE tenant = 'default'"), 1, 'whose name is default');

    is((run(SQS_BODY => '{"lead_identification":"l","lead_message":"Hi",'
            . '"chat_id":"15550100002","surface":"instagram"}'))[0], 0,
       'manychat');
    is_deeply(sent(), ['Hi'], 'answered');
};

subtest 'SQS_BODY: a job that fails' => sub {
    fresh({ manychat => { status => { 400 => 1 } } });
    my $job = envelope();
    my $body = $json->encode($job);

    my ($status, $log) = run(SQS_BODY => $body);
    is($status, 1, 'is a failure');
    is(status($job->{id}), 'failed', 'which is recorded');
    like($log, qr/"the job is finished".*"status":"failed"/, 'and told');
    is((run(SQS_BODY => $body))[0], 1, 'as often as one asks');

    fresh({ manychat => { status => { 500 => 1 } } });
    $job = envelope();
    $body = $json->encode($job);
    is((run(SQS_BODY => $body, SETTER_MAX_FAILURES => 1))[0], 1, 'given up');
    is(status($job->{id}), 'dead', 'is a failure too');
    fresh();
};

subtest 'SQS_BODY: a job that is done at the second try' => sub {
    fresh({ manychat => { fail_first => { status => 500, count => 1 } } });
    my $job = envelope();

    is((run(SQS_BODY => $json->encode($job)))[0], 0, 'is waited for');
    is(status($job->{id}), 'done', 'to its end');
    fresh();
    sent();
};

subtest 'SQS_BODY: another worker has the job' => sub {
    fresh();
    my $other = start();
    my $job = envelope();

    is((run(%no_model, SQS_BODY => $json->encode($job)))[0], 0,
       'its end is waited for');
    is($other->turns, 1, 'which is the other\'s turn');
    is_deeply(sent(), [$job->{text}], 'and answer');
};

subtest 'SQS_BODY: TERM' => sub {
    fresh();
    my $job = envelope();
    my $worker = start(%no_model, SQS_BODY => $json->encode($job));

    wait_for('the job is in the queue', sub { $queue->depth->{inbox} });
    is($worker->stop, 3, 'left before the job is finished');
    is($queue->depth->{inbox}, 1, 'which stays in the queue');

    $sandbox->behave({ chat => { latency_ms => 500 } });
    $worker = start(SQS_BODY => $json->encode($job));
    wait_for('the model is asked', sub { $sandbox->calls->{chat}{open} });
    is($worker->stop, 0, 'left with a turn in hand that ends well');
    is(status($job->{id}), 'done', 'it was the job\'s');
    fresh();
    sent();
};

subtest 'SQS_BODY: no queue' => sub {
    fresh();
    run(['--once', '--once-wait-ms=1']);        # Redis is prepared
    $redis->config_set(maxmemory => 1);

    my %lacks = (
        'no Redis'      => [SETTER_REDIS_URL => 'unix:/nowhere'],
        'no PostgreSQL' => [SETTER_DATABASE_URL => 'host=/nowhere'],
        'a full Redis'  => [],
    );
    my %workers = map { $_ => start(@{ $lacks{$_} },
        SQS_BODY => $json->encode(envelope()), SETTER_ONCE_WAIT_MS => 200) }
        keys %lacks;

    for (sort keys %workers) {
        is($workers{$_}->wait, 3, $_);
        like($workers{$_}->text, qr/"the job could not be put into the queue/,
             'it says so');
    }
    $redis->config_set(maxmemory => 0);
    like($workers{'a full Redis'}->text,
        qr/"msg":"Redis does not take the job","reason":"OOM/, 'and why');
};

subtest 'SQS_BODY: malformed' => sub {
    for (['{' => 'the body: not valid JSON'],
         ['{"kind":"message"}' => 'id: required'],
         ['{"message":"Hi"}' => 'from: required'],
         ['{"flow_id":7}' => 'kind: required in an envelope; a body has '
            . 'lead_message, message or text'])
    {
        my ($body, $error) = @$_;
        my ($status, $log) = run(SQS_BODY => $body);
        is($status, 2, $body);
        is($log, "setter-worker: SQS_BODY: $error\n", 'one line tells');
    }

    my ($status, $log) = run(SQS_BODY => '{"from":"1","message":"a"}',
                             SETTER_SQS_TENANT => 'A');
    is($status, 2, 'a tenant that cannot be');
    is($log, "setter-worker: SQS_BODY: tenant_id: not a slug\n", 'told');
};

is_deeply([Setter::Worker->reports], [], 'no sanitizer complained');

done_testing;
