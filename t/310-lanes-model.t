#!/usr/bin/perl

# The queue on a real Redis against a plain model of it: thousands of random
# operations, the same in both, and after each what they answered must agree,
# and the invariants must hold, which are checked on the whole keyspace without
# the model; every few steps that must agree, too.  The seed is printed;
# SETTER_SEED repeats a run (its choices, not its times), SETTER_STEPS sets its
# length.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON::XS;
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(sleep);

use Setter::Invariants qw(check_invariants field);
use Setter::Model;
use Setter::Queue;
use Setter::Redis;

my $seed = $ENV{SETTER_SEED} // (time ^ $$ << 8) % 1_000_000_000;
my $steps = $ENV{SETTER_STEPS} // 3000;
my $json = JSON::XS->new->canonical->allow_nonref;
my $bad_header = "1\tx";

diag("seed $seed");
srand $seed;

my $server = Setter::Redis->start;
my $redis = $server->client;
$server->load_library($redis);

my (@partitions, $step, $serial, %owner);
my %count = map { $_ => 0 } qw(complete fail crashed dead stale more scan
    compared drained bulk take by_job again hold release settings over asked
    buried);
my @operations = (
    [append => 36], [claim => 24], [complete => 24], [fail => 12],
    [extend => 5], [lapse => 9], [more => 12], [stale => 3], [pause => 4],
    [burst => 0.5], [again => 6], [take => 20], [hold => 3], [release => 4],
    [settings => 5], [ask => 4],
);

for my $round (1 .. 4) {
    rounds($round, int $steps / 4);
}

ok($count{complete} > 100, "$count{complete} turns completed as the model");
ok($count{fail} > 20, "$count{fail} failed");
ok($count{crashed} > 20, "$count{crashed} handed over after a lost lease");
ok($count{dead} > 0, "$count{dead} given up");
ok($count{stale} > 10, "$count{stale} stale tokens changed nothing");
ok($count{more} > 0, "$count{more} turns got more jobs");
ok($count{bulk} > 20, "$count{bulk} turns of bulk kinds");
ok($count{take} > 20, "$count{take} turns of outside workers");
ok($count{by_job} > 20, "$count{by_job} of them ended by a job's name");
ok($count{buried} > 0, "$count{buried} jobs given up outside");
ok($count{over} > 10, "$count{over} jobs over a quota");
ok($count{again} > 20, "$count{again} jobs came again");
ok($count{hold} > 20, "$count{hold} lanes held");
ok($count{release} > 10, "$count{release} released");
ok($count{settings} > 20, "$count{settings} tenants changed");
ok($count{asked} > 20, "$count{asked} questions answered");
ok($count{scan} > 1000, "$count{scan} times the invariants held");
ok($count{compared} > 100, "$count{compared} times all keys were as modelled");
ok($count{drained} > 500, "$count{drained} jobs, each completed as accepted");
done_testing;

# One life of a Redis with 1 to 3 partitions.
sub rounds {
    my ($round, $n) = @_;
    my $count = 1 + $round % 3;

    $redis->flushall;
    @partitions = map { partition($_) } 1 .. $count;
    for (1 .. $n) {
        my $partition = $partitions[rand @partitions];
        my $operation = pick();
        $step = "round $round, step $_, $operation";
        no strict 'refs';
        &{"do_$operation"}($partition);
        scan($partition, rand() < 0.2);
    }
    $step = "round $round, at the end";
    drain($_) for @partitions;
}

sub partition {
    my ($number) = @_;
    my $queue = Setter::Queue->new($redis, tag => "p$number",
        lease_ms => 60_000, turn_jobs => 4, turn_bytes => 400,
        max_failures => 2, max_crashes => 3);
    my $model = Setter::Model->new;
    my @slugs = map { "t$number-$_" } 'a' .. 'd';

    # the grace of a Redis that has just come up is not for here
    $queue->claim(slots => 0);
    $redis->hset($queue->key('state'), grace => 0);

    my $partition = { queue => $queue, model => $model, slugs => \@slugs,
        held => [], stale => [], ids => [], jobs => [] };
    # of one the messages go outside; a low cap, a weight, a quota
    settings($partition, $slugs[0], outside => 1);
    settings($partition, $slugs[1], cap => 2);
    settings($partition, $slugs[2], weight => 3);
    settings($partition, $slugs[3], day => 5);

    return $partition;
}

sub settings {
    my ($partition, $slug, %set) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};

    agree(settings => $queue->tenant($slug, %set), 1);
    $model->configure($slug,
        $redis->hget($queue->key('state'), 'token') // 0, %set);
}

sub pick {
    my $at = rand sum0 map { $_->[1] } @operations;

    for (@operations) {
        return $_->[0] if ($at -= $_->[1]) < 0;
    }
}

