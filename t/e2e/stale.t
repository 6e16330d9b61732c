# A worker is stopped for thirty seconds while it waits for the model, and
# goes on when another one has long answered: it must send nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use Time::HiRes qw(sleep time);

my $stack = Setter::Stack->new(SETTER_LEASE_MS => 2000, SETTER_WORKERS => 2);

# the first is held back, so that the second takes the lane
$stack->signal('STOP', 'worker.1');
$stack->behaviour({ chat => { latency_ms => 3000, reply => 'of the first' } });
my $id = $stack->say('Hello?', chat_id => '3001')->{json}{id};
$stack->wait_for('the model to be asked', 10,
    sub { $stack->calls('chat')->{open} == 1 });

my $stopped = time;
$stack->signal('STOP', 'worker.2');
$stack->behaviour({ chat => { reply => 'of the second' } });
$stack->signal('CONT', 'worker.1');
my ($reply) = $stack->wait_sent_to('3001', 1, 30);
is $reply->{text}, 'of the second', 'the other worker answers';
$stack->wait_state($id, 'sent');

# what the stopped one asked for was answered meanwhile
sleep 0.1 while time < $stopped + 30;
is $stack->calls('chat')->{open}, 0, 'the model is done with both';

# it goes on alone, and has seen all that waited for it when it answers
$stack->signal('CONT', 'worker.2');
$stack->signal('STOP', 'worker.1');
my $next = $stack->say('Are you there?', chat_id => '3002')->{json}{id};
$stack->wait_sent_to('3002', 1, 30);
$stack->wait_state($next, 'sent');
is scalar($stack->sent_to('3001')), 1, 'the stale worker sent nothing';
is $stack->reply_state($id), 'sent', 'and changed nothing';
is_deeply [ $stack->psql("SELECT count(*) FROM messages
    WHERE address = '3001' AND direction = 'out'") ], [ [ 1 ] ],
    'there is one reply on record';

$stack->signal('CONT', 'worker.1');

done_testing;
