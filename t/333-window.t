#!/usr/bin/perl

# An answer is ready when the window for free text has closed: it fails, the
# conversation is held, or a template is sent, as the tenant wants.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(time);

start();
ctl('tenant', 'add', 'acme');

my $us = '100000000000001';

sub set {
    my ($status, $out) = ctl('tenant', 'set', 'acme', @_);
    is($status, 0, "set @_") or diag $out;
}

# A message whose window closes while the model thinks; its lane and job.
sub late {
    my ($provider) = @_;
    my $lane = "acme/conv/$provider:$us:" . ++$chat;

    $sandbox->behave({ chat => { latency_ms => 1500 } });
    my $before = asked();
    my $id = message($lane, 'Hello', provider => $provider, to => $us,
        header => { received_ms => int(1000 * (time - 86_400 + 1)) });
    wait_for('the model to be asked', sub { asked() > $before });
    $sandbox->behave({});
    return ($lane, $id);
}

sub held { value("SELECT held FROM conversations WHERE lane = '$_[0]'") }

fresh();
my $worker = worker();

subtest 'by default it fails' => sub {
    my ($lane, $id) = late('meta');
    wait_job($id, 'failed');
    is(reason($id), 'the window for free text has closed', 'and why');
    is_deeply(texts($lane), [], 'nothing was sent');
};

subtest 'held: somebody looks, and it is answered when the person is back'
    => sub {
    set('window_policy=hold');
    my ($lane, $id) = late('meta');
    wait_for('it to be held', sub { held($lane) eq 't' });
    is(held($lane), 't', 'the conversation is held');
    is_deeply(texts($lane), [], 'nothing was sent');
    is((reply($id))[0], 'composed', 'the answer is kept');

    ctl('lane', 'release', $lane);
    wait_for('it to be held again', sub { held($lane) eq 't' });
    is(held($lane), 't', 'released while it is closed it is held again');

    my $next = message($lane, 'Still there?', provider => 'meta',
        to => $us);
    ctl('lane', 'release', $lane);
    wait_job($_, 'done') for $id, $next;
    is_deeply(texts($lane), ["Hello\nStill there?"], 'both are answered');
};

subtest 'a template is sent, where the provider has them' => sub {
    set('window_policy=template', 'window_template=back_soon/en_US');
    my ($lane, $id) = late('meta');
    wait_job($id, 'done');
    my ($sent) = grep { $_->{to} eq ($lane =~ /(\d+)$/)[0] }
        @{ $sandbox->sent };
    is_deeply($sent->{raw}{template}, { name => 'back_soon',
        language => { code => 'en_US' } }, 'it reached the person');
    is((reply($id))[0], 'sent', 'as the answer');

    (undef, $id) = late('instagram');
    wait_job($id, 'failed');
    is(reason($id), 'the window for free text has closed', 'else it fails');

    set('window_template=');
    (undef, $id) = late('meta');
    wait_job($id, 'failed');
};

subtest 'what is wrong is named' => sub {
    for my $case (['window_policy=wait', qr/window_policy is fail, hold or template/],
        ['window_template=a/b/c', qr/window_template/],
        ['window_template=a b', qr/window_template is one word/]) {
        my ($status, $out) = ctl('tenant', 'set', 'acme', $case->[0]);
        is($status, 1, "refused: $case->[0]");
        like($out, $case->[1], '... by name');
    }
};

subtest 'nobody complains of memory' => sub {
    is_deeply([Setter::Worker::reports()], [], 'no report of a sanitizer');
};

done_testing;
