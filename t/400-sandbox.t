# The sandbox: the providers' true formats, and faults on demand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS;
use Test::More;
use Time::HiRes qw(time);

use Setter::Sandbox;

my $CHAT = '/v1/chat/completions';
my $SEND = '/fb/sending/sendContent';
my $TEXT = '/whatsapp/1/message/text';

my $sandbox = Setter::Sandbox->start;
my $hello = { model => 'm', messages => [{ role => 'user', content => 'hi' }] };


sub chat {
    my ($body, %headers) = @_;

    return $sandbox->post($CHAT, $body, Authorization => 'Bearer key',
                          %headers);
}

sub content {
    my ($text, %more) = @_;

    return { version => 'v2', content => {
        messages => [{ type => 'text', text => $text }], %more,
    } };
}

sub manychat {
    my ($body) = @_;

    return $sandbox->post($SEND, $body, Authorization => 'Bearer 345:key');
}

sub infobip {
    my ($path, $body) = @_;

    return $sandbox->post($path, $body, Authorization => 'App key');
}

sub meta {
    my ($body, $path) = @_;

    return $sandbox->post($path // '/v23.0/100000000000001/messages', $body,
                          Authorization => 'Bearer token');
}

sub whatsapp {
    return { messaging_product => 'whatsapp', to => '15550104330',
             type => 'text', text => { body => 'We open at nine.' }, @_ };
}

sub text_message {
    return { from => '15550100299', to => '15550104330',
             content => { text => 'We open at nine.' }, @_ };
}

sub last_seq {
    my $sent = $sandbox->sent;

    return @$sent ? $sent->[-1]{seq} : 0;
}

# Requests whose answers never come: the socket.
sub open_chat {
    return $sandbox->send_request('POST', $CHAT, $hello,
                                  Authorization => 'Bearer key');
}

sub send_content {
    return ('POST', $SEND, { subscriber_id => 1, data => content($_[0]) },
            Authorization => 'Bearer key', Connection => 'keep-alive');
}

sub read_until {
    my ($socket, $pattern) = @_;
    my $bytes = '';

    while ($bytes !~ $pattern) {
        sysread($socket, $bytes, 4096, length $bytes) or last;
    }

    return $bytes;
}


subtest 'chat: a completion' => sub {
    my ($status, $answer, $headers) = chat({
        model => 'gpt-4o-mini', messages => [
            { role => 'system', content => 'be brief' },
            { role => 'user', content => 'old' },
            { role => 'assistant', content => 'answered' },
            { role => 'user', content => "na\x{ef}ve" },
            { role => 'user', content => [
                { type => 'text', text => 'second' },
                { type => 'image_url', image_url => {
                    url => 'data:image/png;base64,aGVsbG8=' } } ] },
        ] });
    my $choice = $answer->{choices}[0];
    my $usage = $answer->{usage};

    is $status, 200, 'status';
    is $answer->{object}, 'chat.completion', 'object';
    is $answer->{model}, 'gpt-4o-mini', 'model';
    like $answer->{id}, qr/^chatcmpl-/, 'id';
    is $choice->{message}{content},
        "na\x{ef}ve\nsecond\n(image/png of 5 bytes)",
        'repeats the user since the last answer, a line each';
    is $choice->{finish_reason}, 'stop', 'finish_reason';
    is_deeply $choice->{message}{annotations}, [], 'annotations';
    cmp_ok $usage->{prompt_tokens}, '>', 0, 'usage';
    is $usage->{total_tokens},
        $usage->{prompt_tokens} + $usage->{completion_tokens}, 'total';
    like $headers->header('x-request-id'), qr/^req_/, 'x-request-id';
};


