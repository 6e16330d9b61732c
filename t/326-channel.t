#!/usr/bin/perl

# Channels of tenants: setterctl channel, what workers publish, and the account
# that a reply leaves through.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::XS qw(decode_json);
use MIME::Base64 qw(decode_base64);
use Setter::Turns;
use Setter::Worker;
use Test::More;

my $old = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
my $new = 'AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
my $them = '15550100777';
my $us = '100000000000007';

start();
$env{SETTER_MASTER_KEY} = $old;

# The path of a file that holds the text.
my @files;
sub file {
    push @files, my $file = File::Temp->new;
    print $file "$_[0]\n";
    close $file;
    return "$file";
}

sub ok_ctl {
    my ($status, $out) = ctl(@_);
    is($status, 0, "setterctl @_[0 .. 1]") or diag $out;
    return $out;
}

sub refused {
    my ($error, @words) = @_;
    my ($status, $out) = ctl(@words);
    is($status, 1, "refused: @words") or diag $out;
    like($out, $error, '... by this');
}

sub channels { return { $redis->hgetall("setter:{$tag}:channels") } }
sub signing { return { $redis->hgetall("setter:{$tag}:signing") } }
sub list { return decode_json((ctl('--json', 'channel', 'list', @_))[1]) }

# Of another person each time, so that none waits behind another.
sub meta {
    my ($tenant, $number, $text, %more) = @_;
    $them++;
    return message("$tenant/conv/meta:$number:$them", $text,
        provider => 'meta', from => "$them", to => $number, %more);
}

sub last_sent { return $sandbox->sent->[-1] }


