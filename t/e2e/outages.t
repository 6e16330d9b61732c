# Redis and PostgreSQL go away and come back: messages are accepted all the
# while, at once, and answered, each once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use File::Path qw(remove_tree);
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
        $stack->say("Lost? $_", chat_id => '4002') for 1 .. 3;
        my $strict = $stack->post('/api/lead/messages', {
            lead_identification => 'l', lead_message => 'Lost, too?',
            chat_id => '4003' });
        is $strict->{status}, 201, 'what comes meanwhile is accepted';
        cmp_ok time - $begun, '<', 3, 'at once';
        is $stack->health->{json}{status}, 'spooling', 'health tells';
    });

    my ($reply) = $stack->wait_sent_to('4001', 1);
    like $reply->{text}, qr/Remember me/, 'the one before is answered';
    ($reply) = $stack->wait_sent_to('4002', 1);
    like $reply->{text}, qr/Lost\? 1.*Lost\? 2.*Lost\? 3/s,
        'those in between, in their order';
    $stack->wait_sent_to('4003', 1);
    $stack->wait_state($id, 'sent');
    is scalar($stack->sent_to($_)), 1, 'once' for '4001', '4002', '4003';
    is $stack->health->{json}{status}, 'ok', 'health is well';
};

subtest 'Redis comes back and knows nothing' => sub {
    my $done = $stack->say('Done', chat_id => '4006')->{json}{id};
    $stack->wait_sent_to('4006', 1);
    $stack->wait_state($done, 'sent');
    my $id = $stack->say('Not yet done', chat_id => '4007')->{json}{id};

    without(redis => sub {
        remove_tree($stack->dir . '/redis/appendonlydir');
    });

    my ($reply) = $stack->wait_sent_to('4007', 1);
    like $reply->{text}, qr/Not yet done/, 'what it had taken is answered';
    $stack->wait_state($id, 'sent');
    $stack->say('And now?', chat_id => '4006');
    $stack->wait_sent_to('4006', 2);
    is scalar($stack->sent_to('4007')), 1, 'once';
    my (undef, $second) = $stack->sent_to('4006');
    unlike $second->{text}, qr/Done/, 'and what was done is not done again';
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