subtest 'chat: streamed' => sub {
    my $request = { %$hello, stream => JSON::XS::true,
                    messages => [{ role => 'user', content => 'one  two' }] };
    my ($status, $text, $headers) = chat($request);
    my @events = $text =~ /^data: (\{.*\})\n\n/mg;
    my @chunks = map { decode_json($_) } @events;

    is $status, 200, 'status';
    like $headers->header('content-type'), qr{^text/event-stream}, 'type';
    like $text, qr/\n\ndata: \[DONE\]\n\n\z/, 'ends with [DONE]';
    is join('', map { $_->{choices}[0]{delta}{content} // '' } @chunks),
        'one  two', 'the pieces make the answer';
    is $chunks[0]{choices}[0]{delta}{role}, 'assistant', 'role comes first';
    is $chunks[-1]{choices}[0]{finish_reason}, 'stop', 'finish_reason last';
    ok !grep({ exists $_->{usage} } @chunks), 'no usage unless asked for';

    ($status, $text) = chat({ %$request, stream_options =>
                              { include_usage => JSON::XS::true } });
    @chunks = map { decode_json($_) } $text =~ /^data: (\{.*\})\n\n/mg;
    is_deeply $chunks[-1]{choices}, [], 'the usage chunk has no choice';
    cmp_ok $chunks[-1]{usage}{total_tokens}, '>', 0, 'usage when asked for';
    ok exists $chunks[0]{usage} && !defined $chunks[0]{usage},
        'null in the others';
};


subtest 'chat: refusals' => sub {
    my @cases = (
        [ 'not JSON', 'hi', undef, undef ],
        [ 'an array', [1], undef, undef ],
        [ 'broken UTF-8', "{\"model\":\"\xff\"}", undef, undef ],
        [ 'no model', { messages => [] }, 'model',
          'missing_required_parameter' ],
        [ 'no messages', { model => 'm' }, 'messages',
          'missing_required_parameter' ],
        [ 'empty messages', { model => 'm', messages => [] }, 'messages',
          'empty_array' ],
        [ 'unknown parameter', { %$hello, foo => 1 }, 'foo',
          'unknown_parameter' ],
        [ 'type', { %$hello, temperature => 'hot' }, 'temperature',
          'invalid_type' ],
        [ 'role', { model => 'm', messages => [
            { role => 'robot', content => 'x' } ] }, 'messages[0].role',
          'invalid_value' ],
        [ 'content', { model => 'm', messages => [
            { role => 'user', content => undef } ] }, 'messages[0].content',
          'invalid_type' ],
        [ 'tool_call_id', { model => 'm', messages => [
            { role => 'tool', content => 'x' } ] },
          'messages[0].tool_call_id', 'missing_required_parameter' ],
    );

    for my $case (@cases) {
        my ($name, $body, $param, $code) = @$case;
        my ($status, $answer) = chat($body);
        my $error = $answer->{error};

        is $status, 400, "$name: 400";
        is $error->{type}, 'invalid_request_error', "$name: type";
        is $error->{param}, $param, "$name: param";
        is $error->{code}, $code, "$name: code";
    }

    my ($status, $answer) = $sandbox->post($CHAT, $hello);
    is $status, 401, 'no key';
    is $answer->{error}{type}, 'invalid_request_error', 'no key: type';

    ($status, $answer) = $sandbox->get($CHAT);
    is $status, 405, 'GET';
    is $answer->{error}{code}, 'method_not_supported', 'GET: code';

    ($status, $answer) = $sandbox->post('/v1/nope', $hello);
    is $status, 404, 'unknown path';
    is $answer->{error}{type}, 'invalid_request_error', 'in the same format';
};


subtest 'manychat' => sub {
    my $seq = last_seq();
    my ($status, $answer) = manychat(
        '{"subscriber_id":98765432109876543,"data":{"version":"v2","content":'
        . '{"type":"instagram","messages":[{"type":"text","text":"Yes."},'
        . '{"type":"text","text":"\u00e9"}],"actions":[],'
        . '"quick_replies":[]}}}');
    my ($message) = @{ $sandbox->sent($seq) };

    is $status, 200, 'status';
    is_deeply $answer, { status => 'success' }, 'answer';
    is $message->{provider}, 'manychat', 'sent: provider';
    is $message->{to}, '98765432109876543', 'sent: all digits';
    is $message->{from}, '345', 'sent: the page of the key';
    is $message->{text}, "Yes.\n\x{e9}", 'sent: text';
    is $message->{raw}{data}{content}{type}, 'instagram', 'sent: raw';
    like $message->{at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/, 'sent: at';

    is((manychat({ subscriber_id => 'lead-7', data => content('x') }))[0],
       200, 'a text id');
    is $sandbox->sent($seq)->[1]{to}, 'lead-7', 'sent: text id';

    my @wrong = (
        [ 'no id', { data => content('x') } ],
        [ 'a broken id', { subscriber_id => 1.5, data => content('x') } ],
        [ 'no data', { subscriber_id => 1 } ],
        [ 'version', { subscriber_id => 1, data => { version => 'v1' } } ],
        [ 'surface', { subscriber_id => 1,
                       data => content('x', type => 'fax') } ],
        [ 'empty text', { subscriber_id => 1, data => content('') } ],
        [ 'no messages', { subscriber_id => 1,
                           data => content('x', messages => []) } ],
        [ 'too many', { subscriber_id => 1, data => content('x',
            messages => [ ({ type => 'text', text => 'x' }) x 11 ]) } ],
        [ 'not JSON', 'x' ],
    );

    for my $case (@wrong) {
        ($status, $answer) = manychat($case->[1]);
        is $status, 400, "$case->[0]: 400";
        ok $answer->{details}{messages}[0]{message}, "$case->[0]: details";
    }

    ($status, $answer) = $sandbox->post($SEND, {});
    is $status, 401, 'no key';
    is_deeply $answer, { status => 'error', message => 'Token is required' },
        'no key: answer';
    ($status, $answer) = $sandbox->post('/fb/sending/nope', {});
    is $status, 404, 'unknown path';
    like $answer, qr/^<!doctype html>/, 'unknown path: a page';
    is @{ $sandbox->sent($seq) }, 2, 'what is refused is not sent';
};


subtest 'infobip' => sub {
    my $seq = last_seq();
    my ($status, $answer) = infobip($TEXT, text_message(messageId => 'ours'));
    my ($message) = @{ $sandbox->sent($seq) };

    is $status, 200, 'status';
    is $answer->{messageId}, 'ours', 'our id';
    is $answer->{status}{groupName}, 'PENDING', 'group';
    is $message->{to}, '15550104330', 'sent: to';
    is $message->{from}, '15550100299', 'sent: from';
    is $message->{text}, 'We open at nine.', 'sent: text';
    is $message->{id}, 'ours', 'sent: id';

    ($status, $answer) = infobip($TEXT, text_message());
    ok $answer->{messageId}, 'an id of its own';
    is $sandbox->sent($seq)->[1]{id}, $answer->{messageId}, 'sent: the same';

    ($status, $answer) = infobip('/whatsapp/1/message/template', {
        messages => [ text_message(content => {
            templateName => 'order_update', language => 'en',
            templateData => { body => { placeholders => ['A-1', 'now'] } },
        }) ] });
    is $status, 200, 'template';
    is $answer->{messages}[0]{status}{groupId}, 1, 'template: group';
    is $sandbox->sent($seq)->[2]{text}, 'order_update A-1 now',
        'sent: template and placeholders';

    my @wrong = (
        [ 'from', text_message(from => 'x' x 25), 'from' ],
        [ 'to', { %{ text_message() }, to => '' }, 'to' ],
        [ 'text', text_message(content => { text => 'x' x 4097 }),
          'content.text' ],
        [ 'number', text_message(content => { text => 7 }), 'content.text' ],
        [ 'callbackData', text_message(callbackData => 'x' x 4001),
          'callbackData' ],
    );

    for my $case (@wrong) {
        ($status, $answer) = infobip($TEXT, $case->[1]);
        my $exception = $answer->{requestError}{serviceException};

        is $status, 400, "$case->[0]: 400";
        is $exception->{messageId}, 'BAD_REQUEST', "$case->[0]: messageId";
        ok $exception->{validationErrors}{ $case->[2] },
            "$case->[0]: validationErrors";
    }

    is((infobip($TEXT, text_message(content => { text => "\x{e9}" x 4096 })))
       [0], 200, 'the limit is in characters');

    ($status, $answer) = $sandbox->post($TEXT, text_message());
    is $status, 401, 'no key';
    is $answer->{requestError}{serviceException}{messageId}, 'UNAUTHORIZED',
        'no key: messageId';
    is((infobip('/whatsapp/1/nope', {}))[0], 404, 'unknown path');
    is @{ $sandbox->sent($seq) }, 4, 'what is refused is not sent';
};


subtest 'meta' => sub {
    my $seq = last_seq();
    my ($status, $answer) = meta(whatsapp());
    my ($message) = @{ $sandbox->sent($seq) };

    is $status, 200, 'status';
    is $answer->{contacts}[0]{wa_id}, '15550104330', 'contact';
    like $answer->{messages}[0]{id}, qr/^wamid\./, 'an id';
    is $message->{provider}, 'meta', 'sent: provider';
    is $message->{id}, $answer->{messages}[0]{id}, 'sent: id';
    is $message->{from}, '100000000000001', 'sent: from';
    is $message->{text}, 'We open at nine.', 'sent: text';

    my $scoped = whatsapp(recipient => 'US.1349');
    delete $scoped->{to};
    ($status, $answer) = meta($scoped);
    is $answer->{contacts}[0]{user_id}, 'US.1349', 'a business-scoped id';

    ($status, $answer) = meta(whatsapp(type => 'template', template => {
        name => 'order_update', language => { code => 'en_US' },
        components => [ { type => 'body', parameters => [
            { type => 'text', text => 'A-1' } ] } ] }));
    is $status, 200, 'template';
    is $sandbox->sent($seq)->[2]{text}, 'order_update A-1', 'template: text';

    ($status, $answer) = meta({ messaging_product => 'whatsapp',
        status => 'read', message_id => 'wamid.1' });
    ok $answer->{success}, 'a read receipt';
    is @{ $sandbox->sent($seq) }, 3, 'which is no message';

    my @wrong = (
        [ 'product', whatsapp(messaging_product => 'sms'), 100 ],
        [ 'to', whatsapp(to => ''), 100 ],
        [ 'text', whatsapp(text => { body => 'x' x 4097 }), 131009 ],
        [ 'type', whatsapp(type => 'fax'), 131051 ],
        [ 'template', whatsapp(type => 'template'), 131009 ],
    );

    for my $case (@wrong) {
        ($status, $answer) = meta($case->[1]);
        is $status, 400, "$case->[0]: 400";
        is $answer->{error}{code}, $case->[2], "$case->[0]: code";
    }

    is((meta(whatsapp(text => { body => "\x{e9}" x 4096 })))[0], 200,
        'the limit is in characters');
    ($status, $answer) = $sandbox->post('/v23.0/1/messages', whatsapp());
    is "$status $answer->{error}{code}", '401 190', 'no token';
    is((meta(whatsapp(), '/v23.0/1/nope'))[0], 404, 'unknown path');

    $sandbox->behave({ meta => { status => { 429 => 1 } } });
    ($status, $answer) = meta(whatsapp());
    is "$status $answer->{error}{code}", '429 130429', 'a limit';
    $sandbox->behave({});
    is @{ $sandbox->sent($seq) }, 4, 'what is refused is not sent';
};


subtest 'instagram' => sub {
    my $seq = last_seq();
    my $path = '/instagram/v23.0/17800000000000123/messages';
    my $text = sub { { recipient => { id => '9001' },
        message => { text => $_[0] } } };
    my $post = sub {
        return $sandbox->post($path, $_[0], Authorization => 'Bearer t');
    };
    my ($status, $answer) = $post->($text->('At nine.'));
    my ($message) = @{ $sandbox->sent($seq) };

    is $status, 200, 'status';
    is $answer->{recipient_id}, '9001', 'to whom';
    is $message->{provider}, 'instagram', 'sent: provider';
    is $message->{id}, $answer->{message_id}, 'sent: id';
    is $message->{from}, '17800000000000123', 'sent: from';
    is $message->{text}, 'At nine.', 'sent: text';

    is(($post->({ recipient => { id => '9001' },
        sender_action => 'typing_on' }))[0], 200, 'an action');
    is(($post->($text->("\x{e9}" x 500)))[0], 200, '1000 bytes');
    for my $wrong ($text->("\x{e9}" x 501), $text->(''), {},
        { message => { text => 'a' } })
    {
        ($status, $answer) = $post->($wrong);
        is "$status $answer->{error}{code}", '400 100', 'what is wrong';
    }
    ($status, $answer) = $sandbox->post($path, $text->('a'));
    is "$status $answer->{error}{code}", '401 190', 'no token';
    is(($sandbox->post('/instagram/v23.0/nope', {}))[0], 404, 'unknown path');

    $sandbox->behave({ instagram => { status => { 429 => 1 } } });
    ($status, $answer) = $post->($text->('a'));
    is "$status $answer->{error}{code}", '429 613', 'a limit';
    $sandbox->behave({});
    is @{ $sandbox->sent($seq) }, 2, 'what is refused is not sent';
};


subtest 'twilio' => sub {
    my $seq = last_seq();
    my $path = '/2010-04-01/Accounts/AC1/Messages.json';
    my %good = (To => 'whatsapp:%2B15550104440',
        From => 'whatsapp:%2B15550100399', Body => 'At+9+%26+5.');
    my $post = sub {
        my ($more, @auth) = @_;
        my %form = (%good, %$more);
        return $sandbox->post($path, join('&', map { "$_=$form{$_}" }
            sort keys %form), @auth ? @auth
            : (Authorization => 'Basic QUMxOnRva2Vu'));
    };
    my ($status, $answer) = $post->({});
    my ($message) = @{ $sandbox->sent($seq) };

    is $status, 201, 'status';
    like $answer->{sid}, qr/^SM/, 'an id';
    is "$answer->{status} $answer->{to}", 'queued whatsapp:+15550104440',
        'queued, to whom';
    is $message->{provider}, 'twilio', 'sent: provider';
    is $message->{id}, $answer->{sid}, 'sent: id';
    is "$message->{from} $message->{to}", '15550100399 15550104440',
        'sent: from and to';
    is $message->{text}, 'At 9 & 5.', 'sent: text';
    is $message->{raw}{Body}, 'At 9 & 5.', 'sent: raw';

    for my $case ([ { To => '15550104440' }, 21211 ], [ { From => '' }, 21212 ],
        [ { Body => '' }, 21619 ], [ { Body => 'x' x 1601 }, 21617 ])
    {
        ($status, $answer) = $post->($case->[0]);
        is "$status $answer->{code}", "400 $case->[1]", "wrong: $case->[1]";
    }
    is(($post->({ Body => '%C3%A9' x 1600 }))[0], 201, '1600 characters');
    for my $key ('Basic QUMyOnRva2Vu', 'Bearer token', 'Basic QUMxOg==') {
        ($status, $answer) = $post->({}, Authorization => $key);
        is "$status $answer->{code}", '401 20003', "refused: $key";
    }
    is(($sandbox->post('/2010-04-01/nope', {}))[0], 404, 'unknown path');

    $sandbox->behave({ twilio => { status => { 429 => 1 } } });
    ($status, $answer) = $post->({});
    is "$status $answer->{code}", '429 20429', 'a limit';
    $sandbox->behave({});
    is @{ $sandbox->sent($seq) }, 2, 'what is refused is not sent';
};


subtest 'statuses in the true formats' => sub {
    $sandbox->behave({ '*' => { status => { 429 => 1 }, retry_after => 2 } });

    my ($status, $answer, $headers) = chat($hello);
    is $status, 429, 'chat';
    is $answer->{error}{code}, 'rate_limit_exceeded', 'chat: code';
    is $headers->header('retry-after'), 2, 'chat: retry-after';
    is $headers->header('retry-after-ms'), 2000, 'chat: retry-after-ms';

    ($status, $answer, $headers) = infobip($TEXT, text_message());
    is $answer->{requestError}{serviceException}{messageId},
        'TOO_MANY_REQUESTS', 'infobip: messageId';
    is $headers->header('retry-after'), 2, 'infobip: Retry-After';

    ($status, $answer) = manychat({ subscriber_id => 1,
                                    data => content('x') });
    is $status, 429, 'manychat';
    is $answer->{status}, 'error', 'manychat: body';

    $sandbox->behave({ chat => { status => { 500 => 1 },
                                 headers => { 'x-should-retry' => 'no' } } });
    ($status, $answer, $headers) = chat($hello);
    is $answer->{error}{type}, 'server_error', 'chat: 500';
    is $headers->header('x-should-retry'), 'no', 'a header on top';

    $sandbox->behave({ chat => { status => { 502 => 1 } } });
    ($status, $answer, $headers) = chat($hello);
    is $status, 502, 'a proxy answers 502';
    like $answer, qr/^<html>/, 'with a page';
    like $headers->header('content-type'), qr{text/html}, 'of HTML';
    $sandbox->reset;
    is((chat($hello))[0], 200, 'reset');
};


subtest 'faults' => sub {
    my $seq = last_seq();
    my $socket = $sandbox->send_request(send_content('well'));

    like read_until($socket, qr/"success"\}/), qr/200 OK/, 'kept alive';
    $sandbox->behave({ manychat => { cut_after_accept => 1 } });
    $socket->print(Setter::Sandbox::request_bytes(send_content('kept')));
    is read_until($socket, qr/./), '', 'cut: a kept connection is closed';
    is read_until($sandbox->send_request(send_content('new')), qr/./), '',
        'cut: and a new one';
    is_deeply [ map { $_->{text} } @{ $sandbox->sent($seq) } ],
        [ 'well', 'kept', 'new' ], 'cut: and yet they were sent';

    $seq = last_seq();
    $sandbox->behave({ manychat => { cut_kept => 1 } });
    $socket = $sandbox->send_request(send_content('first'));
    like read_until($socket, qr/"success"\}/), qr/200 OK/,
        'cut_kept: a new connection is well';
    $socket->print(Setter::Sandbox::request_bytes(send_content('second')));
    is read_until($socket, qr/./), '', 'cut_kept: a kept one is closed';
    is_deeply [ map { $_->{text} } @{ $sandbox->sent($seq) } ],
        [ 'first', 'second' ], 'cut_kept: and yet both were sent';

    $sandbox->behave({ manychat => { drip => 1 } });
    my $begun = time;
    my $bytes = read_until($sandbox->send_request(send_content('slowly')),
        qr/\r\n\r\n\{"s/);
    like $bytes, qr/200 OK.*Content-Length: 20\r/s, 'drip: a good answer';
    cmp_ok time - $begun, '>', 1.9, 'drip: a second between two bytes';

    $sandbox->behave({ '*' => { garbage => 1 } });
    my ($status, $answer) = chat($hello);
    is $status, 200, 'garbage: 200';
    ok !ref $answer && length $answer, 'garbage: no JSON';

    $sandbox->behave({ '*' => { timeout => 1 } });
    $seq = last_seq();
    $socket = $sandbox->send_request(send_content('held'));
    ok $sandbox->wait_until(sub { $sandbox->calls->{manychat}{open} == 1 }),
        'timeout: the request is read';
    is_deeply $sandbox->sent($seq), [], 'timeout: and not sent';
    close $socket;
    ok $sandbox->wait_until(sub { $sandbox->calls->{manychat}{open} == 0 }),
        'timeout: held until the client goes';
};


subtest 'fail first, then well' => sub {
    $sandbox->behave({ chat => { fail_first => { status => 500,
                                                 count => 2 } } });
    is join(' ', map { (chat($hello))[0] } 1 .. 4), '500 500 200 200',
        'twice';

    $sandbox->behave({ chat => { fail_first => { garbage => JSON::XS::true,
                                                 count => 1 } } });
    ok !ref((chat($hello))[1]), 'another fault';
    ok ref((chat($hello))[1]), 'once';

    $sandbox->behave({ manychat => { fail_first => {
        cut_after_accept => JSON::XS::true, count => 1 } } });
    is join(' ', map { length read_until($sandbox->send_request(
        send_content('x')), qr/./) ? 'well' : 'cut' } 1 .. 2), 'cut well',
        'a cut';
};


subtest 'probabilities' => sub {
    my %seen;

    $sandbox->behave({ chat => { status => { 429 => 0.3, 500 => 0.2 } } });
    $seen{ (chat($hello))[0] }++ for 1 .. 400;

    cmp_ok abs($seen{200} - 200), '<', 60, 'half is well';
    cmp_ok abs($seen{429} - 120), '<', 55, '429 by its share';
    cmp_ok abs($seen{500} - 80), '<', 48, '500 by its share';
};


subtest 'latency and reply' => sub {
    $sandbox->behave({ '*' => { latency_ms => 150 },
                       chat => { reply => 'fixed' } });
    my $start = time;
    my (undef, $answer) = chat($hello);

    cmp_ok time - $start, '>=', 0.149, 'a fixed latency, from "*"';
    is $answer->{choices}[0]{message}{content}, 'fixed', 'a fixed reply';

    $sandbox->behave({ chat => { latency_ms => [50, 100] } });
    $start = time;
    chat($hello);
    cmp_ok time - $start, '>=', 0.049, 'between two bounds';
};


subtest 'control' => sub {
    my @wrong = ('x', '[1]', { fax => {} }, { chat => 1 },
        { chat => { latency => 1 } }, { chat => { latency_ms => -1 } },
        { chat => { latency_ms => [2, 1] } },
        { chat => { status => { 200 => 1 } } }, { chat => { timeout => 2 } },
        { chat => { timeout => 0.6, status => { 500 => 0.6 } } },
        { chat => { fail_first => { count => 1 } } },
        { chat => { reply => 1 } }, { chat => { headers => { a => 1 } } });

    $sandbox->behave({ chat => { reply => 'kept' } });

    for my $body (@wrong) {
        my ($status, $answer) = $sandbox->request('PUT', '/sandbox/behaviour',
                                                  $body);
        is $status, 400, 'refused: ' . ($answer->{error} // '');
    }

    is_deeply +($sandbox->get('/sandbox/behaviour'))[1],
        { chat => { reply => 'kept' } }, 'a refused one changes nothing';

    $sandbox->reset;
    is_deeply +($sandbox->get('/sandbox/behaviour'))[1], {}, 'reset';

    $sandbox->reset_calls;
    chat($hello);
    is $sandbox->calls->{chat}{count}, 1, 'calls are counted';
    is $sandbox->calls->{chat}{highest_concurrency}, 1, 'concurrency';

    is((manychat({ subscriber_id => 1, data => content('x') }))[0], 200);
    my $all = $sandbox->sent;
    is_deeply [ map { $_->{seq} } @$all ], [ 1 .. @$all ], 'seq goes up';
    is_deeply $sandbox->sent($all->[-2]{seq}), [ $all->[-1] ], 'since';
    is((get_status('/sandbox/sent?since=x')), 400, 'since is a number');
    is((get_status('/sandbox/nope')), 404, 'unknown path');
    is(($sandbox->post('/sandbox/sent'))[0], 405, 'method');
};

sub get_status { return ($sandbox->get($_[0]))[0] }


# Clients in six processes, so that the usual limit of 1024 files is enough.
subtest 'holds 5,000 requests' => sub {
    my @clients;

    $sandbox->behave({ chat => { latency_ms => 600_000 } });
    $sandbox->reset_calls;

    for (1 .. 6) {
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            my @sockets = map { open_chat() }
                          1 .. 850;
            sleep;
        }

        push @clients, $pid;
    }

    ok $sandbox->wait_until(sub { $sandbox->calls->{chat}{open} == 5100 }),
        'all are open';
    is $sandbox->calls->{chat}{highest_concurrency}, 5100, 'and counted';

    my ($kib) = Setter::Sandbox::slurp('/proc/' . $sandbox->worker_pid
                                       . '/status') =~ /VmRSS:\s+(\d+)/;
    note "resident with 5,100 held: $kib KiB";
    cmp_ok $kib, '<', 128 * 1024, 'in little memory';

    kill 'KILL', @clients;
    waitpid $_, 0 for @clients;
    ok $sandbox->wait_until(sub { $sandbox->calls->{chat}{open} == 0 }),
        'let go when the clients go';
};


unlike $sandbox->error_log, qr/\[(error|crit|alert|emerg)\]/, 'a clean log';

done_testing;