subtest 'called wrongly' => sub {
    is((ctl('channel', 'add', 'acme', 'meta'))[0], 2, 'without an address');
    is((ctl('channel', 'set', 'acme', 'meta', $us))[0], 2, 'set nothing');
    is((ctl('channel', 'remove', 'acme'))[0], 2, 'remove what?');
    is((ctl('channel', 'send', 'acme', 'meta', $us, $them))[0], 2, 'no text');
    refused(qr/"Acme" is not a tenant's slug/, qw(channel add Acme meta 1));
    refused(qr/no provider "fax"/, qw(channel add acme fax 1));
    refused(qr/^setterctl: address: /, qw(channel add acme meta), $_)
        for '', 'a b', 'a/b', "\xe9", 'x' x 129;
    refused(qr/no field "colour"/, qw(channel add acme meta 1 colour=red));
    refused(qr/"colour" is not FIELD=VALUE/,
        qw(channel add acme meta 1 colour));
    refused(qr/preferred is on or off/,
        qw(channel add acme meta 1 preferred=maybe));
    refused(qr/credential: .*No such file/,
        qw(channel add acme meta 1 credential=/nowhere));
    refused(qr/credential: .* more than one line/, qw(channel add acme meta 1),
        'credential=' . file("a\nb"));
    refused(qr/signing: .* is empty, too long or no text/,
        qw(channel add acme meta 1), 'signing=' . file(''));
    refused(qr/: base_url: no http/,
        qw(channel add acme meta 1 base_url=ftp://a));
    refused(qr/: account: not up to/, qw(channel add acme meta 1),
        'account=a b');
    refused(qr/meta 1 of acme is not there/,
        qw(channel set acme meta 1 account=a));
    refused(qr/meta 1 of acme is not there/, qw(channel remove acme meta 1));
    is_deeply(channels(), {}, 'nothing was published');
};

subtest 'the master key: missing, wrong, from a file' => sub {
    my $key = file('token');
    {
        local $env{SETTER_MASTER_KEY} = 'short';
        refused(qr/SETTER_MASTER_KEY is not the base64 of 32 bytes/,
            qw(channel add acme meta 1), "credential=$key");
        my ($status, $log) = Setter::Worker->run(%env);
        is($status, 2, 'a worker does not start with it');
        like($log, qr/SETTER_MASTER_KEY is not the base64/, 'and says so');
        unlike($log, qr/short/, 'without showing it');
    }
    delete local $env{SETTER_MASTER_KEY};
    refused(qr/SETTER_MASTER_KEY is not set; openssl rand/,
        qw(channel add acme meta 1), "credential=$key");
    {
        local $env{SETTER_MASTER_KEY_OLD} = $old;
        refused(qr/SETTER_MASTER_KEY_OLD without/, qw(key signing));
    }
    local $env{SETTER_MASTER_KEY_FILE} = '/nowhere';
    refused(qr{SETTER_MASTER_KEY_FILE: /nowhere: No such file},
        qw(key signing));
    $env{SETTER_MASTER_KEY_FILE} = file($old);
    my $signing = ok_ctl('key', 'signing');
    is(length decode_base64($signing), 32, 'the key of signatures');
    unlike($signing, qr/\Q$old\E/, 'is another one');
    local $env{SETTER_MASTER_KEY} = $old;
    refused(qr/SETTER_MASTER_KEY and SETTER_MASTER_KEY_FILE are both set/,
        qw(key signing));
};

subtest 'a channel is recorded, sealed, and published' => sub {
    ok_ctl('channel', 'add', 'acme', 'meta', $us, 'credential='
        . file('token-of-acme'), 'signing=' . file("secret-1\nsecret-2"));
    is_deeply(list(), [ { tenant => 'acme', provider => 'meta',
        address => $us, account => undef, base_url => undef,
        credential => JSON::XS::true, signing => JSON::XS::true,
        preferred => JSON::XS::false, rate => undef,
        confirmed => JSON::XS::true, updated_at => list()->[0]{updated_at},
    } ], 'it is listed, without its secrets');
    is(value("SELECT count(*) FROM channels c
        WHERE c::text ~ 'token-of|secret-'"), 0, 'PostgreSQL has none');
    is_deeply(channels(), { "meta/$us" => 'acme' }, 'nginx knows whose it is');
    my $signing = signing();
    is_deeply([keys %$signing], ['acme/meta'], 'and has secrets');
    unlike("@{[%$signing]}", qr/secret-/, 'that it cannot read as they stand');

    refused(qr/: address: it is another tenant's/, 'channel', 'add', 'globex',
        'meta', $us);
    refused(qr/is there already/, 'channel', 'add', 'acme', 'meta', $us);
    is_deeply(channels(), { "meta/$us" => 'acme' }, 'a number is one\'s own');

    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'signing=');
    is_deeply(signing(), {}, 'secrets may be taken away');
    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'signing='
        . file('secret-3'));

    $redis->del("setter:{$tag}:channels", "setter:{$tag}:signing");
    my $worker = worker();
    wait_for('channels', sub { %{ signing() } });
    is_deeply(channels(), { "meta/$us" => 'acme' },
        'a worker publishes what Redis lost');
    is_deeply([keys %{ signing() }], ['acme/meta'], 'secrets too');
};

subtest 'a reply leaves through the channel that it came to' => sub {
    fresh();
    my $worker = worker();
    wait_job(meta('acme', $us, 'Mine'), 'done');
    is(last_sent()->{from}, $us, 'from the number');
    is(last_sent()->{key}, 'acme', 'with its own token');

    wait_job(meta('globex', '100000000000009', 'Theirs'), 'done');
    is(last_sent()->{key}, 'dbox', 'who has no channel: with the common one');

    my $id = meta('acme', '100000000000008', 'Another number');
    $worker->wait_log(sub { ($_->{reason} // '') =~ /no channel of that/ });
    is(job($id), 'queued', 'a number that is no channel of its own: it waits');

    ok_ctl('channel', 'add', 'acme', 'meta', '*', 'credential='
        . file('token-any'));
    $redis->zadd("setter:{$tag}:due", 1,
        "acme/conv/meta:100000000000008:$them");
    wait_job($id, 'done');
    is(last_sent()->{key}, '-any', 'until there is one for any number');
    is(last_sent()->{from}, '100000000000008', 'from where it came to');
    unlike($worker->text, qr/token-/, 'no token is in the log');
};

# Whoever has a key may have us send from any number: not from another's.
subtest 'with the common key nobody sends as another' => sub {
    fresh();
    my $worker = worker();
    my ($claimed, $sent) = ('100000000000012', scalar @{ $sandbox->sent });
    ok_ctl('channel', 'add', 'globex', 'meta', $claimed, 'confirmed=off');
    my @jobs = (meta('initech', $us, 'As acme'),
                meta('globex', $claimed, 'As it says'));
    $worker->wait_log(sub { ($_->{reason} // '')
        =~ /not known to be the tenant's/ && $_->{provider} }) for @jobs;
    is(job($_), 'queued', 'it waits') for @jobs;
    is(scalar @{ $sandbox->sent }, $sent, 'nothing was sent');
    ok_ctl('channel', 'set', 'globex', 'meta', $claimed, 'confirmed=on');
    is(channels()->{"meta/$claimed"}, 'globex', 'an operator knows');
    $redis->zadd("setter:{$tag}:due", 1, "globex/conv/meta:$claimed:$them");
    wait_job($jobs[1], 'done');
    ok_ctl('channel', 'set', 'globex', 'meta', $claimed, 'confirmed=off');
    is(channels()->{"meta/$claimed"}, undef, 'and may have been mistaken');
    refused(qr/: confirmed is on or off/,
        qw(channel set globex meta 100000000000012 confirmed=1));
    ok_ctl('channel', 'remove', 'globex', 'meta', $claimed);

    ok_ctl('channel', 'add', 'acme', 'infobip', $env{INFOBIP_SENDER});
    my %order = (kind => 'send', provider => 'infobip', from => '15550100888');
    my $id = message('initech/conv/infobip:-:15550100888', 'As who?', %order);
    $worker->wait_log(sub { ($_->{provider} // '') eq 'infobip'
        && ($_->{reason} // '') =~ /not known to be the tenant's/ });
    is(job($id), 'queued', 'nor from the common number, when it is another\'s');
    wait_job(message('acme/conv/infobip:-:15550100888', 'Hello', %order,
        kind => 'message', to => $env{INFOBIP_SENDER}), 'done');
    wait_job(message('acme/conv/infobip:-:15550100888', 'Mine', %order), 'done');
    is(last_sent()->{text}, 'Mine', 'whose it is sends from it');
    ok_ctl('channel', 'remove', 'acme', 'infobip', $env{INFOBIP_SENDER});
};

subtest 'what answers no message leaves through the preferred one' => sub {
    fresh();
    my $worker = worker();
    ok_ctl('channel', 'remove', 'acme', 'meta', '*');
    ok_ctl('channel', 'add', 'acme', 'meta', '100000000000006', 'credential='
        . file('token-pref'), 'preferred=on');
    wait_job(meta('acme', $us, 'Hello'), 'done');
    wait_job(message("acme/conv/meta:$us:$them", 'For you', kind => 'send',
        provider => 'meta', from => "$them"), 'done');
    is(last_sent()->{text}, 'For you', 'sent');
    is(last_sent()->{from}, '100000000000006', 'from that number');
    is(last_sent()->{key}, 'pref', 'with its token');
    ok_ctl('channel', 'add', 'initech', 'meta', '100000000000016');
    wait_job(meta('initech', '100000000000016', 'Hello'), 'done');
    wait_job(message("initech/conv/meta:100000000000016:$them", 'With ours',
        kind => 'send', provider => 'meta', from => "$them"), 'done');
    is(last_sent()->{from}, '100000000000016',
        'so it does with the common key');
    ok_ctl('channel', 'remove', 'initech', 'meta', '100000000000016');
    refused(qr/: preferred: another channel/, 'channel', 'set', 'acme', 'meta',
        $us, 'preferred=on');
};

subtest 'a change counts from the next message on' => sub {
    fresh();
    my $worker = worker();
    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'credential='
        . file('token-next'), 'base_url=' . $sandbox->url . '/v99.0');
    wait_job(meta('acme', $us, 'Hello'), 'done');
    is(last_sent()->{key}, 'next', 'the new token');

    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'credential=',
        'base_url=http://127.0.0.1:1');
    wait_job(meta('acme', $us, 'Hello'), 'done');
    is(last_sent()->{key}, 'dbox', 'none: the common one, at its own API');
    is(last_sent()->{from}, $us, 'from the number all the same');
    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'base_url=', 'credential='
        . file('token-again'));
};

subtest 'an API of its own is on the public internet, or nothing leaves' => sub {
    my $worker = worker();
    my $calls = sub { $sandbox->calls->{meta}{count} // 0 };
    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'base_url='
        . $sandbox->url . '/v23.0');
    wait_job(meta('acme', $us, 'Hello'), 'done');
    $worker->stop;

    my $before = $calls->();
    local $env{SETTER_EGRESS_ALLOW} = 'internal.example:80';
    $worker = worker();
    meta('acme', $us, 'Hello again');
    $worker->wait_log(sub {
        ($_->{reason} // '') =~ /not on the public internet/ });
    is($calls->(), $before, 'nothing left');
    refused(qr/a person must act: .* SETTER_EGRESS_ALLOW/, 'channel', 'send',
        'acme', 'meta', $us, '15550100001', 'Hello');
    is($calls->(), $before, 'nor by hand');

    local $env{SETTER_EGRESS_ALLOW} = 'localhost';
    refused(qr/SETTER_EGRESS_ALLOW: "localhost" is not host:port/, 'channel',
        'send', 'acme', 'meta', $us, '15550100001', 'Hello');
    $worker->stop;
    ok_ctl('channel', 'set', 'acme', 'meta', $us, 'base_url=');
    fresh();
};

subtest 'a seal of another row, or another key, does not open' => sub {
    my $worker = worker();
    $postgres->sql('system', "UPDATE channels AS c SET credential =
        o.credential FROM channels AS o WHERE c.address = '100000000000006'
        AND o.address = '$us'");
    meta('acme', '100000000000006', 'Hello');
    $worker->wait_log(sub { ($_->{reason} // '') =~ /or damaged/ });
    pass('of another row');
    $worker->stop;
    ok_ctl('channel', 'set', 'acme', 'meta', '100000000000006', 'credential='
        . file('token-pref'));

    $worker = worker(SETTER_MASTER_KEY => $new);
    meta('acme', $us, 'Hello');
    $worker->wait_log(sub { ($_->{reason} // '') =~ /another SETTER_MASTER/ });
    pass('another key');
    $worker->stop;
    delete local $env{SETTER_MASTER_KEY};
    $worker = worker();
    meta('acme', $us, 'Hello');
    $worker->wait_log(sub { ($_->{reason} // '') =~ /MASTER_KEY is not set/ });
    pass('none');
};

subtest 'send: one message, to see that a channel works' => sub {
    fresh();
    local $env{META_BASE_URL} = $sandbox->url . '/v23.0';
    like(ok_ctl('channel', 'send', 'acme', 'meta', $us, $them, 'A test'),
        qr/^sent, wamid\./, 'sent');
    is(last_sent()->{text}, 'A test', 'it reached the person');
    is(last_sent()->{key}, 'gain', 'with the channel\'s token');
    my $number = '15550100007';
    like(ok_ctl('channel', 'send', '--test', 'acme', 'meta', $us, $number),
        qr/sent/, 'its text may be left to --test');
    is(last_sent()->{text}, 'This is a test of Setter: the channel works.',
        'which says what it is');
    is((ctl('channel', 'send', 'acme', 'meta', $us, $number))[0], 2,
        'and not without');
    refused(qr/acme has no channel meta 5/, qw(channel send acme meta 5 1 a));
    fresh({ meta => { status => { 401 => 1 } } });
    refused(qr/a person must act: 401/, 'channel', 'send', 'acme', 'meta', $us,
        $them, 'A test');
    fresh();
};

subtest 'rotate-master seals everything anew' => sub {
    my %before = %{ signing() };
    refused(qr/SETTER_MASTER_KEY_OLD is not set/, qw(key rotate-master));
    $env{SETTER_MASTER_KEY} = $new;
    {
        local $env{SETTER_MASTER_KEY_OLD} =
            'AgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
        refused(qr/sealed under neither key.*nothing was changed/,
            qw(key rotate-master));
    }
    $env{SETTER_MASTER_KEY_OLD} = $old;
    my $worker = worker();
    fresh();
    wait_job(meta('acme', $us, 'Before'), 'done');
    is(last_sent()->{key}, 'gain', 'a worker with both opens the old');
    like(ok_ctl('key', 'rotate-master'), qr/^sealed 2 channels anew$/m, 'done');
    isnt(signing()->{'acme/meta'}, $before{'acme/meta'}, 'nginx is told');
    wait_job(meta('acme', $us, 'During'), 'done');
    is(last_sent()->{text} =~ /During/, 1, 'and the new');
    like(ok_ctl('key', 'rotate-master'), qr/^sealed 2 channels anew$/m,
        'it may be run again');
    $worker->stop;

    delete $env{SETTER_MASTER_KEY_OLD};
    $worker = worker();
    wait_job(meta('acme', $us, 'After'), 'done');
    is(last_sent()->{key}, 'gain', 'the new key alone does');
};

subtest 'a channel that is removed is nobody\'s, and may be another\'s' => sub {
    ok_ctl('channel', 'remove', 'acme', 'meta', $us);
    ok(!exists channels()->{"meta/$us"}, 'nginx knows it no more');
    is(value("SELECT count(*) FROM channels WHERE removed AND credential
        IS NULL AND signing IS NULL"), 5, 'its secrets are gone');
    ok_ctl('channel', 'add', 'globex', 'meta', $us);
    ok_ctl('channel', 'remove', 'globex', 'meta', $us);
    ok_ctl('channel', 'add', 'acme', 'meta', $us);

    $redis->del("setter:{$tag}:channels");
    my $worker = worker();
    wait_for('channels', sub { 2 == keys %{ channels() } });
    is(channels()->{"meta/$us"}, 'acme', 'who has it now is published');
};

subtest 'a worker leaves no core dump, and another tenant reads nothing'
    => sub {
    my $worker = worker();
    $worker->wait_log(sub { ($_->{msg} // '') eq 'started' });
    open my $limits, '<', "/proc/$worker->{pid}/limits" or die "limits: $!";
    is_deeply([map { /^Max core file size +(\d+) +(\d+)/ } <$limits>], [1, 1],
        'the kernel makes none');
    my @rows = $postgres->sql('worker', "SELECT set_config('setter.tenant',
        'globex', false); SELECT credential FROM channels
        WHERE tenant = 'acme'");
    is_deeply([grep { defined $_->[0] && $_->[0] ne 'globex' } @rows], [],
        'rows of one tenant are not another\'s');
};

subtest 'a list of allowed hosts that is none stops a worker' => sub {
    for my $list ('127.0.0.1', 'host:0', 'host:x', ':80', 'a:1 b') {
        my ($status, $text) = Setter::Worker->run(%env,
            SETTER_EGRESS_ALLOW => $list);
        is($status, 2, "refused: $list");
        like($text, qr/^setter-worker: .*SETTER_EGRESS_ALLOW/m,
            '... by name');
    }
};

done_testing;