sub one_of { $_[rand @_] }

# Takes one of the turns in hand out of the list: any, or of an outside worker
# where there is one.
sub take {
    my ($partition, $outside) = @_;
    my $held = $partition->{held};
    my @places = grep { $outside && $held->[$_]{outside} } 0 .. $#$held;

    @places = 0 .. $#$held if !@places;
    return @places ? splice @$held, one_of(@places), 1 : undef;
}


# Operations

sub do_append {
    my ($partition) = @_;
    my $slug = one_of(@{ $partition->{slugs} });
    my $chance = rand;
    my $lane = one_of('conv/' . int rand 5, 'conv/' . int rand 5,
        'campaign/' . int rand 3, 'status/' . int rand 3);
    my %job = (
        id => sprintf('job-%d', ++$serial), tenant => $slug,
        lane => "$slug/$lane", received_ms => 1e6 + int rand 1000,
        kind => $lane =~ /(campaign|status)/ ? $1
            : one_of(qw(message message message send)),
        debounce_ms => one_of(0, 0, 5, 20),
        debounce_max_ms => one_of(0, 30),
        send_at_ms => rand() < 0.1
            ? $partition->{queue}->now + int(rand 40) - 10 : 0,
        envelope => 'x' x (1 + rand one_of(40, 250)),
    );

    # a repeat of an earlier id; what cannot be read; a doorbell
    $job{id} = one_of(@{ $partition->{ids} })
        if $chance < 0.05 && @{ $partition->{ids} };
    append($partition, $chance > 0.98 ? $bad_header
        : $chance > 0.97 ? '' : undef, %job);
}

sub append {
    my ($partition, $header, %job) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};

    $header //= $queue->header(%job);
    my $id = $redis->xadd($queue->key('inbox'), '*', h => $header,
        j => $job{envelope});

    $model->append({
        %job, at => $id =~ s/-.*//r, header => $header, slug => $job{tenant},
        element => "$header\n$job{envelope}", again => $job{flags},
        bad => $header eq $bad_header, bell => $header eq '',
    });
    return if $header !~ /job/ || $owner{$partition}{ $job{id} }++;
    push @{ $partition->{ids} }, $job{id};
    push @{ $partition->{jobs} }, \%job;
}

# A job that was there before, whatever became of it, or one that was missed.
sub do_again {
    my ($partition) = @_;
    my $old = one_of(@{ $partition->{jobs} }) or return;
    my %job = (%$old, flags => 'again');

    $job{id} = sprintf 'job-%d', ++$serial if rand() < 0.3;
    append($partition, undef, %job);
    $count{again}++;
}

sub do_burst {
    my ($partition) = @_;

    do_append($partition) for 1 .. 20 + rand 120;
}

sub do_pause { sleep 0.001 * rand 25 }

sub do_claim { claim($_[0], slots => int rand 6, suspect => int rand 2) }

