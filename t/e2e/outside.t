# Workers of other makes: a loop of our own, and the n8n workflow that is
# shipped, answer a tenant's messages over HTTP alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::XS ();
use Setter::Stack;
use Setter::Workflow;
use Test::More;

my $json = JSON::XS->new->utf8->canonical->allow_nonref;
my $stack = Setter::Stack->new;
my %key = map { $_ => key($_) } qw(acme globex);

sub key {
    my ($tenant) = @_;
    chomp(my $key = $stack->ctl('key', 'add', $tenant));
    $stack->ctl('tenant', 'add', $tenant);
    $stack->ctl('tenant', 'set', $tenant, 'worker=outside');
    return $key;
}

sub api {
    my ($tenant, $method, $path, $body) = @_;
    return $stack->request($method, $stack->env('SETTER_URL') . $path, $body,
        Authorization => "Bearer $key{$tenant}");
}

# Somebody writes to the tenant over WhatsApp.
sub write_to {
    my ($tenant, $from, $text) = @_;
    my $answer = $stack->post('/webhook/inbound',
        { from => $from, message => $text }, Host => "$tenant.example.com");
    is $answer->{status}, 201, "\"$text\" was taken";
    return $answer->{json}{id};
}

sub wait_status {
    my ($tenant, $id, $status) = @_;
    return $stack->wait_for("job $id to be $status", 20, sub {
        my $answer = api($tenant, 'GET', "/api/jobs/$id");
        ($answer->{json}{status} // '') eq $status && $answer->{json};
    });
}

subtest 'a worker of one\'s own answers, and all is on record' => sub {
    my $person = '15550100010';
    my @ids = map { write_to('acme', $person, $_) } 'Hello', 'Are you there?';

    # the loop of a worker: take, send, complete
    my $job = api('acme', 'GET', '/queue/next-job?wait=20');
    is $job->{status}, 200, 'there is a turn';
    my $turn = $job->{json};
    is_deeply [ map { $_->{id} } @{ $turn->{jobs} } ], \@ids,
        'both messages, in order';
    is $turn->{payload}{from}, $person, 'and whose they are';
    is api('acme', 'GET', "/api/jobs/$ids[0]")->{json}{status}, 'processing',
        'everybody may ask how it goes';

    my $sent = api('acme', 'POST', '/messages/send', {
        to => $turn->{payload}{from}, message => 'We are: how can we help?',
        message_id => $turn->{job_id}, tenant_id => 'acme',
    });
    is $sent->{status}, 202, 'the answer is taken';
    is $sent->{json}{status}, 'queued', 'as queued';
    my $done = api('acme', 'POST', "/queue/jobs/$turn->{job_id}/complete",
        { token => $turn->{token} });
    is $done->{status}, 200, 'the turn is completed';

    my ($got) = $stack->wait_sent_to($person, 1);
    is $got->{text}, 'We are: how can we help?', 'the person gets it';
    is $got->{provider}, 'infobip', 'through the provider';

    wait_status('acme', $_, 'done') for @ids, $sent->{json}{id};
    is_deeply [ map { $_->[0] } $stack->psql("SELECT text FROM messages
        WHERE address = '$person' ORDER BY seq") ],
        [ 'Hello', 'Are you there?', 'We are: how can we help?' ],
        'the conversation is on record';
    is api('acme', 'GET', '/queue/next-job')->{status}, 204, 'nothing is left';

    my $repeat = api('acme', 'POST', '/messages/send', { to => $person,
        message => 'We are: how can we help?', message_id => $turn->{job_id} });
    is $repeat->{json}{id}, $sent->{json}{id}, 'a repeat is the same message';
    my $next = api('acme', 'POST', '/messages/send', { to => $person,
        message => 'Anything else?' });
    wait_status('acme', $next->{json}{id}, 'done');
    is_deeply [ map { $_->{text} } $stack->sent_to($person) ],
        [ 'We are: how can we help?', 'Anything else?' ],
        'and nobody gets it twice';
};

subtest 'tenants do not meet' => sub {
    my $id = write_to('acme', '15550100011', 'For acme alone');
    my $job = api('acme', 'GET', '/queue/next-job?wait=20')->{json};
    is $job->{job_id}, $id, 'acme has it';
    my %token = (token => $job->{token});
    is api('globex', 'GET', '/queue/next-job')->{status}, 204,
        'globex gets none of it';
    is api('globex', 'POST', "/queue/jobs/$id/$_", \%token)->{status}, 409,
        "nor may it $_" for qw(complete fail extend);
    is api('globex', 'GET', "/api/jobs/$id")->{status}, 404, 'nor know of it';
    is api('globex', 'POST', '/messages/send', { to => '15550100011',
        message => 'x', tenant_id => 'acme' })->{status}, 403,
        'nor write for it';
    is api('acme', 'POST', "/queue/jobs/$id/fail",
        { %token, delay_ms => 0, reason => 'later' })->{status}, 200,
        'acme gives it back';
    my $again = api('acme', 'GET', '/queue/next-job?wait=20')->{json};
    is $again->{job_id}, $id, 'and gets it again';
    api('acme', 'POST', "/queue/jobs/$id/complete",
        { token => $again->{token} });
    wait_status('acme', $id, 'done');
};

subtest 'to somebody who never wrote' => sub {
    my $sent = api('acme', 'POST', '/messages/send', { to => '15550100012',
        message => 'Have you heard?' });
    is $sent->{status}, 202, 'taken';
    my $job = wait_status('acme', $sent->{json}{id}, 'failed');
    is $job->{reason}, 'the window for free text has closed', 'and not sent';
};

subtest 'at a time of its own' => sub {
    my $person = '15550100013';
    my $id = write_to('acme', $person, 'Remind me');
    my $job = api('acme', 'GET', '/queue/next-job?wait=20')->{json};
    my $later = api('acme', 'POST', '/messages/send', { to => $person,
        message => 'Here I am', send_at => time + 3 });
    api('acme', 'POST', '/messages/send', { to => $person, message => 'OK' });
    api('acme', 'POST', "/queue/jobs/$id/complete",
        { token => $job->{token} });
    is api('acme', 'GET', "/api/jobs/$later->{json}{id}")->{json}{status},
        'queued', 'it waits';
    my @sent = $stack->wait_sent_to($person, 2);
    is_deeply [ map { $_->{text} } @sent ], [ 'OK', 'Here I am' ],
        'and comes in its time';
};

subtest 'the n8n workflow answers' => sub {
    my $flow = Setter::Workflow->new(Setter::Stack::root()
        . '/nginx/n8n-outside-worker.json');
    my %with = (
        settings => { setter_url => $stack->env('SETTER_URL'), wait => 3,
            model_url => $stack->env('SANDBOX_URL') . '/v1' },
        credentials => { 'Setter key' => "Bearer $key{globex}",
            'Model key' => 'Bearer sandbox' },
    );
    my @people = ('15550100020', '15550100021');
    my @ids = map { write_to('globex', $_, "Question of $_") } @people;

    my @path = $flow->play(%with);
    is_deeply \@path, [ 'Every half minute', 'Settings',
        (('Next job', 'Is there one?', 'Ask the model', 'Send the answer',
            'Complete the job') x 2), 'Next job', 'Is there one?' ],
        'as long as there is something to answer';

    for my $i (0, 1) {
        my ($got) = $stack->wait_sent_to($people[$i], 1);
        like $got->{text}, qr/Question of $people[$i]/, 'the model answered';
        wait_status('globex', $ids[$i], 'done');
    }

    $stack->behaviour({ chat => { status => { 500 => 1 } } });
    my $id = write_to('globex', $people[0], 'And now?');
    my @failed = $flow->play(%with, nodes => 6);
    is $failed[-1], 'Try it again later', 'what cannot be answered goes back';
    $stack->behaviour({ chat => {} });
    $flow->play(%with, settings => { %{ $with{settings} }, wait => 20 },
        nodes => 7);
    wait_status('globex', $id, 'done');
    my @got = $stack->wait_sent_to($people[0], 2);
    like $got[1]{text}, qr/And now\?/, 'and is answered then';
    is scalar @got, 2, 'once';
};

subtest 'nobody complains' => sub {
    unlike $stack->log_of('nginx'), qr/\[(warn|error|crit|alert|emerg)\]/,
        'nginx';
    unlike $stack->log_of('worker.1'), qr/"level":"(warn|error)"|Sanitizer/,
        'the worker';
};

done_testing;
