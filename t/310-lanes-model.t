#!/usr/bin/perl

# The queue on a real Redis against a plain model of it: thousands of random
# operations, the same in both, and after each what they answered must agree;
# every few steps the whole keyspace must.  The seed is printed; SETTER_SEED
# repeats a run (its choices, not its times), SETTER_STEPS sets its length.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use JSON::XS;
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(sleep);

use Setter::Model;
use Setter::Queue;
use Setter::Redis;

my $seed = $ENV{SETTER_SEED} // (time ^ $$ << 8) % 1_000_000_000;
my $steps = $ENV{SETTER_STEPS} // 4000;
my $json = JSON::XS->new->canonical->allow_nonref;
my $bad_header = "1\tx";

diag("seed $seed");
srand $seed;

my $server = Setter::Redis->start;
my $redis = $server->client;
$server->load_library($redis);

my (@partitions, $step, $serial, %owner);
my %count = map { $_ => 0 } qw(complete fail crashed dead stale more scan
    drained);
my @operations = (
    [append => 40], [claim => 24], [complete => 15], [fail => 10],
    [extend => 4], [more => 12], [stale => 3], [pause => 4], [burst => 1],
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
ok($count{scan} > 100, "$count{scan} scans agreed with model and invariants");
ok($count{drained} > 500, "$count{drained} jobs, each completed exactly once");
done_testing;

# One life of a Redis with 1 to 3 partitions.
sub rounds {
    my ($round, $n) = @_;
    my $count = 1 + $round % 3;

    $redis->flushall;
    @partitions = map { partition($_) } 1 .. $count;
    for (1 .. $n) {
        $step = "round $round, step $_";
        my $partition = $partitions[rand @partitions];
        my $operation = pick();
        no strict 'refs';
        &{"do_$operation"}($partition);
        scan($partition) if rand() < 0.1;
    }
    $step = "round $round, at the end";
    drain($_) for @partitions;
}

sub partition {
    my ($number) = @_;
    my $queue = Setter::Queue->new($redis, tag => "p$number",
        lease_ms => 80, turn_jobs => 4, turn_bytes => 400,
        max_failures => 3, max_crashes => 3);
    my $model = Setter::Model->new;
    my @slugs = map { "t$number-$_" } 'a' .. 'd';

    # one tenant has a low cap, one a weight
    settings($queue, $model, $slugs[1], cap => 2);
    settings($queue, $model, $slugs[2], weight => 3);

    # the grace of a Redis that has just come up is not for here
    $queue->claim(slots => 0);
    $redis->hset($queue->key('state'), grace => 0);

    return { queue => $queue, model => $model, slugs => \@slugs,
        held => [], stale => [], ids => [] };
}

sub settings {
    my ($queue, $model, $slug, $name, $value) = @_;

    $redis->hset($queue->key("tenant:$slug"), $name => $value);
    $model->tenant($slug)->{$name} = $value;
}

sub pick {
    my $at = rand sum0 map { $_->[1] } @operations;

    for (@operations) {
        return $_->[0] if ($at -= $_->[1]) < 0;
    }
}

sub one_of { $_[rand @_] }

# Takes one of the turns in hand out of the list.
sub take {
    my ($partition) = @_;
    my $held = $partition->{held};

    return @$held ? splice @$held, rand @$held, 1 : undef;
}


# Operations

sub do_append {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $slug = one_of(@{ $partition->{slugs} });
    my $chance = rand;
    my %job = (
        id => sprintf('job-%d', ++$serial), tenant => $slug,
        lane => "$slug/conv/" . int rand 5,
        kind => one_of(qw(message message message status)),
        debounce_ms => one_of(0, 0, 5, 20),
        debounce_max_ms => one_of(0, 30),
        send_at_ms => rand() < 0.1 ? $queue->now + int rand(40) - 10 : 0,
        envelope => 'x' x (1 + rand 200),
    );

    # a repeat of an earlier id; what cannot be read; a doorbell
    $job{id} = one_of(@{ $partition->{ids} })
        if $chance < 0.05 && @{ $partition->{ids} };
    my $header = $chance > 0.98 ? $bad_header : $chance > 0.97 ? ''
        : $queue->header(%job);
    my $id = $redis->xadd($queue->key('inbox'), '*', h => $header,
        j => $job{envelope});

    $model->append({
        %job, at => $id =~ s/-.*//r, header => $header,
        element => "$header\n$job{envelope}",
        bad => $header eq $bad_header, bell => $header eq '',
    });
    push @{ $partition->{ids} }, $job{id} if $header =~ /job/
        && !$owner{$partition}{ $job{id} }++;
}

sub do_burst {
    my ($partition) = @_;

    do_append($partition) for 1 .. 20 + rand 120;
}

sub do_pause { sleep 0.001 * rand 25 }

sub do_claim {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $worker = one_of(qw(w1 w2 w3));
    my %args = (slots => int rand 6, suspect => int rand 2);

    my $got = $queue->claim(%args, worker => $worker);
    my $before = $model->{token};
    my ($next, $rejected, @turns) = $model->claim($got->{now},
        { %$queue, %args });

    agree(claim => [map { seen($_) } @{ $got->{turns} }], \@turns);
    agree(next => $got->{next}, $next);
    agree(rejected => $got->{rejected}, $rejected);

    for my $turn (@{ $got->{turns} }) {
        wrong("token $turn->{token} after $before") if $turn->{token} <= $before;
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

    delete $seen{token};
    $seen{ids} = [map { $_->{id} } @{ delete $seen{jobs} }];

    return \%seen;
}

sub do_complete {
    my ($partition) = @_;
    my $turn = take($partition) or return;

    complete($partition, $turn);
    push @{ $partition->{stale} }, $turn;
}

sub complete {
    my ($partition, $turn, @follow_up) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my $holds = $model->holds($turn);
    my $quiet = ($model->{lanes}{ $turn->{lane} } // {})->{quiet} // 0;

    my $from = $queue->now;
    agree(complete => $queue->complete($turn), $holds);
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
    my $turn = take($partition) or return;
    my %how = (delay_ms => int rand 15, counted => int rand 3 ? 1 : 0,
        reason => 'reason ' . int rand 3);

    push @{ $partition->{stale} }, $turn;
    my $holds = $model->holds($turn);
    my $from = $queue->now;
    agree(fail => $queue->fail($turn, %how), $holds);
    return unless $holds;

    my $due = score($queue, due => $turn, $from + $how{delay_ms},
        $queue->now + $how{delay_ms});
    $model->fail($turn, $due, @how{qw(counted reason)});
    $count{fail}++;
}

sub do_extend {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my @turns = (@{ $partition->{held} }, one_of(@{ $partition->{stale} }));

    @turns = grep { $_ } @turns;
    return unless @turns;

    my $from = $queue->now;
    my @got = $queue->extend(@turns);
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

# Everything that was accepted is completed in the end.
sub drain {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};

    for (1 .. 400) {
        do_claim($partition);
        complete($partition, $_) for splice @{ $partition->{held} };
        last if !@{ $model->{inbox} } && !@{ $model->{later} }
            && !grep { @{ $_->{jobs} } } values %{ $model->{lanes} };
        sleep 0.001;
    }
    my $keys = scan($partition);
    agree(left => [sort grep { !/^tenant:/ } keys %$keys],
        [qw(inbox state)]);
    agree(completed => [sort keys %{ $model->{completed} }],
        [sort @{ $partition->{ids} }]);
    $count{drained} += keys %{ $model->{completed} };
}


# Checks

sub scan {
    my ($partition) = @_;
    my ($queue, $model) = @$partition{qw(queue model)};
    my ($got, $want) = ($queue->scan, $model->keys);
    my %names = (%$got, %$want);

    invariants($partition, $got);
    agree("key $_" => $got->{$_}, $want->{$_}) for sort keys %names;
    $count{scan}++;

    return $got;
}

# From the keyspace alone, without the model's view of it.
sub invariants {
    my ($partition, $keys) = @_;
    my $model = $partition->{model};
    my (%places, %state, %waiting, %flight, %ready);

    # a job accepted is in exactly one place
    $places{$_}++ for keys %{ $model->{completed} };
    $places{ (split /\t/)[1] }++ for map { @{ $keys->{$_} } }
        grep { /^lane:/ } keys %$keys;
    $places{$_}++ for keys %{ $keys->{later} // {} };
    my %inbox = map { ((split /\t/)[1] => 1) }
        grep { /job/ } @{ $keys->{inbox} };
    for my $id (@{ $partition->{ids} }) {
        my $places = $places{$id} // ($inbox{$id} ? 1 : 0);
        wrong("job $id is in $places places") if $places != 1;
    }

    # a lane with jobs is in exactly one state, one without in none, and only
    # a leased one has a token
    $state{$_} .= ' due' for keys %{ $keys->{due} // {} };
    $state{$_} .= ' leased' for keys %{ $keys->{leased} // {} };
    $state{$_} .= ' suspect' for @{ $keys->{suspects} // [] };
    for my $list (grep { /^ready:/ } keys %$keys) {
        $state{$_} .= ' ready' for @{ $keys->{$list} };
        $ready{ substr $list, 6 } = @{ $keys->{$list} };
    }
    for my $lane (map { substr $_, 5 } grep { /^lane:/ } keys %$keys) {
        my $state = delete $state{$lane} // '';
        my $claim = $keys->{"claim:$lane"} // {};
        my $slug = $lane =~ s{/.*}{}r;
        my $jobs = @{ $keys->{"lane:$lane"} };

        wrong("lane $lane is$state") if $state !~ /^ \w+$/;
        wrong("token of $lane,$state") if defined $claim->{token}
            != ($state eq ' leased');
        if ($state eq ' leased') {
            $flight{$slug}++;
            $jobs -= split / /, $claim->{ids};
        }
        $waiting{$slug} += $jobs;
    }
    wrong('states of lanes without jobs: ' . join ' ', %state) if %state;

    # counters equal what was counted
    for my $slug (@{ $partition->{slugs} }) {
        my ($backlog, $tenant) = @$keys{'backlog', "tenant:$slug"};
        agree("counters of $slug",
            [$backlog->{$slug} // 0, $tenant->{flight} // 0],
            [$waiting{$slug} // 0, $flight{$slug} // 0]);
    }
    agree(sums => [map { $keys->{state}{$_} // 0 } qw(waiting ready)],
        [sum0(values %waiting), sum0(values %ready)]);
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