sub claim {
    my ($partition, %args) = @_;
    my $queue = $partition->{queue};
    my $worker = one_of(qw(w1 w2 w3));
    my $got = $queue->claim(%args, worker => $worker);

    claimed($partition, $got, $worker, { %$queue, %args });

    $partition->{idle} = $got->{next} && @{ $got->{turns} } < $args{slots};
    $count{bulk} += grep { $_->{lane} =~ /campaign/ } @{ $got->{turns} };
    my @flags = map { $_->{flags} // () } map { @{ $_->{jobs} } }
        @{ $got->{turns} };
    $count{over} += grep { /over/ } @flags;
    $count{buried} += grep { /status=dead/ } @flags;
}

# Of a tenant whose messages go outside, or of another.
sub do_take {
    my ($partition) = @_;
    my ($queue, $model, $slugs) = @$partition{qw(queue model slugs)};
    my @outside = grep { $model->tenant($_)->{set}{outside} } @$slugs;
    my $slug = @outside && rand() < 0.9 ? one_of(@outside) : one_of(@$slugs);
    my %args = (worker => 'w4', max_failures => one_of(1, 2));
    my $got = $queue->take($slug, %args);

    claimed($partition, $got, 'w4', { %$queue, %args }, $slug);
    $count{take} += @{ $got->{turns} };
    $_->{outside} = 1 for @{ $got->{turns} };
}

sub claimed {
    my ($partition, $got, $worker, $args, @slug) = @_;
    my $model = $partition->{model};
    my $before = $model->{token};
    my ($next, $rejected, @turns) = $model->claim($got->{now}, $args, @slug);

    agree(claim => [map { seen($_) } @{ $got->{turns} }], \@turns);
    agree(next => $got->{next}, $next);
    agree(rejected => $got->{rejected}, $rejected);

    for my $turn (@{ $got->{turns} }) {
        wrong("token $turn->{token} after $before")
            if $turn->{token} <= $before;
        $before = $turn->{token};
        $model->given($turn->{lane}, $turn->{token}, $worker);
        push @{ $partition->{held} }, $turn;
        $count{crashed} += $turn->{crashes} > 0;
        $count{dead} += $turn->{dead};
    }
}

# What there is to see of a turn.
sub seen {
    my ($turn) = @_;
    my %seen = %$turn;

    delete @seen{qw(token outside)};
    $seen{ids} = [map { $_->{id} } @{ delete $seen{jobs} }];

    return \%seen;
}

sub do_complete {
    my ($partition) = @_;
    my $turn = take($partition) or return;

    complete($partition, $turn);
    push @{ $partition->{stale} }, $turn;
}

# Outside workers may name a turn by one of its jobs.
sub named {
    my ($turn) = @_;

    return $turn if !$turn->{outside} || rand() < 0.5;
    $count{by_job}++;
    return Setter::Queue::by_job($turn, one_of(@{ $turn->{jobs} })->{id});
}

sub complete {
    my ($partition, $turn) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $holds = $model->holds($turn);
    my $quiet = ($model->{lanes}{ $turn->{lane} } // {})->{quiet} // 0;

    my $from = $queue->now;
    agree(complete => $queue->complete(named($turn)), $holds);
    my $to = $queue->now;

    return unless $holds;

    # a window that ended just then: Redis says whether before or after
    my $now = $quiet > $from && $quiet <= $to
        && defined $redis->zscore($queue->key('due'), $turn->{lane})
        ? $from : $to;
    $model->complete($turn, $now);
    $count{complete}++;
}

sub do_fail {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $turn = take($partition, rand() < 0.5) or return;
    my %how = (delay_ms => int rand 15, counted => int rand 3 ? 1 : 0,
        reason => 'reason ' . int rand 3);

    push @{ $partition->{stale} }, $turn;
    my $holds = $model->holds($turn);
    my $from = $queue->now;
    agree(fail => $queue->fail(named($turn), %how), $holds);
    return unless $holds;

    my $due = score($queue, due => $turn, $from + $how{delay_ms},
        $queue->now + $how{delay_ms});
    $model->fail($turn, $due, @how{qw(counted reason)});
    $count{fail}++;
}

# A worker was gone for the time of its lease.
sub do_lapse {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $turn = one_of(@{ $partition->{held} }) or return;

    return if !$model->holds($turn);
    $redis->zadd($queue->key('leased'), 'XX', 1, $turn->{lane});
    $model->lane($turn->{lane})->{lease_end} = 1;
}

sub do_extend {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my @turns = (@{ $partition->{held} }, one_of(@{ $partition->{stale} }));

    @turns = grep { $_ } @turns;
    return unless @turns;

    my $from = $queue->now;
    my @got = $queue->extend(map { named($_) } @turns);
    my $to = $queue->now;
    my @holds = map { $model->holds($_) } @turns;

    agree(extend => \@got, \@holds);
    for my $i (grep { $holds[$_] } 0 .. $#turns) {
        $model->lane($turns[$i]{lane})->{lease_end} = score($queue,
            leased => $turns[$i], $from + $queue->{lease_ms},
            $to + $queue->{lease_ms});
    }
}

# The score Redis gave the turn's lane, which is its time plus something
# known: between from and to.
sub score {
    my ($queue, $zset, $turn, $from, $to) = @_;
    my $score = $redis->zscore($queue->key($zset), $turn->{lane}) // 'none';

    wrong("$zset of $turn->{lane}: $score, not $from to $to")
        unless $score ne 'none' && $score >= $from && $score <= $to;

    return $score;
}

sub do_more {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $turn = one_of(@{ $partition->{held} }) or return;
    my $got = $queue->more($turn);

    if (!$model->holds($turn)) {
        agree(more => $got, undef);
        return;
    }
    my @added = $model->more($turn, $queue);
    agree(more => [map { $_->{id} } @$got], \@added);
    $count{more}++ if @added;
}

# Tokens that ended must change nothing: the next scan would tell.
sub do_stale {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $turn = one_of(@{ $partition->{stale} }) or return;

    return if $model->holds($turn);
    agree(stale_complete => $queue->complete($turn), 0);
    agree(stale_fail => $queue->fail($turn), 0);
    agree(stale_more => $queue->more($turn), undef);
    agree(stale_extend => [$queue->extend($turn)], [0]);
    $count{stale}++;
}

sub do_hold {
    my ($partition) = @_;
    my ($queue, $model, $slugs) = @$partition{qw(queue model slugs)};
    my $lane = one_of(@$slugs) . '/' . one_of('conv/' . int rand 5,
        'campaign/' . int rand 3);

    agree(hold => $queue->hold($lane), $model->hold($lane));
    $count{hold}++;
}

sub do_release {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $lane = one_of(sort keys %{ $model->{held} }) or return;

    agree(release => $queue->release($lane), $model->release($lane));
    agree(release_again => $queue->release($lane), 0);
    $count{release}++;
}

sub do_settings {
    my ($partition) = @_;
    my %set = map { @$_ } one_of([outside => one_of('', 1, 1)],
        [held => one_of('', 0, 1)], [cap => one_of(1, 2, 12, '')],
        [weight => one_of(1, 2, 1000)], [day => one_of(3, 30, '')]);

    settings($partition, one_of(@{ $partition->{slugs} }), %set);
    $count{settings}++;
}

# Of jobs that were accepted once, and of the counts.
sub do_ask {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my @jobs = map { one_of(@{ $partition->{jobs} }) // () } 1 .. 5;
    my $keys = $queue->scan;
    my $depth = $queue->depth;

    agree(absent => [$queue->absent(map { [@$_{qw(lane id)}] } @jobs)],
        [map { $model->knows(@$_{qw(lane id)}) ? 0 : 1 } @jobs]);
    for my $job (@jobs) {
        agree("state of $job->{id}", $queue->state(@$job{qw(tenant id)}),
            field($keys, jobs => $job->{id}) ? 2 : $model->{seen}{ $job->{id} }
            ? 1 : 0);
    }
    my %lanes = map { $_ => scalar $model->lanes_in($_) }
        qw(ready outside due leased held);
    agree(depth => { map { $_ => $depth->{$_} } keys %lanes }, \%lanes);
    $count{asked}++;
}

# Everything that was accepted is completed in the end, and nothing is left.
sub drain {
    my ($partition) = @_;
    my ($queue, $model, $slugs) = @$partition{qw(queue model slugs)};

    settings($partition, $_, weight => '', cap => '', day => '', held => '')
        for @$slugs;
    agree(release => $queue->release($_), $model->release($_))
        for sort keys %{ $model->{held} };
    for (1 .. 400) {
        claim($partition, slots => 20, suspect => 1);
        claimed($partition, $queue->take($_, worker => 'w4'), 'w4', $queue, $_)
            for @$slugs;
        complete($partition, $_) for splice @{ $partition->{held} };
        last if !@{ $model->{inbox} } && !%{ $model->{later} }
            && !grep { @{ $_->{jobs} } } values %{ $model->{lanes} };
        sleep 0.001;
    }
    settings($partition, $_, outside => '') for @$slugs;
    my $keys = scan($partition, 1);
    agree(left => [sort keys %$keys], [qw(inbox state)]);
    agree(completed => $model->{completed}, $model->{accepted});
    my @records = grep { /-r$/ } keys %{ $model->{completed} };
    agree(ids => [sort grep { !/-r$/ } keys %{ $model->{completed} }],
        [sort @{ $partition->{ids} }]);
    $count{drained} += keys %{ $model->{completed} };
}


# Checks

sub scan {
    my ($partition, $compare) = @_;
    my $got = $partition->{queue}->scan;

    # a worker with slots to spare has left nothing that is claimable
    wrong('something claimable was left') if delete $partition->{idle}
        && grep { /^(?:tenants|bulk|moving)$/ } keys %$got;
    eval {
        check_invariants($got, map { $_ => $partition->{$_}
            // $partition->{model}{$_} } qw(slugs ids accepted completed));
        1;
    } or wrong($@);
    $count{scan}++;
    if ($compare) {
        my $want = $partition->{model}->keys;
        my %names = (%$got, %$want);

        agree("key $_" => $got->{$_}, $want->{$_}) for sort keys %names;
        $count{compared}++;
    }

    return $got;
}

# The same, numbers as numbers or text.
sub agree {
    my ($what, $got, $want) = @_;

    ($got, $want) = map { text($_) } $got, $want;
    wrong("$what\n     got: $got\nexpected: $want") if $got ne $want;
}

sub text {
    my ($value) = @_;

    return $json->encode(plain($value));
}

sub plain {
    my ($value) = @_;

    return ref $value eq 'ARRAY' ? [map { plain($_) } @$value]
        : ref $value eq 'HASH'
        ? { map { $_ => plain($value->{$_}) } keys %$value }
        : defined $value && $value =~ /^[0-9.e+]+$/ ? '' . (0 + $value)
        : $value;
}

sub wrong {
    diag("seed $seed, $step: $_[0]");
    fail('the queue agrees with the model');
    done_testing;
    exit 1;
}
