#!/usr/bin/perl

# Rules of conversation: who has opted out, who answers, and how often.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Test::More;

start();
ctl('tenant', 'add', 'acme');

sub opted_out {
    return value("SELECT opted_out FROM contacts WHERE address = '$chat'");
}

sub set {
    my ($status, $out) = ctl('tenant', 'set', 'acme', @_);
    is($status, 0, "set @_") or diag $out;
}

subtest 'who opts out gets nothing more, until he opts in' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    wait_job(message($lane, 'Hello'), 'done');
    is(asked(), 1, 'answered');

    my $stop = message($lane, ' Stop! ');
    wait_job($stop, 'done');
    is(reason($stop), 'the contact has opted out', 'and why there is none');
    is(opted_out(), 't', 'it is on record');
    my $more = message($lane, 'And another thing');
    wait_job($more, 'done');
    is(reason($more), 'the contact has opted out', 'what comes then, too');
    is(asked(), 1, 'the model was not asked');
    is_deeply(texts($lane), ['Hello'], 'nothing was sent');

    wait_job(message($lane, 'START'), 'done');
    is(opted_out(), 'f', 'he is back');
    wait_job(message($lane, 'Hello again'), 'done');
    my @texts = @{ texts($lane) };
    is(scalar @texts, 3, 'and answered');
    like($texts[1], qr/START\z/, 'from the word that brought him back on');
    wait_idle($lane);
};

subtest 'the last word of several counts, and only whole messages do' => sub {
    fresh();
    my $lane = lane();
    message($lane, $_) for 'stop', 'start';
    my $worker = worker();
    wait_for('an answer', sub { @{ texts($lane) } });
    is_deeply(texts($lane), ["stop\nstart"], 'he wants messages after all');
    wait_job(message($lane, 'When do you stop?'), 'done');
    is(scalar @{ texts($lane) }, 2, 'a question with the word is one');
    is(opted_out(), 'f', 'and means nothing');
};

subtest 'a tenant\'s own words' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    wait_job(message($lane, 'cancel'), 'done');
    is(asked(), 1, 'is something to answer');
    set('opt_out=cancel, Schluss jetzt ,');
    wait_job(message($lane, 'schluss JETZT.'), 'done');
    is(opted_out(), 't', 'until it is a word');
    my $other = 'globex/conv/manychat:-:' . ++$chat;
    wait_job(message($other, 'cancel'), 'done');
    is(opted_out(), 'f', 'of that tenant alone');
    set('opt_out=');
};

subtest 'a reply that is composed when somebody opts out is dropped' => sub {
    fresh({ chat => { latency_ms => 1500 } });
    my $lane = lane();
    my $worker = worker();
    my $first = message($lane, 'Hello');
    wait_asking();
    my $stop = message($lane, 'unsubscribe');
    wait_job($first, 'done');
    wait_job($stop, 'done', 20);
    is(opted_out(), 't', 'opted out');
    cmp_ok(scalar @{ texts($lane) }, '<=', 1, 'nothing but what was under way');
};

subtest 'who told the provider has opted out as well' => sub {
    fresh({ twilio => { status => { 400 => 1 } } });
    my $worker = worker();
    my $lane = 'acme/conv/whatsapp:15550100399:' . ++$chat;
    my %twilio = (provider => 'twilio', to => '15550100399');
    my $id = message($lane, 'Hello', %twilio);
    wait_job($id, 'failed');
    is(reason($id), '400 21610', 'Twilio says so');
    is(opted_out(), 't', 'it is on record');
    fresh();
    wait_job(message($lane, 'Hello', %twilio), 'done');
    is(asked(), 0, 'the model is not asked again');
};

subtest 'a person takes over, and hands back' => sub {
    fresh();
    my $worker = worker();
    my $lane = lane();
    is((ctl('lane', 'takeover', $lane))[0], 1, 'nobody has written yet');
    wait_job(message($lane, 'Hello'), 'done');
    is((ctl('lane', 'takeover', $lane))[0], 0, 'taken over');
    is((ctl('lane', 'takeover', $lane))[0], 1, 'once');
    like((ctl('lane', 'list', 'acme'))[1], qr/\Q$lane\E +f +t /, 'listed');
    my $meanwhile = message($lane, 'Is anybody there?');
    wait_job($meanwhile, 'done');
    is(reason($meanwhile), 'a person has taken over', 'the model is silent');
    is((ctl('lane', 'handback', $lane))[0], 0, 'handed back');
    is((ctl('lane', 'handback', $lane))[0], 1, 'once');
    wait_job(message($lane, 'Thanks'), 'done');
    is(scalar @{ texts($lane) }, 2, 'the next message is answered,');
    like(texts($lane)->[1], qr/Thanks\z/, 'and none of those between');
    is((ctl('lane', 'takeover', 'acme'))[0], 1, 'no lane');
};

sub echo_of {
    my ($lane, $text, %more) = @_;
    my ($to) = $lane =~ /(\d+)$/;
    $chat++;
    return message("acme/event/$chat", $text, kind => 'event',
        type => 'echo', provider => 'instagram', channel => 'instagram',
        from => $to, to => '17800000000000123', provider_id => "mid-$chat",
        data => {}, %more);
}

