# Twilio's own client, from npm: the webhooks that it signs are let in, and what
# it sends is what we send.

use strict;
use warnings;

use FindBin;
use IPC::Run ();
use JSON::XS ();
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;

my $root = Setter::Stack::root();
my $json = JSON::XS->new->utf8->canonical;
my ($us, $them) = ('15550100399', '15550104477');

my $said;
IPC::Run::run(["$root/scripts/setup-client"], \undef, '>&', \$said)
    or BAIL_OUT("the client cannot be installed: $said");

my $stack = Setter::Stack->new(SETTER_DEBOUNCE => '100ms max=200ms',
    SETTER_PUBLIC_URL => 'https://setter.example/',
    SETTER_SEND_TIMEOUT_MS => 3000);
my $token = $stack->env('TWILIO_AUTH_TOKEN');

# What the client answers.
sub client {
    my ($out, $err);
    local $ENV{NODE_PATH} = "$root/build/twilio/node_modules";
    IPC::Run::run(['node', "$root/t/twilio/client.js"],
        \$json->encode({ @_ }), \$out, \$err, IPC::Run::timeout(60))
        or die "the client: $err";
    return $json->decode($out);
}

sub encoded {
    my ($form) = @_;
    return join '&', map { my ($name, $value) = ($_, $form->{$_});
        utf8::encode($value);
        "$name=" . $value =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger
    } sort keys %$form;
}

# Posts a form that the client has signed for that path, or another signature.
sub post {
    my ($path, $form, $signature) = @_;
    $signature //= client(sign => { token => $token, form => $form,
        url => "https://setter.example$path" })->{signature};
    return $stack->post($path, encoded($form),
        'X-Twilio-Signature' => $signature,
        'Content-Type' => 'application/x-www-form-urlencoded');
}

my $n = 0;
sub message {
    return { MessageSid => sprintf('SM%032x', ++$n), MessageType => 'text',
        From => "whatsapp:+$them", To => "whatsapp:+$us", @_ };
}

