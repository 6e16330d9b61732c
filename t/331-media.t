#!/usr/bin/perl

# Files that messages bring: fetched from each provider in its way, stored,
# heard and seen by the model; and what cannot be had keeps no message from its
# answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use HTTP::Tiny;
use JSON::XS qw(decode_json encode_json);
use Setter::Turns;
use Setter::Worker;
use Test::More;

start();
ctl('tenant', 'add', 'acme');

my $dir = File::Temp->newdir;
my $http = HTTP::Tiny->new;
my $us = '100000000000001';
my $png = "\x89PNG\r\n\x1a\n" . 'x' x 62;
my $number = 1000;

$env{SETTER_MEDIA_DIR} = "$dir";
$env{SETTER_TRANSCRIBE_MODEL} = 'whisper-1';

# A file that the providers have; its id.
sub file {
    my ($type, $data) = @_;
    my $id = ++$number;
    $http->put($sandbox->url . "/sandbox/media/$id", { content => $data,
        headers => { 'Content-Type' => $type } });
    return $id;
}

# A message with media to that provider's number, answered; its job's id.
sub say {
    my ($provider, $media, %more) = @_;
    my $to = delete $more{to} // $us;
    my $lane = "acme/conv/$provider:$to:" . ++$chat;
    my $id = message($lane, $more{text} // '[audio]', provider => $provider,
        to => $to, type => 'audio', media => $media, %more);
    wait_job($id, 'done');
    return $id;
}

