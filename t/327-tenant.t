#!/usr/bin/perl

# What a tenant is like: its prompt, model, time zone, and how long what was
# said is kept; setterctl tenant set.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::XS qw(decode_json);
use Setter::Chat;
use Setter::Turns;
use Test::More;

start();
$env{SETTER_SYSTEM_PROMPT} = 'Be brief.';
ctl('tenant', 'add', 'acme');

my @files;
sub file {
    push @files, my $file = File::Temp->new;
    print $file $_[0];
    close $file;
    return "$file";
}

sub set {
    my ($status, $out) = ctl('tenant', 'set', 'acme', @_);
    is($status, 0, "set @_") or diag $out;
}

sub refused {
    my ($error, @words) = @_;
    my ($status, $out) = ctl('tenant', 'set', 'acme', @words);
    is($status, 1, "refused: @words") or diag $out;
    like($out, $error, '... by this');
}

sub show {
    return decode_json((ctl('--json', 'tenant', 'show', 'acme'))[1])->[0];
}

# A message is answered; what the model was asked.
sub asked_of {
    my ($model, $lane) = @_;
    wait_job(message($lane, 'Hello'), 'done');
    return $model->last;
}

sub other { return 'globex/conv/manychat:-:' . ++$chat }


subtest 'what is wrong is named' => sub {
    refused(qr/prompt: .*No such file/, 'prompt=/nowhere');
    refused(qr/prompt: .* is empty, too long/, 'prompt=' . file(''));
    refused(qr/prompt: .* is empty, too long/, 'prompt=' . file("a\0b"));
    refused(qr/prompt/, 'prompt=' . file('x' x 20001));
    refused(qr/time zone "Europe\/Atlantis" not recognized/,
        'time_zone=Europe/Atlantis');
    refused(qr/retention_days is a number from 1 to 36500/,
        "retention_days=$_") for qw(0 36501 x);
    refused(qr/model/, 'model=a b');
    refused(qr/name/, 'name=' . 'x' x 201);
};

subtest 'its prompt, model and time go to the model, nobody else\'s do' => sub {
    my $model = Setter::Chat->start;
    my $worker = worker(OPENAI_BASE_URL => $model->url);

    my $request = asked_of($model, lane());
    is($request->{messages}[0]{content}, 'Be brief.', 'by default');
    is($request->{model}, 'gpt-4o-mini', 'what the environment says');

    set('prompt=' . file("You are Acme's.\n\n"), 'model=small-1',
        'time_zone=Europe/Madrid', 'name=Acme & Co');
    is_deeply([@{ show() }{qw(name prompt model time_zone)}],
        ['Acme & Co', "You are Acme's.", 'small-1', 'Europe/Madrid'],
        'as it is shown');
    $request = asked_of($model, lane());
    my $here = value("SELECT to_char(now() AT TIME ZONE 'Europe/Madrid',
        'FMDay, YYYY-MM-DD')");
    like($request->{messages}[0]{content}, qr{\AYou\ are\ Acme's\.\n\n
        It\ is\ \Q$here\E,\ \d\d:\d\d\ \(Europe/Madrid\)\.\z}x, 'its own');
    is($request->{model}, 'small-1', 'and its model');

    $request = asked_of($model, other());
    is($request->{messages}[0]{content}, 'Be brief.', 'not for others');
    is($request->{model}, 'gpt-4o-mini', 'nor the model');

    set('prompt=', 'model=', 'time_zone=');
    $request = asked_of($model, lane());
    is($request->{messages}[0]{content}, 'Be brief.', 'and back');
    is($request->{model}, 'gpt-4o-mini', 'with the model');
};

subtest 'what is older than a tenant keeps it is deleted' => sub {
    fresh();
    my $worker = worker();
    my ($mine, $kept, $theirs, $held) = (lane(), lane(), other(), lane());
    wait_job(message($_, 'Hello'), 'done') for $mine, $kept, $theirs, $held;
    wait_idle($_) for $mine, $kept, $theirs, $held;
    $worker->stop;

    # as if it were long ago
    for my $table (qw(messages jobs conversations contacts)) {
        my $which = $table eq 'contacts'
            ? "address <> '" . ($kept =~ /(\d+)$/)[0] . "'"
            : "lane <> '$kept'";
        my $columns = join ', ', map { "$_ = now() - interval '40 days'" }
            'created_at', 'updated_at';
        $postgres->sql('owner', "ALTER TABLE $table DISABLE TRIGGER touch");
        $postgres->sql('system', "UPDATE $table SET $columns WHERE $which");
        $postgres->sql('owner', "ALTER TABLE $table ENABLE TRIGGER touch");
    }
    $postgres->sql('system', "UPDATE contacts SET opted_out = true
        WHERE address = '" . ($held =~ /(\d+)$/)[0] . "'");
    $postgres->sql('system', "UPDATE jobs SET status = 'queued'
        WHERE lane = '$held'");

    my $count = sub { value("SELECT (SELECT count(*) FROM messages
        WHERE lane = '$_[0]') || ' ' || (SELECT count(*) FROM jobs
        WHERE lane = '$_[0]') || ' ' || (SELECT count(*) FROM conversations
        WHERE lane = '$_[0]') || ' ' || (SELECT count(*) FROM contacts
        WHERE address = '" . ($_[0] =~ /(\d+)$/)[0] . "')") };
    is($count->($mine), '2 1 1 1', 'before');

    set('retention_days=30');
    $worker = worker(SETTER_FORGET_MS => 1000);
    wait_for('it to be gone', sub { $count->($mine) eq '0 0 0 0' });
    is($count->($mine), '0 0 0 0', 'all of it is');
    is($count->($kept), '2 1 1 1', 'but what is newer');
    is($count->($theirs), '2 1 1 1', 'but another tenant\'s');
    like($count->($held), qr/ 1 \d 1\z/,
        'but what is not finished, and who opted out');
    set('retention_days=');
};

done_testing;
