#!/usr/bin/perl

# Turns of kind "send": messages that somebody has us send, on a real Redis
# and PostgreSQL; the providers are the sandbox.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Setter::Worker;
use Test::More;

start();

my @columns = qw(id state turn text provider address sender surface);

# A message to be sent on this lane.
sub order {
    my ($lane, $text, %more) = @_;

    return message($lane, $text, kind => 'send', %more);
}

# The person of the lane has written, and was answered.
sub talk {
    my ($lane) = @_;
    my $id = message($lane, 'Hello', @_[1 .. $#_]);

    wait_job($id, 'done');
    return $id;
}

sub row {
    my ($id) = @_;
    my ($row) = $postgres->sql('system', 'SELECT ' . join(', ', @columns)
        . ", error FROM messages WHERE id = '$id' AND direction = 'out'");
    my %row;

    @row{@columns, 'error'} = @{ $row // [] };
    return \%row;
}

subtest 'a message is sent as it stands, and recorded' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    talk($lane);
    my $asked = asked();

    my $id = order($lane, 'Your order is there', to => 'page-1');
    wait_job($id, 'done');
    is(texts($lane)->[-1], 'Your order is there', 'it reached the person');
    is(asked(), $asked, 'the model was not asked');

    my $row = row($id);
    is($row->{state}, 'sent', 'it is on record as sent');
    is($row->{turn}, $id, 'as the reply of its own job');
    is($row->{text}, 'Your order is there', 'with its text');
    is("$row->{provider} $row->{sender} $row->{surface}",
        'manychat page-1 instagram', 'provider, our side, and where');
    is(value("SELECT kind || ' ' || turn FROM jobs WHERE id = '$id'"),
        "send $id", 'so is the job');

    my $next = message($lane, 'And now?');
    wait_job($next, 'done');
    is(value("SELECT count(*) FROM messages WHERE lane = '$lane'"), 5,
        'in the conversation');
    wait_idle($lane);
};

# What the provider took of a message to be sent, beside its text, in a
# conversation that has begun: the requests.
sub sent_with {
    my ($provider, $text, %data) = @_;
    my $to = '15550199';
    my $lane = "acme/conv/$provider:$to:" . ++$chat;
    my %way = (provider => $provider, to => $to);
    talk($lane, %way);
    my $seq = $sandbox->sent->[-1]{seq};
    my $id = order($lane, $text, %way, data => \%data);
    wait_job($id, 'done');
    is(row($id)->{state}, 'sent', "$provider: it is sent");
    return map { $_->{raw} } grep { $_->{seq} > $seq } @{ $sandbox->sent };
}

my $file = { type => 'image', url => 'https://example.com/a.png' };
my $buttons = [ { id => 'y', title => 'Yes' }, { id => 'n', title => 'No' } ];

subtest 'a file, in each provider\'s way, with its text' => sub {
    fresh();
    my $worker = worker();
    my ($raw) = sent_with(meta => 'Look', media => $file);
    is_deeply([@$raw{qw(type image)}], ['image', { link => $file->{url},
        caption => 'Look' }], 'Meta');
    ($raw) = sent_with(meta => 'Read', media => { type => 'document',
        url => 'https://example.com/a.pdf', filename => 'a.pdf' });
    is_deeply($raw->{document}, { link => 'https://example.com/a.pdf',
        caption => 'Read', filename => 'a.pdf' }, 'a document of Meta\'s');
    ($raw) = sent_with(infobip => 'Look', media => $file);
    is_deeply($raw->{content}, { mediaUrl => $file->{url},
        caption => 'Look' }, 'Infobip');
    ($raw) = sent_with(twilio => 'Look', media => $file);
    is_deeply([@$raw{qw(MediaUrl Body)}], [$file->{url}, 'Look'], 'Twilio');
    ($raw) = sent_with(meta => '', media => $file);
    is_deeply($raw->{image}, { link => $file->{url} }, 'without a text');
};

subtest 'a text that cannot stand beside it follows it' => sub {
    my $worker = worker();
    my @raw = sent_with(instagram => 'Look', media => $file);
    is_deeply([map { $_->{message} } @raw], [{ attachment => {
        type => 'image', payload => { url => $file->{url} } } },
        { text => 'Look' }], 'Instagram');
    @raw = sent_with(manychat => 'Look', media => $file);
    is_deeply([map { $_->{data}{content}{messages} } @raw], [[{
        type => 'image', url => $file->{url} }], [{ type => 'text',
        text => 'Look' }]], 'ManyChat');
    @raw = sent_with(meta => 'Listen', media => { %$file, type => 'audio' });
    is_deeply([map { $_->{type} } @raw], ['audio', 'text'],
        'a recording has none');
    is($raw[0]{biz_opaque_callback_data}, undef, 'our id goes with the last');
    ok($raw[1]{biz_opaque_callback_data}, '... whose reports count');
    @raw = sent_with(meta => 'x' x 1025, media => $file);
    is_deeply([map { $_->{type} } @raw], ['image', 'text'], 'one too long');
};

subtest 'buttons, in each provider\'s way' => sub {
    my $worker = worker();
    my ($raw) = sent_with(meta => 'Confirm?', buttons => $buttons);
    is_deeply($raw->{interactive}, { type => 'button',
        body => { text => 'Confirm?' }, action => { buttons => [
            map { { type => 'reply', reply => $_ } } @$buttons ] } }, 'Meta');
    ($raw) = sent_with(infobip => 'Confirm?', buttons => $buttons);
    is_deeply($raw->{content}, { body => { text => 'Confirm?' },
        action => { buttons => [ map { { type => 'REPLY', %$_ } }
            @$buttons ] } }, 'Infobip');
    ($raw) = sent_with(instagram => 'Confirm?', buttons => $buttons);
    is_deeply($raw->{message}, { text => 'Confirm?', quick_replies => [
        map { { content_type => 'text', title => $_->{title},
            payload => $_->{id} } } @$buttons ] }, 'Instagram');
};

subtest 'what the provider does not have fails, and why' => sub {
    my $worker = worker();
    for my $case (
        ['twilio', { buttons => $buttons }, 'the provider has no buttons'],
        ['meta', { media => { type => 'cat', url => 'x' } },
            'media.type is image, video, audio or document'],
        ['meta', { media => { type => 'image' } }, 'media.url is missing'],
        ['meta', { buttons => [{}] }, 'buttons have id and title'],
    ) {
        my ($provider, $data, $reason) = @$case;
        my $lane = "acme/conv/$provider:15550199:" . ++$chat;
        my %way = (provider => $provider, to => '15550199');
        talk($lane, %way);
        my $id = order($lane, 'Hello', %way, data => $data);
        wait_job($id, 'failed');
        is(reason($id), $reason, $reason);
    }
};

subtest 'several in a turn: each is sent, in order, and they answer nothing'
    => sub {
    fresh();
    my $lane = lane();
    my $first = worker();
    talk($lane);
    $first->stop;

    my $question = message($lane, 'Anybody there?');
    my @ids = map { order($lane, "part $_") } 1 .. 5;
    my $worker = worker();
    wait_job($_, 'done') for $question, @ids;
    is_deeply([@{ texts($lane) }[2 .. 6]], [map { "part $_" } 1 .. 5],
        'in order, behind the answer');
    is(scalar(grep { $_->{jobs} == 5 } $worker->turns), 1, 'in one turn');
    is(row($_)->{state}, 'sent', "$_ is sent") for @ids;
    wait_idle($lane);
};

subtest 'a worker killed between two sends: each person gets each once' => sub {
    fresh({ manychat => { latency_ms => 300 } });
    my $lane = lane();
    my $worker = worker();
    talk($lane);

    my @ids = map { order($lane, "part $_") } 1 .. 4;
    wait_for('the second one', sub { @{ texts($lane) } >= 3 });
    $worker->stop('KILL');
    $worker = worker();
    wait_job($_, 'done', 20) for @ids;

    my %seen;
    $seen{$_}++ for @{ texts($lane) };
    is_deeply([grep { $seen{$_} > 1 } keys %seen], [], 'none came twice');
    my @states = map { row($_)->{state} } @ids;
    my $unknown = grep { $_ eq 'unknown' } @states;
    cmp_ok($unknown, '<=', 1, 'at most the one under way is unknown');
    is(scalar(grep { $_ eq 'sent' } @states), 4 - $unknown,
        'all others are sent');
    wait_idle($lane);
};

subtest 'to somebody who never wrote, and to one whose window has shut' => sub {
    fresh();
    my $worker = worker();
    my ($never, $once) = (lane(), lane());
    talk($once);
    $postgres->sql('system', "UPDATE conversations
        SET window_until = now() - interval '1 s' WHERE lane = '$once'");

    for my $lane ($never, $once) {
        my $sent = @{ texts($lane) };
        my $id = order($lane, 'Anything else?');
        wait_job($id, 'failed');
        is(reason($id), 'the window for free text has closed', 'and why');
        is(row($id)->{state}, 'failed', 'so is the message');
        is(scalar @{ texts($lane) }, $sent, 'nothing was sent');
    }

    my $hello = talk($never);
    my $id = order($never, 'Now then');
    wait_job($id, 'done');
    is(texts($never)->[-1], 'Now then', 'who writes opens it');
};

subtest 'behind what an outside worker handled' => sub {
    fresh();
    my $lane = 'theirs/conv/manychat:-:' . ++$chat;
    $queue->tenant('theirs', outside => 1);
    my @ids = map { message($lane, $_) } 'A question', 'or two';
    my $turn = $queue->take('theirs')->{turns}[0];
    my $id = order($lane, 'Here is your answer');
    my $worker = worker();
    wait_for('the order to be sorted', sub { $queue->state('theirs', $id) });
    is($queue->complete($turn), 1, 'he completes his turn');

    wait_job($_, 'done') for @ids, $id;
    is_deeply(texts($lane), ['Here is your answer'], 'his answer is sent');
    is_deeply([map { $_->[0] } $postgres->sql('system', "SELECT text
        FROM messages WHERE lane = '$lane' ORDER BY seq")],
        ['A question', 'or two', 'Here is your answer'],
        'and all is on record, in order');
    wait_idle($lane);
};

subtest 'through Infobip, with our number where none is given' => sub {
    fresh();
    my $worker = worker();
    my $number = '15550130';
    my $lane = "acme/conv/whatsapp:-:$number";
    talk($lane, provider => 'infobip');

    my $id = order($lane, 'Hi', provider => 'infobip');
    wait_job($id, 'done');
    my ($sent) = grep { $_->{text} eq 'Hi' } @{ $sandbox->sent };
    is("$sent->{provider} $sent->{to} $sent->{from}",
        "infobip $number 15550199", 'sent');
    is($sent->{raw}{messageId} // $sent->{id}, $id, 'under the job\'s id')
        if exists $sent->{raw}{messageId};
};

# The messages that this person got through the provider.
sub got {
    my ($person) = @_;
    return map { "$_->{provider}: $_->{text}" } grep { $_->{to} eq $person }
        @{ $sandbox->sent };
}

subtest 'a template reaches who never wrote, a text does not' => sub {
    fresh();
    my $worker = worker();
    my $n = 15550107000;
    my %template = (name => 'order_update', language => 'en_US',
        parameters => ['A-1001', 'tomorrow']);
    my $send = sub {
        my ($provider, $template) = @_;
        $n++;
        my $id = order("acme/conv/whatsapp:1:$n", 'It comes tomorrow.',
            provider => $provider, to => '15550100399',
            data => { $template ? (template => $template) : () });
        wait_job($id, $_[2] // 'done');
        return row($id);
    };

    for my $provider (qw(meta infobip)) {
        my $row = $send->($provider, \%template);
        is($row->{state}, 'sent', "$provider: sent");
        is($row->{text}, 'It comes tomorrow.', 'the text is on record');
        is_deeply([got($n)], ["$provider: order_update A-1001 tomorrow"],
            'the template went out');
    }

    is($send->('twilio', { %template, name => 'HX7' })->{state}, 'sent',
        'twilio: sent');
    is_deeply([got($n)], ['twilio: HX7'], 'by its SID');

    is($send->('meta', undef, 'failed')->{error},
        'the window for free text has closed', 'a text alone is not sent');
    is($send->('meta', { language => 'en' }, 'failed')->{error},
        'template.name is missing, no text or too long',
        'what is wrong is named');
    is($send->('instagram', \%template, 'failed')->{error},
        'the provider has no templates', 'not every provider has them');
    is_deeply([got($n)], [], 'and nothing went out');
};

# jsonb has no such numbers.
subtest 'what the record refuses of a message makes it no other message' => sub
{
    fresh();
    my $worker = worker();
    my $n = 15550107500;
    my $send = sub {
        my ($data) = @_;
        my $id = uuid();
        my $lane = 'acme/conv/whatsapp:1:' . ++$n;
        return order($lane, 'The text', id => $id, envelope => qq({"id":"$id",)
            . qq("kind":"send","tenant":"acme","lane":"$lane","text":"The text")
            . qq(,"from":"$n","to":"15550100399","channel":"whatsapp",)
            . qq("type":"text","provider":"meta","data":$data}));
    };
    wait_job($send->('{"template":{"name":"hello"},"price":1e999999}'), 'done');
    is_deeply([got($n)], ['meta: hello'], 'beside the template: it is sent');
    my $id = $send->('{"template":{"name":"hello","price":1e999999}}');
    wait_job($id, 'dead');
    like(reason($id), qr/refuses its template/, 'within: it is given up');
    is_deeply([got($n)], [], 'and no text is sent in its place');

    # claimed together, of one lane
    my $lane = "acme/conv/whatsapp:1:" . ++$n;
    $queue->hold($lane);
    my ($bad, $good) = map {
        my $id = sprintf '019ab000-0000-7000-8000-0007%08d', $_->[0];
        order($lane, 'The text', id => $id, envelope => qq({"id":"$id",)
            . qq("kind":"send","tenant":"acme","lane":"$lane","text":"x",)
            . qq("from":"$n","to":"15550100399","channel":"whatsapp",)
            . qq("type":"text","provider":"meta","data":{"template":$_->[1]}}));
    } [1, '{"name":"first","price":1e999999}'], [2, '{"name":"second"}'];
    $queue->release($lane);
    wait_job($bad, 'dead');
    wait_job($good, 'done');
    is_deeply([got($n)], ['meta: second'], 'the one behind it is sent');
};

subtest 'who opted out gets no template either' => sub {
    my $worker = worker();
    my $lane = 'acme/conv/whatsapp:1:15550107900';
    my $order = sub {
        return order($lane, 'x', provider => 'meta', to => '15550100399',
            data => { template => { name => 'hello' } });
    };
    wait_job($order->(), 'done');
    $postgres->sql('system', "UPDATE contacts SET opted_out = true
        WHERE address = '15550107900'");
    my $id = $order->();
    wait_job($id, 'failed');
    is(row($id)->{error}, 'the contact has opted out', 'and it says why');
};

subtest 'taken over, opted out, suspended' => sub {
    fresh();
    my $worker = worker();
    my %lanes = map { $_ => lane() } qw(over out);
    talk($_) for values %lanes;
    my ($to) = $lanes{out} =~ /(\d+)$/;
    $postgres->sql('system', "UPDATE conversations SET taken_over = true
        WHERE lane = '$lanes{over}'");
    $postgres->sql('system', "UPDATE contacts SET opted_out = true
        WHERE address = '$to'");

    my $over = order($lanes{over}, 'x');
    wait_job($over, 'done');
    is(reason($over), 'a person has taken over', 'not over a person\'s head');
    is(row($over)->{state}, 'failed', 'and not sent');

    my $out = order($lanes{out}, 'x');
    wait_job($out, 'failed');
    is(reason($out), 'the contact has opted out', 'not to who opted out');

    my $lane = 'stopped/conv/manychat:-:' . ++$chat;
    talk($lane);
    $postgres->sql('system', "UPDATE tenants SET status = 'suspended'
        WHERE slug = 'stopped'");
    my $id = order($lane, 'x');
    wait_job($id, 'failed');
    is(reason($id), 'the tenant is suspended', 'not for a suspended tenant');
    is(scalar @{ texts($lane) }, 1, 'nothing was sent');
};

subtest 'the provider refuses for now: tried again; for good: failed' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    talk($lane);

    $sandbox->behave({ manychat => { fail_first =>
        { status => 429, count => 2 } } });
    my @ids = map { order($lane, "part $_") } 1, 2;
    wait_job($_, 'done', 20) for @ids;
    is_deeply([@{ texts($lane) }[-2, -1]], ['part 1', 'part 2'],
        'in order all the same');

    $sandbox->behave({ manychat => { fail_first =>
        { status => 404, count => 1 } } });
    my ($bad, $good) = map { order($lane, $_) } 'bad', 'good';
    wait_job($bad, 'failed');
    wait_job($good, 'done');
    is(texts($lane)->[-1], 'good', 'one that failed holds up no other');
};

subtest 'cut off while sending: unknown, and not sent again' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    talk($lane);
    $sandbox->behave({ manychat => { cut_after_accept => 1 } });
    my $id = order($lane, 'Did you get this?');
    wait_job($id, 'done');
    is(row($id)->{state}, 'unknown', 'unknown');
    is(scalar(grep { $_ eq 'Did you get this?' } @{ texts($lane) }), 1,
        'once');
};

subtest 'given up: the first that kept failing, not those behind it' => sub {
    fresh();
    my $lane = lane();
    my $worker = worker(SETTER_MAX_FAILURES => 2);
    talk($lane);
    $sandbox->behave({ manychat => { fail_first =>
        { status => 500, count => 2 } } });

    my @ids = map { order($lane, "part $_") } 1, 2;
    wait_job($ids[0], 'dead', 30);
    like(reason($ids[0]), qr/500/, 'with why');
    is(row($ids[0])->{state}, 'failed', 'its message has failed');
    wait_job($ids[1], 'done', 30);
    is(texts($lane)->[-1], 'part 2', 'the other was sent');
};

subtest 'repeats and orders that are none' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    my $hello = talk($lane);

    my $id = order($lane, 'once');
    wait_job($id, 'done');
    wait_idle($lane);
    $redis->del($queue->key("seen:$id"));
    order($lane, 'once', id => $id);
    my $next = order($lane, 'next');
    wait_job($next, 'done');
    is_deeply([@{ texts($lane) }[-2, -1]], ['once', 'next'],
        'a repeat that Redis forgot is not sent again');

    my $none = order($lane, '');
    wait_job($none, 'dead');
    is(reason($none), 'no text', 'without a text');
    my $odd = order($lane, 'x', provider => 'pigeon');
    wait_job($odd, 'dead');
    is(reason($odd), 'unknown provider', 'through nobody we know');
    wait_idle($lane);
};

subtest 'nobody complains of memory' => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
