#!/usr/bin/perl

# How much an account may send, over all workers, and what the provider says
# of it.

use strict;
use warnings;

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

# A message of a new person's to that number of Meta's; its job.
sub say {
    my ($to) = @_;
    my $lane = "acme/conv/meta:$to:" . ++$chat;
    return message($lane, 'Hello', provider => 'meta', to => $to);
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

subtest 'nobody complains of memory' => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