# What the person was answered: the sandbox's model repeats what it was asked.
sub answered { value("SELECT replace(text, E'\\n', '|') FROM messages
    WHERE turn = '$_[0]' AND direction = 'out' AND NOT set_aside") }

# The files on record of a message.
sub files { decode_json(value("SELECT coalesce(media, '[]') FROM messages
    WHERE id = '$_[0]'")) }

sub slurp {
    open my $in, '<:raw', "$dir/$_[0]" or return "$_[0]: $!";
    local $/;
    return <$in>;
}

my $worker = worker();

subtest 'a recording is heard, from each provider' => sub {
    my $url = $sandbox->url;
    for my $case (
        [meta => sub { { id => "$_[0]", mime_type => 'audio/ogg; codecs=opus',
            voice => \1 } }],
        [infobip => sub { { type => 'VOICE',
            url => "$url/whatsapp/1/senders/15550199/media/$_[0]" } },
            to => '15550199'],
        [twilio => sub { [ { type => 'audio/ogg', url => "$url/2010-04-01"
            . "/Accounts/ACsandbox/Messages/MM1/Media/$_[0]" } ] },
            to => '+15550100399'],
        [instagram => sub { { type => 'audio',
            payload => { url => "$url/media/instagram/$_[0]" } } },
            to => '17800000000000001'],
    ) {
        my ($provider, $media, %more) = @$case;
        my $data = "OggS\nWhat $provider was told";
        my $id = say($provider, $media->(file('audio/ogg', $data)), %more);
        is(answered($id), "What $provider was told", "$provider: answered");
        is(value("SELECT text FROM messages WHERE id = '$id'"),
            "What $provider was told", '... what was said is on record');
        my ($file) = @{ files($id) };
        is_deeply([@$file{qw(type bytes)}], ['audio/ogg', length $data],
            '... so is the file');
        like($file->{path}, qr{^acme/\d{4}-\d\d/\Q$id\E-0\.ogg$},
            '... below its tenant');
        is(slurp($file->{path}), $data, '... which is whole');
        is((stat "$dir/$file->{path}")[2] & 0777, 0600, '... and private');
    }
};

subtest 'an image is seen' => sub {
    my $id = say(meta => { id => '' . file('image/png', $png),
        mime_type => 'image/png', caption => 'Look' }, text => 'Look',
        type => 'image');
    is(answered($id), "Look|(image/png of 70 bytes)", 'with its caption');
    is(value("SELECT text FROM messages WHERE id = '$id'"), 'Look',
        'on record it is the caption');
};

subtest 'a second time it is not fetched' => sub {
    fresh({ chat => { fail_first => { status => 500, count => 1 } } });
    my $before = $sandbox->calls->{media}{count};
    my $media = { id => '' . file('image/png', $png),
        mime_type => 'image/png' };
    my $id = say(meta => $media, text => '[image]', type => 'image');
    is(answered($id), "[image]|(image/png of 70 bytes)", 'answered');
    is($sandbox->calls->{media}{count} - $before, 2, 'asked for once');
};

subtest 'a turn that begins anew has it from the directory' => sub {
    fresh();
    $worker->stop;
    my $slow = worker(SETTER_LEASE_MS => 500);
    $sandbox->behave({ chat => { latency_ms => 600_000 } });
    my $lane = "acme/conv/meta:$us:" . ++$chat;
    my $id = message($lane, '[image]', provider => 'meta', to => $us,
        type => 'image', media => { id => '' . file('image/png', $png),
        mime_type => 'image/png' });
    wait_for('the model to be asked', sub { asked() });
    my $before = $sandbox->calls->{media}{count};
    $slow->signal('KILL');
    $sandbox->behave({});
    $worker = worker();
    wait_job($id, 'done');
    is(answered($id), "[image]|(image/png of 70 bytes)", 'seen all the same');
    is($sandbox->calls->{media}{count}, $before, 'not asked for again');
};

# Redis forgot that a reply to the first was composed for it alone: it is set
# aside for one that answers both.
subtest 'what was heard before is told again with what came then' => sub {
    fresh({ infobip => { retry_after => 60,
        fail_first => { status => 429, count => 1 } } });
    my $to = '15550199';
    $worker->stop;
    my $leaves = worker(SETTER_STOP_MS => 0);
    message("acme/conv/infobip:$to:" . ++$chat, 'Hello',
        provider => 'infobip', to => $to);
    wait_for('the refusal', sub { $leaves->text =~ /sends too much/ });

    my $lane = "acme/conv/infobip:$to:" . ++$chat;
    my @first = ($lane, '[audio]', provider => 'infobip', to => $to,
        type => 'audio', id => uuid(), media => { type => 'VOICE',
            url => $sandbox->url . "/whatsapp/1/senders/$to/media/"
                . file('audio/ogg', "OggS\nDo you ship abroad?") });
    my $first = message(@first);
    wait_for('a reply', sub { value("SELECT count(*) FROM messages
        WHERE turn = '$first' AND state = 'composed'") });
    $leaves->stop;
    $redis->flushall;
    message(@first);
    my $second = message($lane, 'To Norway?', provider => 'infobip',
        to => $to);
    $worker = worker();
    wait_job($_, 'done') for $first, $second;
    is_deeply(texts($lane), ["Do you ship abroad?\nTo Norway?"],
        'the model is asked both');
};

# It is larger than what the model is given, or was deleted meanwhile.
subtest 'what is on record stays so, be its file there or not' => sub {
    fresh();
    $worker->stop;
    for my $case (['it is too large', SETTER_LLM_IMAGE_BYTES => 50],
                  ['it is gone']) {
        my ($name, @more) = @$case;
        my $slow = worker(SETTER_LEASE_MS => 500, @more);
        $sandbox->behave({ chat => { latency_ms => 600_000 } });
        my $asked = asked();
        my $id = message("acme/conv/meta:$us:" . ++$chat, '[image]',
            provider => 'meta', to => $us, type => 'image',
            media => { id => '' . file('image/png', $png),
                mime_type => 'image/png' });
        wait_for('the model to be asked', sub { asked() > $asked });
        my ($before, $files) = ($sandbox->calls->{media}{count}, files($id));
        unlink "$dir/$files->[0]{path}" if !@more;
        $slow->signal('KILL');
        $sandbox->behave({});
        $worker = worker(@more);
        wait_job($id, 'done');
        is(answered($id), '[image]', "$name: it is answered");
        is($sandbox->calls->{media}{count}, $before, '... nothing is fetched');
        is_deeply(files($id), $files, '... nor the record changed');
        $worker->stop;
    }
    $worker = worker();
};

subtest 'files are had though a person has taken over' => sub {
    fresh();
    my $lane = "acme/conv/meta:$us:" . ++$chat;
    my $first = message($lane, 'Hello', provider => 'meta', to => $us);
    wait_job($first, 'done');
    is(ctl('lane', 'takeover', $lane), 0, 'a person has');
    my $id = message($lane, '[audio]', provider => 'meta', to => $us,
        type => 'audio', media => { id => '' . file('audio/ogg',
        "OggS\nCan I talk to somebody?"), mime_type => 'audio/ogg' });
    wait_job($id, 'done');
    is(answered($id), undef, 'it is not answered');
    ok(-f "$dir/" . (files($id)->[0]{path} // ''), 'but stored');
    is(value("SELECT text FROM messages WHERE id = '$id'"),
        'Can I talk to somebody?', 'and heard');
};

sub unsend {
    my ($lane, $person, $mid) = @_;
    return message("acme/event/" . ++$number, '', kind => 'event',
        type => 'unsent', provider => 'instagram', channel => 'instagram',
        from => $person, to => $us, provider_id => $mid);
}

subtest 'who takes a message back has its files deleted' => sub {
    fresh();
    for my $late (0, 1) {
        my $lane = "acme/conv/instagram:$us:" . ++$chat;
        $sandbox->behave({ media => { latency_ms => 2000 } }) if $late;
        my $asked = $sandbox->calls->{media}{count};
        my $id = message($lane, '[image]', provider => 'instagram',
            channel => 'instagram', to => $us, type => 'image',
            provider_id => "mid-$chat", media => { type => 'image',
            payload => { url => $sandbox->url . '/media/instagram/'
                . file('image/png', $png) } });
        if ($late) {
            wait_for('it to be fetched', sub {
                $sandbox->calls->{media}{count} > $asked });
        } else {
            wait_job($id, 'done');
        }
        my $path = $late ? undef : files($id)->[0]{path};
        ok(-f "$dir/$path", 'it is stored') if !$late;
        wait_job(unsend($lane, $chat, "mid-$chat"), 'done');
        wait_job($id, 'done') if $late;
        is(value("SELECT type || ':' || text || coalesce(media::text, '')
            FROM messages WHERE id = '$id'"), 'unsent:',
            $late ? 'while it is fetched: nothing is on record'
                  : 'afterwards: nothing is on record');
        is_deeply([glob "$dir/acme/*/$id-*"], [], '... nor in the directory');
        $sandbox->behave({});
    }
};

subtest 'whose files take long leaves others theirs' => sub {
    fresh({ media => { latency_ms => 1000 } });
    $worker->stop;
    my $all = worker(SETTER_MEDIA_FETCHES => 2);
    ctl('tenant', 'add', 'globex');
    my $image = sub {
        my ($tenant) = @_;
        return message("$tenant/conv/meta:$us:" . ++$chat, '[image]',
            provider => 'meta', to => $us, type => 'image',
            media => { id => '' . file('image/png', $png),
                mime_type => 'image/png' });
    };
    my @acme = map { $image->('acme') } 1 .. 4;
    wait_for('it to be fetched', sub { $sandbox->calls->{media}{count} > 0 });
    my $other = $image->('globex');
    wait_job($_, 'done', 20) for $other, @acme;
    my @order = map { $_->[0] } $postgres->sql('system', "SELECT tenant
        FROM messages WHERE turn IN ('$other', '"
        . join("', '", @acme) . "') ORDER BY seq");
    is(scalar(grep { $_ eq 'acme' } @order), 4, 'all are answered');
    isnt($order[$_], 'globex', 'the other not last of all') for -1, -2;
    $all->stop;
    $worker = worker();
};

subtest 'what cannot be had keeps nobody from an answer' => sub {
    fresh();
    my $url = $sandbox->url;
    for my $case (
        ['gone', { id => '999999' }, qr/answered 404/],
        ['no id', { id => 'a/b' }, qr/no such id/],
        ['no URL', { url => '' , id => '' }, undef],
        ['of no type that is wanted',
            { id => '' . file('text/html', '<p>') }, qr/not wanted/],
        ['said to be such', { id => '1', mime_type => 'text/html' },
            qr/not wanted/],
        ['too large', { id => '' . file('image/png', 'x' x 3000) },
            qr/./],
    ) {
        my ($name, $media, $reason) = @$case;
        $worker->stop;
        $worker = worker(SETTER_MEDIA_MAX_BYTES => 2000);
        my $id = say(meta => $media, text => '[image]', type => 'image');
        is(answered($id), '[image]', "$name: answered");
        $reason ? like(files($id)->[0]{error}, $reason, '... and why')
                : is_deeply(files($id), [], '... there was none');
    }
};

subtest 'a provider that is away is asked again' => sub {
    $sandbox->behave({ media => { fail_first => { status => 503,
        count => 2 } } });
    my $id = say(meta => { id => '' . file('audio/ogg', "OggS\nAt last") });
    is(answered($id), 'At last', 'until it gives the file');
    $sandbox->behave({ media => { status => { 503 => 1 } } });
    $id = say(meta => { id => '' . file('audio/ogg', "OggS\nNever") });
    is(answered($id), '[audio]', 'but not for ever');
    like(files($id)->[0]{error}, qr/answered 503/, '... and why');
    $sandbox->behave({});
};

subtest 'nobody hears' => sub {
    $sandbox->behave({ transcriptions => { status => { 500 => 1 } } });
    my $id = say(meta => { id => '' . file('audio/ogg', "OggS\nHello") });
    is(answered($id), '[audio]', 'it is answered as what it is');
    ok(files($id)->[0]{path}, 'and stored');
    $sandbox->behave({});
};

subtest 'a message leads to no machine around us' => sub {
    $worker->stop;
    $worker = worker(SETTER_EGRESS_ALLOW => '');
    my $before = $sandbox->calls->{media}{count};
    my $id = say(instagram => { type => 'image', payload => {
        url => $sandbox->url . '/media/instagram/'
            . file('image/png', $png) } }, to => '17800000000000001',
        text => '[image]', type => 'image');
    is(answered($id), '[image]', 'it is answered');
    like(files($id)->[0]{error}, qr/not on the public internet/, 'and why');
    is($sandbox->calls->{media}{count}, $before, 'nothing was asked');
};

subtest 'a redirect is followed where it is the provider\'s way' => sub {
    $worker->stop;
    $worker = worker();
    my $id = say(instagram => { type => 'audio', payload => {
        url => $sandbox->url . '/2010-04-01/Accounts/AC1/Messages/MM1/Media/'
            . file('audio/ogg', "OggS\nElsewhere") } },
        to => '17800000000000001');
    is(answered($id), '[audio]', 'nowhere else');
};

subtest 'several in a message, no more images than the model is given' => sub {
    $worker->stop;
    $worker = worker(SETTER_LLM_IMAGES => 2, SETTER_LLM_IMAGE_BYTES => 100);
    my $url = $sandbox->url . '/2010-04-01/Accounts/AC1/Messages/MM1/Media/';
    my @media = map { { type => 'image/png', url => $url . file('image/png',
        $_ == 1 ? 'x' x 101 : $png) } } 1 .. 4;
    my $id = say(twilio => \@media, to => '+15550100399', text => '[image]',
        type => 'image');
    is(answered($id), "[image]|(image/png of 70 bytes)"
        . "|(image/png of 70 bytes)", 'two that are small enough');
    is(scalar(grep { $_->{path} } @{ files($id) }), 4, 'all are stored');
};

subtest 'a model that does not see is asked without' => sub {
    $sandbox->behave({ chat => { fail_first => { status => 400,
        count => 1 } } });
    my $id = say(meta => { id => '' . file('image/png', $png) },
        text => '[image]', type => 'image');
    is(answered($id), '[image]', 'and answers');
    $sandbox->behave({});
};

subtest 'a file waits with its message for the account to be set up' => sub {
    $worker->stop;
    $worker = worker(META_ACCESS_TOKEN => '');
    my $lane = "acme/conv/meta:1:" . ++$chat;
    my $id = message($lane, '[audio]', provider => 'meta', to => $us,
        type => 'audio', media => { id => '' . file('audio/ogg', "OggS\nHere") });
    ok(wait_for('it says so', sub {
        $worker->text =~ /"the provider cannot be used"/ }), 'nothing is sent');
    is_deeply(files($id), [], 'nor fetched, with no key at all');
    $worker->stop;
    $redis->zadd("setter:{$tag}:due", 1, $lane);
    $worker = worker();
    wait_job($id, 'done');
    is(answered($id), 'Here', 'then it is fetched and heard');
};

subtest 'a recording is heard though a worker stopped while it listened' => sub {
    $sandbox->behave({ transcriptions => { latency_ms => 600_000 } });
    $worker->stop;
    $worker = worker(SETTER_STOP_MS => 1000);
    my $lane = "acme/conv/meta:1:" . ++$chat;
    my $id = message($lane, '[audio]', provider => 'meta', to => $us,
        type => 'audio', media => { id => '' . file('audio/ogg', "OggS\nThere") });
    ok(wait_for('it is being heard', sub { glob "$dir/acme/*/$id-0.*" }),
        'the file is stored');
    $worker->stop;
    $sandbox->behave({});
    $worker = worker();
    wait_job($id, 'done');
    is(answered($id), 'There', 'the next one hears it');
};

subtest 'old files are deleted' => sub {
    $worker->stop;
    my ($kept, $old, $other) = map { "$dir/$_/2026-01/x-0.ogg" }
        qw(acme globex initech);
    for my $path ($kept, $old, $other) {
        mkdir $path =~ s{/2026-01/.*}{}r;
        mkdir $path =~ s{/x-0.*}{}r;
        open my $out, '>', $path or die "$path: $!";
    }
    utime time, time - 20 * 86400, $_ for $kept, $other;
    utime time, time - 40 * 86400, $old;
    ctl('tenant', 'add', 'initech');
    ctl('tenant', 'set', 'initech', 'retention_days=10');
    $worker = worker(SETTER_FORGET_MS => 1000);
    ok(wait_for('they are gone', sub { !-e $old && !-e $other }),
        'after SETTER_MEDIA_DAYS, or the tenant\'s retention');
    ok(-e $kept, 'others are not');
};

subtest 'a directory that is none stops a worker' => sub {
    my ($status, $text) = Setter::Worker->run(%env,
        SETTER_MEDIA_DIR => '/nowhere');
    is($status, 2, 'refused');
    like($text, qr/SETTER_MEDIA_DIR is no directory/, '... by name');
    ($status, $text) = Setter::Worker->run(%env,
        SETTER_PUBLIC_URL => 'hooks.example.com');
    is($status, 2, 'so is a URL that is none');
    like($text, qr/SETTER_PUBLIC_URL is no/, '... by name');
};

subtest 'nobody complains of memory' => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
