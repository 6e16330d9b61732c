#!/usr/bin/perl

# How much an account may send, over all workers, and what the provider says
# of it.

use strict;
use warnings;

use File::Temp;
use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

start();
$env{SETTER_MASTER_KEY} = 'c2V0dGVyIHNldHRlciBzZXR0ZXIgc2V0dGVyIHNldHQ=';
ctl('tenant', 'add', 'acme');

my $us = '100000000000001';

sub channel {
    my ($status, $out) = ctl('channel', @_);
    is($status, 0, "channel @_") or diag $out;
}

# A message of a new person's to that number, Meta's or another's; its job.
sub say {
    my ($to, $provider) = (@_, 'meta');
    my $lane = "acme/conv/$provider:$to:" . ++$chat;
    return message($lane, 'Hello', provider => $provider, to => $to);
}

# When the number's messages reached people, Unix time.
sub sent_at {
    my ($from) = @_;
    return sort { $a <=> $b } map {
        my ($y, $m, $d, $h, $min, $sec) = $_->{at} =~ /[\d.]+/g;
        timegm(0, $min, $h, $d, $m - 1, $y) + $sec;
    } grep { $_->{from} eq $from } @{ $sandbox->sent };
}

subtest 'a rate that is none' => sub {
    for my $rate (qw(0 1001 x 1.5 99999999999)) {
        my ($status, $out) = ctl('channel', 'add', 'acme', 'meta', $us,
            "rate=$rate");
        is($status, 1, "refused: $rate");
        like($out, qr/rate: a number from 1 to 1000/, '... by name');
    }
};

subtest 'a rate holds for all workers together' => sub {
    fresh();
    channel('add', 'acme', 'meta', $us, 'rate=10');
    my @workers = map { worker(SETTER_CONCURRENCY => 10) } 1 .. 2;
    my @ids = map { say($us) } 1 .. 20;
    wait_job($_, 'done', 20) for @ids;
    my @at = sent_at($us);
    is(scalar @at, 20, 'all are sent');
    cmp_ok($at[-1] - $at[0], '>', 1.7, '20 take no less than 1.9 s');
    cmp_ok(scalar(grep { $_->turns } @workers), '==', 2, 'of both workers');
};

subtest 'without one there is none, through another host' => sub {
    fresh();
    channel('set', 'acme', 'meta', $us, 'rate=');
    my $worker = worker();
    my $begun = time;
    wait_job($_, 'done') for map { say($us) } 1 .. 20;
    cmp_ok(time - $begun, '<', 10, 'they are sent at once');
};

subtest 'who is told to wait lets the others of the number wait, too' => sub {
    fresh({ meta => { retry_after => 3,
        fail_first => { status => 429, count => 1 } } });
    my $worker = worker();
    $us = '100000000000003';
    channel('add', 'acme', 'meta', $us);
    my $first = say($us);
    wait_for('the refusal', sub { $worker->text =~ /sends too much/ });
    my $refused = time;
    my @others = map { say($us) } 1 .. 3;
    channel('add', 'acme', 'meta', '100000000000002');
    my $other = say('100000000000002');
    wait_job($other, 'done');
    cmp_ok(time - $refused, '<', 2, 'another number is not concerned');
    is_deeply([sent_at($us)], [], 'of this one nothing was sent');
    wait_job($_, 'done', 20) for $first, @others;
    my ($at) = sent_at($us);
    cmp_ok($at - $refused, '>', 1.5, 'for as long as the provider said');
};

# Who brings a provider of his own, for any number, has it say what he likes.
subtest 'what a tenant\'s own account hears stops nobody else\'s' => sub {
    fresh();
    my $evil = Setter::Sandbox->start;
    $evil->behave({ infobip => { retry_after => 3600,
        fail_first => { status => 429, count => 1 } } });
    my $credential = File::Temp->new;
    print $credential "theirs\n";
    close $credential or die $!;

    my $worker = worker(
        SETTER_EGRESS_ALLOW => ($evil->url =~ m{//(.+)})[0]);
    my $number = '15550104';
    channel('add', 'acme', 'infobip', $number);
    ctl('tenant', 'add', 'evil');
    channel('add', 'evil', 'infobip', '*', 'base_url=' . $evil->url,
        "credential=$credential");
    my $job = message('evil/conv/infobip:x:' . ++$chat, 'Hello',
        provider => 'infobip', to => $number);
    wait_for('the refusal', sub { $worker->text =~ /sends too much/ });
    my $other = say($number, 'infobip');
    wait_job($other, 'done', 5);
    is(job($job), 'queued', 'his own message waits');
};

subtest 'what a provider says is heard for five minutes at most' => sub {
    fresh({ infobip => { retry_after => 3600,
        fail_first => { status => 429, count => 1 } } });
    my $worker = worker();
    my $number = '15550105';
    channel('add', 'acme', 'infobip', $number);
    my @lanes = map { "acme/conv/infobip:$number:" . ++$chat } 1 .. 2;
    for my $lane (@lanes) {
        message($lane, 'Hello', provider => 'infobip', to => $number);
        wait_for('the refusal', sub { $worker->text =~ /sends too much/ });
    }
    for my $lane (@lanes) {
        my $due = wait_for('the queue to have it back', sub {
            $redis->zscore($queue->key('due'), $lane) }) // 0;
        cmp_ok($due / 1000, '>', time + 200, 'it waits');
        cmp_ok($due / 1000, '<', time + 305, '... for so long');
    }
};

subtest 'nobody complains of memory'  => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