subtest 'what the client signs is let in' => sub {
    for my $case (
        ['a plain text', '/webhook/twilio/acme', Body => 'Hello'],
        ['marks and spaces', '/webhook/twilio/acme',
            Body => 'a&b=c+d %41 "e" / f?'],
        ['other scripts', '/webhook/twilio/acme',
            Body => "\x{1f44b} na\x{ef}ve \x{4f60}\x{597d}"],
        ['an empty field', '/webhook/twilio/acme', Body => 'x',
            ProfileName => ''],
        ['a query', '/webhook/twilio/acme?a=1&b=%20x', Body => 'Query'],
        ['names in another order', '/webhook/twilio/acme', Body => 'z',
            aField => '1', Zeta => '2', A1 => '3', A => '4'],
    ) {
        my ($name, $path, %form) = @$case;
        my $answer = post($path, message(%form));
        is $answer->{status}, 200, "$name: let in";
    }
    ok scalar $stack->wait_sent_to($them, 1), 'and answered';

    my $body = '{"EventType":"onMessageAdded","Body":"Hi"}';
    my $signed = client(sign => { token => $token, body => $body,
        url => 'https://setter.example/webhook/twilio/acme' });
    my $path = $signed->{url} =~ s{^https://[^/]+}{}r;
    my %signature = ('X-Twilio-Signature' => $signed->{signature});
    is $stack->post($path, $body, %signature)->{status}, 200,
        'JSON, by the digest in its URL';
    is $stack->post($path, $body =~ s/Hi/Ho/r, %signature)->{status}, 401,
        'which is of no other body';
};

subtest 'what it did not sign is not' => sub {
    my $form = message(Body => 'Pay 10');
    my $signature = client(sign => { token => $token, form => $form,
        url => 'https://setter.example/webhook/twilio/acme' })->{signature};
    ok client(check => { token => $token, form => $form,
        signature => $signature,
        url => 'https://setter.example/webhook/twilio/acme' })->{good},
        'the client knows its own';
    is post('/webhook/twilio/acme', { %$form, Body => 'Pay 99' },
        $signature)->{status}, 401, 'another text';
    is post('/webhook/twilio/globex', $form, $signature)->{status}, 401,
        'another tenant\'s URL';
    is post('/webhook/twilio/acme', { %$form, More => 1 },
        $signature)->{status}, 401, 'a field more';
    is post('/webhook/twilio/acme', $form, client(sign => { form => $form,
        token => 'another', url => 'https://setter.example/webhook/twilio/acme'
        })->{signature})->{status}, 401, 'another token';
};

subtest 'a report of its is let in, and counts' => sub {
    my ($sent) = $stack->sent_to($them);
    is post('/webhook/twilio/acme', { MessageSid => $sent->{id},
        MessageStatus => 'read', From => "whatsapp:+$us",
        To => "whatsapp:+$them" })->{status}, 200, 'let in';
    ok $stack->wait_for('it to count', 20, sub {
        ($stack->psql("SELECT read_at FROM messages
            WHERE provider_id = '$sent->{id}'"))[0][0] }), 'it was read';
};

subtest 'a report settles an answer of which nobody knew' => sub {
    $stack->behaviour({ twilio => { cut_after_accept => 1 } });
    my $person = '15550104488';
    is post('/webhook/twilio/acme', message(Body => 'Still there?',
        From => "whatsapp:+$person"))->{status}, 200, 'a message';
    my ($sent) = $stack->wait_sent_to($person, 1);
    my $state = sub { ($stack->psql("SELECT state FROM messages
        WHERE address = '$person' AND direction = 'out'"))[0][0] // '' };
    ok $stack->wait_for('it', 20, sub { $state->() eq 'unknown' }),
        'its answer may have arrived';
    $stack->behaviour({});

    my ($path) = $sent->{raw}{StatusCallback}
        =~ m{^https://setter.example(/[^#]*)};
    is post($path, { MessageSid => $sent->{id}, MessageStatus => 'delivered',
        From => "whatsapp:+$us", To => "whatsapp:+$person" })->{status}, 200,
        'the report, where it was asked for';
    ok $stack->wait_for('it', 20, sub { $state->() eq 'sent' }),
        'it has arrived';
    is(($stack->psql("SELECT provider_id FROM messages
        WHERE address = '$person' AND direction = 'out'"))[0][0], $sent->{id},
        'and is known by the provider\'s id from now on');
};

# The forms that the sandbox took from the client and from us: what is sent.
sub both {
    my ($name, $client, $ours) = @_;
    my $base = $stack->env('SANDBOX_URL');
    my ($last) = reverse $stack->sent;
    my $answer = client(send => { base => $base, account => 'ACsandbox',
        token => $token, message => { from => "whatsapp:+$us",
        to => "whatsapp:+$them", %$client } });
    is $answer->{status}, 'queued', "$name: the client's is taken"
        or diag explain $answer;
    my ($theirs) = $stack->sent($last->{seq});

    chomp(my $key = $stack->ctl('key', 'add', 'acme'));
    is $stack->post('/messages/send', { to => $them, from => $us,
        provider => 'twilio', %$ours }, Authorization => "Bearer $key"
        )->{status}, 202, "$name: ours is queued";
    my $mine;
    $stack->wait_for('ours', 20, sub {
        ($mine) = $stack->sent($theirs->{seq}) });
    like delete $mine->{raw}{StatusCallback},
        qr{^https://setter.example/webhook/twilio/acme\?setter_id=[0-9a-f-]{36}
            \#rc=3&rp=all\z}x, "$name: ours says where to report on it";
    is_deeply $mine->{raw}, $theirs->{raw}, "$name: else they are the same";
}

subtest 'we send what the client sends' => sub {
    both('a text', { body => 'Hello & welcome: 100 % "free"' },
        { message => 'Hello & welcome: 100 % "free"' });
    both('other scripts', { body => "\x{1f44b} \x{4f60}\x{597d}" },
        { message => "\x{1f44b} \x{4f60}\x{597d}" });
    both('a file', { body => 'Look', mediaUrl => ['https://example.com/a.png']
        }, { message => 'Look', media => { type => 'image',
            url => 'https://example.com/a.png' } });
    both('a template', { contentSid => 'HX0123',
        contentVariables => '{"1":"A-1001","2":"Ann"}' },
        { message => 'Your order A-1001', template => { name => 'HX0123',
            parameters => ['A-1001', 'Ann'] } });
};

done_testing;