subtest 'who answers in the provider\'s own app takes over' => sub {
    fresh();
    my $worker = worker();
    my $us = '17800000000000123';
    my %instagram = (provider => 'instagram', to => $us);
    my $lane = "acme/conv/instagram:$us:" . ++$chat;
    my $taken = sub { value("SELECT taken_over FROM conversations
        WHERE lane = '$lane'") };
    wait_job(message($lane, 'Hello', %instagram), 'done');

    wait_job(echo_of($lane, 'Hello'), 'done');
    is($taken->(), 'f', 'not by an echo of our reply, as its text shows');
    my $ours = value("SELECT provider_id FROM messages WHERE lane = '$lane'
        AND direction = 'out'");
    wait_job(echo_of($lane, 'As the provider wrote it', provider_id => $ours),
        'done');
    is($taken->(), 'f', 'nor as its id does');

    wait_job(echo_of($lane, 'I am a person'), 'done');
    is($taken->(), 't', 'but by what we have not sent');
    my $next = message($lane, 'Thanks', %instagram);
    wait_job($next, 'done');
    is(reason($next), 'a person has taken over', 'who answers from then on');

    ctl('lane', 'handback', $lane);
    set('echo=ignore');
    wait_job(echo_of($lane, 'I am another one'), 'done');
    is($taken->(), 'f', 'unless the tenant does not want that');
    set('echo=');
    wait_job(echo_of($lane, ''), 'done');
    is($taken->(), 't', 'a picture counts, too');

    my $nobody = 'acme/conv/instagram:1:' . ++$chat;
    wait_job(echo_of($nobody, 'I write first'), 'done');
    is(value("SELECT count(*) FROM conversations WHERE lane = '$nobody'"), 0,
        'where there is no conversation, nothing happens');
};

subtest 'a reply that is composed when a person answers is dropped' => sub {
    fresh({ chat => { latency_ms => 1500 } });
    my $worker = worker();
    my $us = '17800000000000123';
    my $lane = "acme/conv/instagram:$us:" . ++$chat;
    my $first = message($lane, 'Hello', provider => 'instagram', to => $us);
    wait_asking();
    wait_job(echo_of($lane, 'I do this one'), 'done');
    wait_job($first, 'done');
    is(reason($first), 'a person has taken over', 'why there is none of ours');
    is_deeply(texts($lane), [], 'nothing was sent');
};

my $events = 70000;

# The person takes back what the provider calls by that id.
sub unsend {
    my ($lane, $mid) = @_;
    return message('acme/event/' . ++$events, '', kind => 'event',
        type => 'unsent', provider => 'instagram', channel => 'instagram',
        from => ($lane =~ /(\d+)$/)[0], to => '17800000000000123',
        provider_id => $mid);
}

subtest 'what was unsent before its turn is not answered, nor remembered'
    => sub {
    fresh();
    my $worker = worker();
    my $us = '17800000000000123';
    my $lane = "acme/conv/instagram:$us:" . ++$chat;
    my $said = sub {
        return message($lane, $_[0], provider => 'instagram', to => $us,
            provider_id => "mid-$chat-$_[1]");
    };

    wait_job(unsend($lane, "mid-$chat-1"), 'done');
    wait_job($said->('My card is 1234', 1), 'done');
    wait_job($said->('Are you open?', 2), 'done');
    is_deeply(texts($lane), ['Are you open?'], 'the other one is answered');
    is(value("SELECT count(*) FROM messages WHERE lane = '$lane'
        AND text LIKE '%1234%'"), 0, 'its text is not on record');
    is(value("SELECT count(*) FROM jobs WHERE payload::text LIKE '%1234%'"),
        0, 'nor is it as that of a job');

    wait_job($said->('A secret', 3), 'done');
    wait_job(unsend($lane, "mid-$chat-3"), 'done');
    is(value("SELECT type || ':' || text FROM messages
        WHERE provider_id = 'mid-$chat-3'"), 'unsent:',
        'what was answered is forgotten');
    is(value("SELECT count(*) FROM jobs
        WHERE payload::text LIKE '%A secret%'"), 0, 'by its job, too');
    wait_job(unsend($lane, "mid-$chat-3"), 'done');
    is(value("SELECT count(*) FROM messages WHERE lane = '$lane'
        AND direction = 'in'"), 3, 'once');
    wait_job($said->('Still there?', 4), 'done');
    is(texts($lane)->[-1], 'Still there?', 'and the talk goes on');
};

subtest 'a conversation with too many replies in an hour is held' => sub {
    fresh();
    set('guard=3');
    my $worker = worker();
    my $lane = lane();
    for my $n (1 .. 3) {
        wait_job(message($lane, "ping $n"), 'done');
    }
    my $over = message($lane, 'ping 4');
    $worker->wait_log(sub { ($_->{msg} // '') =~ /a conversation is held/ });
    is(value("SELECT held FROM conversations WHERE lane = '$lane'"), 't',
        'on record');
    is(scalar @{ texts($lane) }, 3, 'three were answered');
    wait_job(message(my $other = lane(), 'Hello'), 'done');
    is(scalar @{ texts($other) }, 1, 'others are');

    is((ctl('lane', 'release', $lane))[0], 0, 'somebody had a look');
    wait_job($over, 'done');
    is(texts($lane)->[-1], 'ping 4', 'it goes on');
    wait_job(message($lane, "ping $_"), 'done') for 5, 6;
    message($lane, 'ping 7');
    ok(wait_for('it to be held again', sub {
        value("SELECT held FROM conversations WHERE lane = '$lane'") eq 't' }),
        'and counts anew');
    set('guard=0');
    ctl('lane', 'release', $lane);
    ok(wait_for('the seventh', sub { @{ texts($lane) } == 7 }),
        'without a guard it does not end');
};

done_testing;
