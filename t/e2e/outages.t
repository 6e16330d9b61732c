# Redis and PostgreSQL go away and come back: what was accepted is answered,
# once, and nobody waits long for a "not now".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $stack = Setter::Stack->new(SETTER_LEASE_MS => 2000);

# Takes a service away until the code given has run.
sub without {
    my ($service, $code) = @_;
    $stack->signal('STOP', 'run');
    my $pid = $stack->signal('KILL', $service);
    $code->();
    $stack->signal('CONT', 'run');
    $stack->wait_restart($service, $pid);
}

subtest 'Redis dies with an accepted message in it' => sub {
    my $id = $stack->say('Remember me', chat_id => '4001')->{json}{id};

    without(redis => sub {
        my $begun = time;
        my $answer = $stack->say('Lost?', chat_id => '4002');
        is $answer->{status}, 201, 'ManyChat gets its 201';
        is $answer->{json}{status}, 'ERROR', 'and an error';
        my $strict = $stack->post('/api/lead/messages', {
            lead_identification => 'l', lead_message => 'm',
            chat_id => '4002' });
        is $strict->{status}, 503, 'the API says 503';
        ok $strict->{headers}{'retry-after'}, 'and when to come again';
        cmp_ok time - $begun, '<', 3, 'at once';
    });

    $stack->wait_for('nginx to accept again', 10, sub {
        $stack->say('Now?', chat_id => '4003')->{json}{status} eq 'SUCCESS'
    });
    $stack->wait_sent_to('4003', 1);
    my ($reply) = $stack->wait_sent_to('4001', 1);
    like $reply->{text}, qr/Remember me/, 'the accepted one is answered';
    $stack->wait_state($id, 'sent');
    is scalar($stack->sent_to('4001')), 1, 'once';
    is scalar($stack->sent_to('4002')), 0, 'the refused one is not';
};

subtest 'PostgreSQL is away when a message is to be answered' => sub {
    my $id;
    without(postgres => sub {
        my $answer = $stack->say('Write it down', chat_id => '4004');
        is $answer->{json}{status}, 'SUCCESS', 'it is accepted all the same';
        $id = $answer->{json}{id};
        sleep 3;    # it would have been claimed by now
    });

    $stack->wait_sent_to('4004', 1, 30);
    $stack->wait_state($id, 'sent');
    is scalar($stack->sent_to('4004')), 1, 'answered once';
};

subtest 'PostgreSQL is restarted while the model thinks' => sub {
    $stack->behaviour({ chat => { latency_ms => 2000 } });
    my $id = $stack->say('Hold on', chat_id => '4005')->{json}{id};
    $stack->wait_for('the model to be asked', 10,
        sub { $stack->calls('chat')->{open} == 1 });
    my $pid = $stack->signal('INT', 'postgres');
    $stack->wait_restart('postgres', $pid);

    $stack->wait_sent_to('4005', 1, 30);
    $stack->wait_state($id, 'sent');
    is scalar($stack->sent_to('4005')), 1, 'answered once';
};

done_testing;
