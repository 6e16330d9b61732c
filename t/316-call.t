#!/usr/bin/perl

# Turns of kind "call": questions that nginx holds requests for, on a real
# Redis and PostgreSQL.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS ();
use Setter::Turns;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(time);

start();

my $json = JSON::XS->new->utf8;
my $stream = "setter:{$tag}:reply:019ab000-0000-7000-8000-00000000000a";
my $seen = '0-0';

# A call comes in; returns its id.
sub ask {
    my ($tenant, $data, %more) = @_;
    my $id = $more{id} // uuid();
    my %job = (id => $id, kind => 'call', tenant => $tenant,
        lane => "$tenant/call/$id");

    $queue->append(%job, envelope => $more{envelope} // $json->encode({ %job,
        data => { call => 'job', reply => $stream,
            deadline => int(1000 * (time + 60)), %$data } }));
    return $id;
}

# The next answer to a call: { id, status, body }, body as data.  One that was
# answered before its turn's lease ended may be answered again.
sub answer {
    my ($call) = @_;
    my %answer;
    wait_for('an answer', sub {
        for my $entry ($redis->xrange($stream, "($seen", '+')) {
            $seen = $entry->[0];
            %answer = @{ $entry->[1] };
            return 1 if $answer{id} eq $call;
        }
        return 0;
    }, 30) or return {};

    $answer{body} = $json->decode($answer{body});
    return \%answer;
}

sub status_of {
    my ($tenant, $id) = @_;
    my $call = ask($tenant, { args => { id => $id } });
    my $answer = answer($call);

    is($answer->{id}, $call, 'the answer is to the call');
    return ($answer->{status}, $answer->{body});
}

