# What leads get: an answer, the same answer to a repeat, one answer to a
# burst, and what the webhook says to what it cannot use.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_base64 hmac_sha256_hex);
use File::Temp ();
use FindBin;
use JSON::XS qw(encode_json);
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;

my $uuid = qr/\A[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\z/;
my $stack = Setter::Stack->new;

subtest 'a message is answered, the next one with the first in mind' => sub {
    my $answer = $stack->say('Do you ship abroad?', chat_id => '1001');
    is $answer->{status}, 201, 'taken';
    is $answer->{json}{status}, 'SUCCESS', 'with success';
    like $answer->{json}{id}, $uuid, 'and an id';

    my ($reply) = $stack->wait_sent_to('1001', 1);
    like $reply->{text}, qr/Do you ship abroad\?/, 'the model saw the text';
    is $reply->{provider}, 'manychat', 'it left through ManyChat';
    is $reply->{raw}{data}{content}{type}, 'instagram', 'for Instagram';

    my $next = $stack->say('And how fast?', chat_id => '1001');
    my (undef, $second) = $stack->wait_sent_to('1001', 2);
    unlike $second->{text}, qr/ship abroad/, 'what was answered is done with';

    $stack->wait_state($next->{json}{id}, 'sent');
    my @out = $stack->psql("SELECT state, prompt_tokens FROM messages
        WHERE address = '1001' AND direction = 'out' ORDER BY seq");
    is_deeply [ map { $_->[0] } @out ], [ 'sent', 'sent' ], 'recorded as sent';
    cmp_ok $out[1][1], '>', $out[0][1] + 10, 'the model was told the past';
};

subtest 'WhatsApp through Meta: signed, answered, and reported on' => sub {
    my ($us, $them) = ('800111222333444', '15550104321');
    my $said = sub {
        my $path = @_ % 2 ? shift : '/webhook/meta/acme';
        my %value = @_;
        my $body = encode_json({ object => 'whatsapp_business_account',
            entry => [ { id => '1', changes => [ { field => 'messages',
                value => { messaging_product => 'whatsapp',
                    metadata => { phone_number_id => $us }, %value } } ]
            } ] });
        return $stack->post($path, $body, 'X-Hub-Signature-256' => 'sha256='
            . hmac_sha256_hex($body, $stack->env('META_APP_SECRET')));
    };
    my $now = time;
    my $answer = $said->(messages => [ map { {
        id => "wamid.$_", from => $them, timestamp => $now + $_,
        type => 'text', text => { body => "part $_" },
    } } 2, 1 ]);
    is "$answer->{status} $answer->{content}", '200 ', 'an empty 200';

    my ($reply) = $stack->wait_sent_to($them, 1);
    is $reply->{provider}, 'meta', 'it left through Meta';
    is $reply->{from}, $us, 'from the number it came to';
    like $reply->{text}, qr/part 1\s+part 2/, 'one answer, in order';

    my $id = sub { ($stack->psql("SELECT $_[0] FROM messages
        WHERE tenant = 'acme' AND direction = 'out'"))[0][0] // '' };
    $stack->wait_for('the reply to be on record', 10,
        sub { $id->('state') eq 'sent' });
    $said->(statuses => [ { id => $reply->{id}, status => 'read',
        timestamp => $now, recipient_id => $them } ]);
    ok $stack->wait_for('the report to count', 20,
        sub { $id->('read_at') ne '' }), 'a status moves it on';

    $stack->ctl('channel', 'add', 'initech', 'meta', '800111222333445');
    $us = '800111222333445';
    $said->(messages => [ { id => 'wamid.3', from => $them, type => 'text',
        timestamp => $now, text => { body => 'Whose?' } } ]);
    is_deeply [$stack->psql("SELECT tenant FROM messages
        WHERE provider_id = 'wamid.3'")], [], 'not by another tenant\'s URL';
    $said->('/webhook/meta', messages => [ { id => 'wamid.4', from => $them,
        timestamp => $now, type => 'text', text => { body => 'Whose?' } } ]);
    ok $stack->wait_for('the message', 20, sub {
        ($stack->psql("SELECT tenant FROM messages
            WHERE provider_id = 'wamid.4'"))[0] }), 'by the one of all';
    is +($stack->psql("SELECT tenant FROM messages
        WHERE provider_id = 'wamid.4'"))[0][0], 'initech', 'a number tells';

    my $secret = File::Temp->new;
    print $secret "secret-of-initech\n";
    close $secret;
    $stack->ctl('channel', 'set', 'initech', 'meta', $us, "signing=$secret");
    my $own = $stack->post('/webhook/meta/initech', '{"entry":[]}',
        'X-Hub-Signature-256' => 'sha256='
            . hmac_sha256_hex('{"entry":[]}', 'secret-of-initech'));
    is $own->{status}, 200, 'an app of its own signs with its own secret';

    my $wrong = $stack->post('/webhook/meta/acme', '{}',
        'X-Hub-Signature-256' => 'sha256=00');
    is $wrong->{status}, 401, 'what is not signed is refused';
    my $hello = $stack->request(GET => $stack->env('SETTER_URL')
        . '/webhook/meta?hub.mode=subscribe&hub.challenge=42&hub.verify_token='
        . $stack->env('META_VERIFY_TOKEN'));
    is $hello->{content}, '42', 'the handshake';
};

subtest 'a voice note of WhatsApp is heard' => sub {
    $stack->request('PUT', $stack->env('SANDBOX_URL') . '/sandbox/media/4711',
        "OggS\nDo you open on Sunday?", 'Content-Type' => 'audio/ogg');
    my $body = encode_json({ object => 'whatsapp_business_account',
        entry => [ { id => '1', changes => [ { field => 'messages', value => {
            messaging_product => 'whatsapp',
            metadata => { phone_number_id => '800111222333444' },
            messages => [ { id => 'wamid.voice', from => '15550104399',
                timestamp => time, type => 'audio',
                audio => { id => '4711', voice => \1,
                    mime_type => 'audio/ogg; codecs=opus' } } ] } } ] } ] });
    is $stack->post('/webhook/meta/acme', $body, 'X-Hub-Signature-256' =>
        'sha256=' . hmac_sha256_hex($body, $stack->env('META_APP_SECRET'))
    )->{status}, 200, 'taken';
    my ($reply) = $stack->wait_sent_to('15550104399', 1);
    is $reply->{text}, 'Do you open on Sunday?', 'and answered';
};

subtest 'what is missing is named, and nothing is kept' => sub {
    my $answer = $stack->say(' ', chat_id => '{{contact.id}}',
        Host => 'wrong.example.com');
    is $answer->{status}, 201, 'ManyChat gets its 201';
    is $answer->{json}{status}, 'INVALID_INPUT', 'and is told';
    is_deeply [ sort map { "$_->{field} $_->{error}" }
        @{ $answer->{json}{errors} } ],
        [ 'chat_id empty', 'lead_message empty' ], 'what is wrong';

    my $strict = $stack->post('/api/lead/messages', '{"chat_id":');
    is $strict->{status}, 400, 'the API answers with the true status';
    is $strict->{json}{status}, 'INVALID_INPUT', 'and the same body';

    # a good one behind it, so that a kept one would have shown by now
    my $good = $stack->say('Right', chat_id => '1002',
        Host => 'wrong.example.com');
    $stack->wait_sent_to('1002', 1);
    is_deeply [ $stack->psql("SELECT id FROM jobs WHERE tenant = 'wrong'") ],
        [ [ $good->{json}{id} ] ], 'only the good one is on record';
};

subtest 'a repeat gets the same id and no second answer' => sub {
    my @same = (chat_id => '1003', message_id => 'm-1');
    my $first = $stack->say('Hello', @same);
    my $again = $stack->say('Hello', @same);
    is $again->{content}, $first->{content}, 'the same answer';
    $stack->wait_sent_to('1003', 1);

    my $late = $stack->say('Hello', @same);
    is $late->{json}{id}, $first->{json}{id}, 'also once it was answered';

    my $other = $stack->say('Something else', chat_id => '1003',
        message_id => 'm-2');
    isnt $other->{json}{id}, $first->{json}{id}, 'another message, another id';
    my @sent = $stack->wait_sent_to('1003', 2);
    is_deeply [ map { $_->{text} =~ /Hello/ ? 1 : 0 } @sent ], [ 1, 0 ],
        'one answer each';
};

subtest 'three quick messages get one answer that knows all three' => sub {
    my @ids = map { $stack->say($_, chat_id => '1004')->{json}{id} }
        'I have', 'a question', 'about sizes';
    my ($reply) = $stack->wait_sent_to('1004', 1);
    like $reply->{text}, qr/I have.*a question.*about sizes/s, 'in order';

    $stack->wait_state($ids[0], 'sent');
    is $stack->job_status($_), 'done', "$_ is done" for @ids;
    is scalar($stack->sent_to('1004')), 1, 'one answer';
};

subtest 'Instagram: signed, answered in parts, seen' => sub {
    my ($us, $them) = ('17800000000000123', '900000000000000101');
    my $said = sub {
        my $body = encode_json({ object => 'instagram', entry => [ {
            id => $us, time => time, messaging => [ { sender => { id => $them },
                recipient => { id => $us }, timestamp => 1000 * time, @_ } ]
        } ] });
        return $stack->post('/webhook/instagram/acme', $body,
            'X-Hub-Signature-256' => 'sha256='
                . hmac_sha256_hex($body, $stack->env('INSTAGRAM_APP_SECRET')));
    };
    my $long = join ' ', map { "This is sentence number $_." } 1 .. 60;
    my $answer = $said->(message => { mid => 'aWdf1', text => $long });
    is "$answer->{status} $answer->{content}", '200 ', 'an empty 200';

    my @parts = $stack->wait_sent_to($them, 2);
    is $parts[0]{provider}, 'instagram', 'it left through Instagram';
    is $parts[0]{from}, $us, 'from the account it came to';
    is join(' ', map { $_->{text} } @parts), $long, 'in two parts, in order';
    like $parts[0]{text}, qr/\.\z/, 'cut behind a sentence';
    cmp_ok length $parts[0]{text}, '<=', 1000, 'that Instagram takes';

    my $out = sub { ($stack->psql("SELECT $_[0] FROM messages
        WHERE address = '$them' AND direction = 'out'"))[0][0] // '' };
    $stack->wait_for('the reply to be on record', 10,
        sub { $out->('state') eq 'sent' });
    $said->(read => { mid => $parts[1]{id} });
    ok $stack->wait_for('the report to count', 20,
        sub { $out->('read_at') ne '' }), 'who saw it is on record';
};

subtest 'Twilio: signed with its URL, answered, and reported on' => sub {
    my ($us, $them) = ('15550100399', '15550104440');
    my $said = sub {
        my %form = @_;
        my $path = '/webhook/twilio/acme';
        my $sign = hmac_sha1_base64(join('', "https://setter.example$path",
            map { $_, $form{$_} } sort keys %form),
            $stack->env('TWILIO_AUTH_TOKEN'));
        return $stack->post($path, join('&', map { "$_=" . $form{$_} =~
            s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger } keys %form),
            'X-Twilio-Signature' => $sign . '=',
            'Content-Type' => 'application/x-www-form-urlencoded');
    };
    my $answer = $said->(MessageSid => 'SM1', From => "whatsapp:+$them",
        To => "whatsapp:+$us", Body => 'Open & free?', MessageType => 'text');
    is $answer->{status}, 200, 'taken';
    like $answer->{content}, qr{<Response></Response>\z}, 'with TwiML';

    my ($reply) = $stack->wait_sent_to($them, 1);
    is $reply->{provider}, 'twilio', 'it left through Twilio';
    is $reply->{from}, $us, 'from the number it came to';
    is $reply->{text}, 'Open & free?', 'its text';

    my $out = sub { ($stack->psql("SELECT $_[0] FROM messages
        WHERE address = '$them' AND direction = 'out'"))[0][0] // '' };
    $stack->wait_for('the reply to be on record', 10,
        sub { $out->('state') eq 'sent' });
    $said->(MessageSid => $reply->{id}, MessageStatus => 'read',
        From => "whatsapp:+$us", To => "whatsapp:+$them");
    ok $stack->wait_for('the report to count', 20,
        sub { $out->('read_at') ne '' }), 'a status moves it on';
};

subtest "Infobip's messages are let in by a key, and answered" => sub {
    my $them = '15550100471';
    chomp(my $key = $stack->ctl('key', 'add', 'acme'));
    my $said = sub {
        return $stack->post('/webhook/infobip', encode_json({ results => [@_] }),
            Authorization => "Bearer $key");
    };
    my $answer = $said->(map { {
        messageId => "ib-$_", from => $them, to => '15550100299',
        receivedAt => "2026-01-01T10:00:0$_.000+0000",
        message => { type => 'TEXT', text => "part $_" },
    } } 2, 1);
    is "$answer->{status} $answer->{content}", '200 ', 'an empty 200';

    my ($reply) = $stack->wait_sent_to($them, 1);
    is $reply->{provider}, 'infobip', 'it left through Infobip';
    is $reply->{from}, '15550100299', 'from the number it came to';
    like $reply->{text}, qr/part 1\s+part 2/, 'one answer, in order';
};

subtest 'the engine webhook is answered through Infobip' => sub {
    my $answer = $stack->post('/webhook/inbound', {
        from => '15550100001', message => 'Is my order there?',
        tenant_id => 'acme', timestamp => '2026-11-20T10:30:00Z',
    }, Host => 'acme.example.com');
    is $answer->{status}, 201, 'taken';
    is $answer->{json}{status}, 'SUCCESS', 'with success';

    my ($reply) = $stack->wait_sent_to('15550100001', 1);
    is $reply->{provider}, 'infobip', 'it left through Infobip';
    like $reply->{text}, qr/Is my order there\?/, 'the model saw the text';
};

subtest 'tenants are told apart by their host' => sub {
    my @same = (chat_id => '1005', message_id => 'the-same');
    my $acme = $stack->say('At Acme', @same, Host => 'acme.example.com');
    my $globex = $stack->say('At Globex', @same, Host => 'globex.example.com');
    isnt $acme->{json}{id}, $globex->{json}{id}, 'ids are the tenant\'s own';

    my @sent = $stack->wait_sent_to('1005', 2);
    is_deeply [ sort map { $_->{text} =~ /(Acme|Globex)/g } @sent ],
        [ 'Acme', 'Globex' ], 'each answer knows its own tenant\'s message';
    is_deeply [ $stack->psql("SELECT tenant FROM conversations
        WHERE lane LIKE '%:1005' ORDER BY tenant") ],
        [ ['acme'], ['globex'] ], 'two conversations';
};

subtest 'a key tells the tenant, whatever the host says' => sub {
    chomp(my $key = $stack->ctl('key', 'add', 'initech'));
    my $send = sub {
        my ($bearer) = @_;
        return $stack->post('/webhook/inbound',
            { from => '15550100002', message => 'With a key' },
            Host => 'acme.example.com', Authorization => "Bearer $bearer");
    };

    my $answer = $send->($key);
    is $answer->{status}, 201, 'taken';
    $stack->wait_sent_to('15550100002', 1);
    is_deeply [ $stack->psql("SELECT tenant FROM jobs
        WHERE id = '$answer->{json}{id}'") ], [ ['initech'] ],
        'for its tenant';

    is $send->("${key}x")->{status}, 401, 'a wrong one is refused';
    is $stack->ctl('key', 'revoke', 'initech'), "revoked 1\n", 'revoked';
    $stack->wait_for('the key to count no more', 10,
        sub { $send->($key)->{status} == 401 });
};

subtest 'the webhook tester finds all well' => sub {
    my ($status, $output) = Setter::Stack::script($stack->{env},
        'try-webhook', $stack->env('SETTER_URL'));
    is $status, 0, 'exit 0' or diag $output;
    is scalar(() = $output =~ / ok /g), 3, 'three times ok';
};

subtest 'nobody complains' => sub {
    unlike $stack->log_of('nginx'), qr/\[(warn|error|crit|alert|emerg)\]/,
        'nginx';
    unlike $stack->log_of('worker.1'), qr/"level":"(warn|error)"|Sanitizer/,
        'the worker';
    # scripts/run may ask for it before it is up
    unlike $stack->log_of('postgres')
            =~ s/.*FATAL:  the database system is starting up\n//r,
        qr/(WARNING|ERROR|FATAL|PANIC): /, 'PostgreSQL';
};

done_testing;
