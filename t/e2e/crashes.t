# A worker that dies, is told to go, or meets a model that fails: every
# message is answered once.  One worker, leases of two seconds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use Time::HiRes qw(time);

my $lease = 2;
my $stack = Setter::Stack->new(SETTER_LEASE_MS => $lease * 1000,
    SETTER_SEND_TIMEOUT_MS => 3000);    # a send's lease outlasts it

sub wait_asked {
    $stack->wait_for('the model to be asked', 10,
        sub { $stack->calls('chat')->{open} == 1 });
}

subtest 'killed while the model thinks: answered once' => sub {
    $stack->behaviour({ chat => { latency_ms => 20000 } });
    my $asked = $stack->calls('chat')->{count};
    my $id = $stack->say('Who answers?', chat_id => '2001')->{json}{id};
    wait_asked();

    my $killed = time;
    my $pid = $stack->signal('KILL', 'worker.1');
    $stack->behaviour({});
    $stack->wait_restart('worker.1', $pid);
    cmp_ok time - $killed, '<', 2, 'another worker runs';

    my ($reply) = $stack->wait_sent_to('2001', 1);
    cmp_ok time - $killed, '<', $lease + 2, 'answered within lease + 2 s';
    like $reply->{text}, qr/Who answers\?/, 'the answer is right';

    $stack->wait_state($id, 'sent');
    is $stack->calls('chat')->{count} - $asked, 2, 'the model was asked again';
    is scalar($stack->sent_to('2001')), 1, 'one answer';
};

subtest 'killed between send and mark: unknown, not sent again' => sub {
    $stack->behaviour({ manychat => { latency_ms => 20000 } });
    my $asked = $stack->calls('chat')->{count};
    my $id = $stack->say('Did it leave?', chat_id => '2002')->{json}{id};
    $stack->wait_sent_to('2002', 1);
    is $stack->reply_state($id), 'sending', 'ManyChat has it, we do not know';

    my $pid = $stack->signal('KILL', 'worker.1');
    $stack->behaviour({});
    $stack->wait_restart('worker.1', $pid);
    $stack->wait_state($id, 'unknown');

    # the next in this lane is answered, and so all before it is over
    my $next = $stack->say('Next', chat_id => '2002')->{json}{id};
    $stack->wait_state($next, 'sent');
    is_deeply [ map { $_->{text} =~ /(leave|Next)/ } $stack->sent_to('2002') ],
        [ 'leave', 'Next' ], 'it was not sent again';
    is $stack->reply_state($id), 'unknown', 'and stays unknown';
    is $stack->calls('chat')->{count} - $asked, 2, 'the model was asked once';
};

subtest 'the model fails twice, then answers' => sub {
    $stack->behaviour({ chat => { fail_first => { count => 2,
        status => 500 } } });
    my $asked = $stack->calls('chat')->{count};
    my $id = $stack->say('Try harder', chat_id => '2003')->{json}{id};
    my ($reply) = $stack->wait_sent_to('2003', 1);
    like $reply->{text}, qr/Try harder/, 'answered';

    $stack->wait_state($id, 'sent');
    is $stack->calls('chat')->{count} - $asked, 3, 'at the third attempt';
    is scalar($stack->sent_to('2003')), 1, 'once';
};

subtest 'told to go: finishes what it has in hand' => sub {
    $stack->behaviour({ chat => { latency_ms => 1500 } });
    my $asked = $stack->calls('chat')->{count};
    my $id = $stack->say('Last words', chat_id => '2004')->{json}{id};
    wait_asked();

    my $pid = $stack->signal('TERM', 'worker.1');
    my $waiting = $stack->say('For the next', chat_id => '2005')->{json}{id};
    $stack->wait_restart('worker.1', $pid);
    is $stack->reply_state($id), 'sent', 'sent before it went';
    like $stack->log_of('run'), qr/worker\.1 ended with status 0/, 'exit 0';

    $stack->wait_state($waiting, 'sent');
    is $stack->calls('chat')->{count} - $asked, 2, 'each was asked once';
    is scalar($stack->sent_to($_)), 1, "$_ got one answer" for 2004, 2005;
};

done_testing;