subtest 'a job that was answered' => sub {
    fresh();
    my $worker = worker();
    my $id = message(lane(), 'Hello');
    wait_job($id, 'done');

    my ($status, $body) = status_of('acme', $id);
    is($status, 200, 'is known');
    is_deeply([@$body{qw(id status kind attempts)}], [$id, 'done', 'message',
        1], 'with what became of it');
    is_deeply([@{ $body->{message} }{qw(state provider)}], ['sent',
        'manychat'], 'and of its reply');
    like($body->{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, "$_ is a time")
        for qw(received_at updated_at);
    cmp_ok($redis->pttl($stream), '>', 30000, 'the stream will expire');

    is(value("SELECT count(*) FROM jobs WHERE kind = 'call'"), 0,
        'calls are not recorded');
    wait_for('the calls to be dropped', sub {
        !$redis->keys($queue->key('lane:*')) });
    is_deeply([$redis->keys($queue->key('lane:*'))], [], 'and are done with');
};

subtest 'another tenant\'s, and none' => sub {
    my $worker = worker();
    my $id = value("SELECT id FROM jobs LIMIT 1");

    for my $case (['other', $id], ['acme', uuid()], ['acme', 'x'],
                  ['acme', undef]) {
        my ($status, $body) = status_of(@$case);
        is($status, 404, 'there is no such job');
        is_deeply($body, { id => undef, status => 'ERROR',
            message => 'No such job' }, 'as an error');
    }
};

subtest 'a reply that may have arrived' => sub {
    fresh({ manychat => { cut_after_accept => 1 } });
    my $worker = worker();
    my $id = message(lane(), 'Hello');
    wait_job($id, 'done');

    my (undef, $body) = status_of('acme', $id);
    is($body->{status}, 'unknown', 'is unknown');
    is($body->{message}{state}, 'unknown', 'so is its message');
    ok($body->{reason}, 'and why');
};

subtest 'jobs that failed, and that were given up' => sub {
    fresh();
    my $worker = worker();
    my $failed = message(lane(), 'x', kind => 'send');
    wait_job($failed, 'failed');
    my (undef, $body) = status_of('acme', $failed);
    is_deeply([@$body{qw(status kind reason)}], ['failed', 'send',
        'the window for free text has closed'], 'failed, and why');

    my $dead = message(lane(), '');
    wait_job($dead, 'dead');
    (undef, $body) = status_of('acme', $dead);
    is_deeply([@$body{qw(status reason)}], ['dead', 'no text'],
        'dead, and why');
    ok(!exists $body->{message}, 'there is no message');
};

subtest 'jobs that no worker has had yet' => sub {
    fresh();
    my $lane = lane();
    $queue->tenant('acme', outside => 1);
    my $worker = worker();
    my $id = message($lane, 'Hello');
    my ($status, $body) = status_of('acme', $id);
    is_deeply([$status, $body], [200, { id => $id, status => 'queued' }],
        'one that waits');

    my ($turn) = @{ $queue->take('acme')->{turns} };
    is_deeply((status_of('acme', $id))[1], { id => $id,
        status => 'processing' }, 'one in an outside worker\'s hands');
    is((status_of('other', $id))[0], 404, 'not for others');
    $queue->complete($turn);
    wait_job($id, 'done');
    is((status_of('acme', $id))[1]{status}, 'done', 'and when it is done');
    $queue->tenant('acme', outside => '');

    my $later = uuid();
    message($lane, 'Later', id => $later, kind => 'send',
        header => { send_at_ms => int(1000 * (time + 7200)) });
    is((status_of('acme', $later))[1]{status}, 'queued', 'one for later');
    $redis->del($queue->key("seen:$later"));
    is((status_of('acme', $later))[1]{status}, 'queued', 'however late');
};

subtest 'calls that are none' => sub {
    my $worker = worker();
    my $foreign = 'setter:{mm}:inbox';
    my $before = $redis->xlen($stream);

    for my $data ({ reply => $foreign }, { reply => "$stream.x" },
                  { reply => undef }, { reply => 'x' })
    {
        ask('acme', { args => {}, %$data });
        ok($worker->wait_log(sub {
            $_->{msg} eq 'a call cannot be answered' }), 'is told of');
    }
    ask('acme', {}, envelope => '{');
    ask('acme', { args => { id => 'x' }, deadline => 1000 });
    is(scalar($redis->keys('*.x')), 0, 'no other key is written to');

    my $call = ask('acme', { call => 'weather' });
    my $answer = answer($call);
    is("$answer->{status} $answer->{id}", "501 $call",
        'a name that nobody knows is told; none of the others was answered');
    is($redis->xlen($stream), $before + 1, 'nor late ones');
};

subtest 'PostgreSQL does not answer' => sub {
    my $worker = worker();
    my $id = value("SELECT id FROM jobs LIMIT 1");
    status_of('acme', $id);
    $postgres->sql('postgres', 'ALTER TABLE jobs RENAME TO gone');
    my $call = ask('acme', { args => { id => $id } });
    my $answer = answer($call);
    is("$answer->{status} $answer->{id}", "503 $call", 'that is the answer');
    $postgres->sql('postgres', 'ALTER TABLE gone RENAME TO jobs');
    is((status_of('acme', $id))[0], 200, 'until it does');
};

# What the API answers: status and body.
sub api {
    my ($tenant, $method, $path, $query) = @_;
    my $call = ask($tenant, { call => 'conversations', args => {
        method => $method, path => $path,
        defined $query ? (query => $query) : () } });
    my $answer = answer($call);
    is($answer->{type}, $answer->{status} == 200 ? 'application/json'
        : 'application/problem+json', "$method /$path: the type");
    is($answer->{body}{status}, $answer->{status}, '... and the status')
        if $answer->{status} != 200;
    return ($answer->{status}, $answer->{body});
}

subtest 'conversations: page by page, newest first' => sub {
    fresh();
    my $worker = worker();
    my @lanes = map { "pages/conv/telegram:1:1555010$_" } 1001 .. 1005;
    for my $lane (@lanes) {
        wait_job(message($lane, "Hello from $lane"), 'done');
    }

    my ($status, $body) = api('pages', 'GET', '');
    is($status, 200, 'all of them');
    is_deeply([map { $_->{lane} } @{ $body->{conversations} }],
        [reverse @lanes], 'newest first');
    is($body->{next}, undef, 'there is no next page');

    my $one = $body->{conversations}[0];
    is_deeply([@$one{qw(provider person taken_over held)}], ['manychat',
        '15550101005', JSON::XS::false, JSON::XS::false], 'who and how');
    is_deeply([@{ $one->{last_message} }{qw(direction state)}],
        ['out', 'sent'], 'and what was said last');

    my (@seen, $after);
    do {
        my (undef, $page) = api('pages', 'GET', '', 'limit=2'
            . ($after ? "&after=$after" : ''));
        push @seen, map { $_->{lane} } @{ $page->{conversations} };
        $after = $page->{next};
    } while ($after && @seen < 20);
    is_deeply(\@seen, [reverse @lanes], 'two a page: each once');

    is_deeply((api('nobody', 'GET', ''))[1], { conversations => [],
        next => undef }, 'a tenant without any');
};

subtest 'conversations: one, with its messages, taken over and released'
    => sub {
    fresh();
    my $worker = worker();
    my $lane = 'pages/conv/telegram:1:15550102000';
    wait_job(message($lane, 'Hello'), 'done');
    my $id = value("SELECT id FROM conversations WHERE lane = '$lane'");

    my ($status, $body) = api('pages', 'GET', $id);
    is($status, 200, 'it is there');
    is_deeply([map { $_->{direction} } @{ $body->{messages} }],
        ['in', 'out'], 'with what was said, in order');
    is(scalar @{ (api('pages', 'GET', $id, 'limit=1'))[1]{messages} }, 1,
        'or the last of it');

    ($status, $body) = api('pages', 'POST', "$id/takeover");
    is("$status $body->{taken_over}", '200 1', 'taken over');
    is((api('pages', 'POST', "$id/takeover"))[0], 200, 'twice is once');
    is_deeply([map { $_->{id} } @{ (api('pages', 'GET', '',
        'state=taken_over'))[1]{conversations} }], [$id],
        'it is found by its state');

    my $asked = asked();
    my $job = message($lane, 'Is somebody there?');
    wait_job($job, 'done');
    is(asked(), $asked, 'the model is not asked');

    ($status, $body) = api('pages', 'POST', "$id/release");
    is("$status $body->{taken_over}", '200 0', 'given back');
    wait_job(message($lane, 'And now?'), 'done');
    is(asked(), $asked + 1, 'the first message after that is answered');
};

subtest 'conversations: what is wrong is told, and others\' are not there'
    => sub {
    my $worker = worker();
    my $id = value("SELECT id FROM conversations
        WHERE lane = 'pages/conv/telegram:1:15550102000'");

    for my $case (['GET', $id], ['POST', "$id/takeover"],
                  ['POST', "$id/release"]) {
        is((api('other', @$case))[0], 404, "another tenant's: @$case");
    }
    is(value("SELECT taken_over FROM conversations WHERE id = '$id'"), 'f',
        'and nothing was changed');
    is((api('other', 'GET', '', "after=$id"))[1]{next}, undef,
        "a page after another tenant's");

    is((api('pages', @$_))[0], 404, "none: @$_") for ['GET', 'x'],
        ['GET', uuid()], ['POST', uuid() . '/takeover'],
        ['GET', "$id/x"], ['GET', "${id}x"], ['POST', "$id/takeover/x"];
    is((api('pages', @$_))[0], 405, "not so: @$_") for ['POST', ''],
        ['POST', $id], ['GET', "$id/takeover"], ['GET', "$id/release"];

    for my $case (['limit=0', 'limit'], ['limit=201', 'limit'],
                  ['limit=x', 'limit'], ['limit=', 'limit'],
                  ['after=x', 'after'], ['state=open', 'state'],
                  ['page=2', 'the query'], ['%00', 'the query']) {
        my ($status, $body) = api('pages', 'GET', '', $case->[0]);
        is($status, 400, "refused: $case->[0]");
        like($body->{detail}, qr/^$case->[1]/, 'by name');
    }
};

# As nginx asks for the API's calls.
sub registry {
    my ($tenant, $call, $method, $path, %more) = @_;
    return ask($tenant, { call => $call, args => { method => $method,
        path => $path, query => '', principal => 'admin', %more } });
}

# The answer to a call, its body as it stands.
sub answered {
    my ($id) = @_;
    my %found;
    wait_for('the answer', sub {
        %found = map { @{ $_->[1] } } grep { $_->[1][1] eq $id }
            eval { $redis->xrange($stream, '-', '+') };
        return %found;
    });
    return \%found;
}

# A call that was carried out, but could not be answered, is run again.
subtest 'what a call has written it does not write twice' => sub {
    $env{SETTER_MASTER_KEY} = 'c2V0dGVyIHNldHRlciBzZXR0ZXIgc2V0dGVyIHNldHQ=';
    my $worker = worker();
    my ($version, $channel);
    for my $case (
        [201, 'tenants', 'POST', '', body => { slug => 'twice', cap => 7 }],
        [200, 'tenants', 'PATCH', 'twice', body => { cap => 8 },
            if_match => sub { $version }],
        [201, 'tenants', 'POST', 'twice/keys', body => { name => 'one' }],
        [201, 'channels', 'POST', '', body => { provider => 'meta',
            address => '4711' }],
        [200, 'channels', 'PATCH', sub { $channel }, body => { rate => 5 },
            if_match => sub { $version }],
        [204, 'channels', 'DELETE', sub { $channel },
            if_match => sub { $version }],
    ) {
        my ($status, $call, $method, $path, %more) = @$case;
        $path = $path->() if ref $path;
        $more{if_match} = $more{if_match}->() if $more{if_match};
        my $refused = () = $worker->text =~ /Redis refused/g;
        $redis->set($stream, 'none that takes an answer');
        my $id = registry('twice', $call, $method, $path, %more);
        ok(wait_for('it to be refused', sub {
            (() = $worker->text =~ /Redis refused/g) > $refused }),
            "$method $call/$path is not answered");
        $redis->del($stream);
        my $answer = answered($id);
        is($answer->{status}, $status, '... but then it is, as done')
            or diag $answer->{body};
        $version = $answer->{etag};
        ($channel) = $answer->{location} =~ m{channels/(.+)}
            if "$method $call" eq 'POST channels';
    }
    is(value("SELECT count(*) FROM keys WHERE tenant = 'twice'"), 1,
        'one key alone');
    is(answered(registry('twice', 'tenants', 'POST', '',
        body => { slug => 'twice' }))->{status}, 409, 'another call is refused');
    is(answered(registry('twice', 'channels', 'DELETE', $channel))->{status},
        404, 'what is removed is not there for another call');
};

subtest 'nobody complains of memory' => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
