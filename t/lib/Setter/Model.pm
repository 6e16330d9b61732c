package Setter::Model;

# What a partition of the queue ought to be: the transitions of
# workers/queue/lanes/ written plainly over lists and hashes, with no
# thought for cost.  Times come from outside: those that Redis reported.
#
# A job is { id, lane, kind, element, at, debounce_ms, debounce_max_ms,
# send_at_ms }; in the inbox also { bad => 1 } for an entry that cannot be
# read and { bell => 1 } for a doorbell.

use strict;
use warnings;

use List::Util qw(max min sum0);

# the library's own
use constant { SORT => 100, TAKE => 100, TURNS => 100, COST => 1000,
    SUSPECT => 2, CAP => 200, REPLIES => 9, NEVER => 9e15 };

sub new {
    my ($class) = @_;

    return bless {
        inbox => [], lanes => {}, tenants => {}, suspects => [], later => [],
        seen => {}, completed => {}, rejected => 0, clock => 0, arrival => 0,
        token => 0, replies => 0,
    }, $class;
}

sub append { push @{ $_[0]{inbox} }, $_[1] }

sub ring { $_[0]->append({ bell => 1 }) }

# A lane is idle, due, ready, suspect or leased.  handed: how many of its jobs
# were handed over.
sub lane {
    my ($self, $name) = @_;

    return $self->{lanes}{$name} //= {
        name => $name, slug => $name =~ s{/.*}{}r, jobs => [],
        state => 'idle', handed => 0, failures => 0, crashes => 0,
        reason => '',
    };
}

# tag: where it stands in the line of tenants, if it does
sub tenant {
    my ($self, $slug) = @_;

    return $self->{tenants}{$slug} //= {
        slug => $slug, ready => [], finish => 0, capped => 0, tag => undef,
        weight => undef, cap => undef, served => 0,
    };
}

sub lanes_in {
    my ($self, $state) = @_;

    return grep { $_->{state} eq $state } values %{ $self->{lanes} };
}

sub flight {
    my ($self, $slug) = @_;

    return scalar grep { $_->{slug} eq $slug } $self->lanes_in('leased');
}

sub waiting {
    my ($self, $slug) = @_;

    return sum0 map { @{ $_->{jobs} }
        - ($_->{state} eq 'leased' ? $_->{handed} : 0) }
        grep { $_->{slug} eq $slug } values %{ $self->{lanes} };
}

sub full {
    my ($self, $tenant) = @_;

    return $self->flight($tenant->{slug}) >= ($tenant->{cap} // CAP);
}

sub enter {
    my ($self, $tenant) = @_;

    $tenant->{capped} = $self->full($tenant) ? 1 : 0;
    return if $tenant->{capped};
    $self->{arrival} = max($self->{clock}, $self->{arrival} + 1);
    $tenant->{tag} = max($self->{arrival}, $tenant->{finish});
}

# Returns 1 when others have to be told.
sub make_ready {
    my ($self, $lane, $front) = @_;
    my $tenant = $self->tenant($lane->{slug});

    delete @$lane{qw(cause until due)};
    if ($lane->{crashes} >= SUSPECT) {
        $lane->{state} = 'suspect';
        push @{ $self->{suspects} }, $lane->{name};
        return 1;
    }

    $lane->{state} = 'ready';
    $self->enter($tenant) unless @{ $tenant->{ready} };
    splice @{ $tenant->{ready} }, $front ? 0 : @{ $tenant->{ready} }, 0,
        $lane->{name};
    return 0;
}

# The lane has left its worker's hands; a tenant with none in flight has no
# past.  Returns 1 when others have to be told.
sub land {
    my ($self, $lane) = @_;
    my $tenant = $self->tenant($lane->{slug});

    $lane->{state} = 'landed';
    delete @$lane{qw(token worker lease_end)};
    $tenant->{finish} = 0 unless $self->flight($tenant->{slug});
    return 0 if !$tenant->{capped} || $self->full($tenant);
    $self->enter($tenant);
    return 1;
}

sub limit {
    my ($job, $at) = @_;

    return $job->{debounce_max_ms} ? $at + $job->{debounce_max_ms} : NEVER;
}

sub join_lane {
    my ($self, $job, $at) = @_;
    my $lane = $self->lane($job->{lane});

    $self->tenant($lane->{slug});
    push @{ $lane->{jobs} }, $job;
    if ($lane->{state} eq 'idle') {
        return $self->make_ready($lane) unless $job->{debounce_ms};
        $lane->{state} = 'due';
        $lane->{cause} = 'debounce';
        $lane->{until} = limit($job, $at);
        $lane->{due} = min($at + $job->{debounce_ms}, $lane->{until});

    } elsif (!$job->{debounce_ms}) {
        return;

    } elsif (($lane->{cause} // '') eq 'debounce') {
        $lane->{due} = max($lane->{due},
            min($at + $job->{debounce_ms}, $lane->{until}))
            if $at <= $lane->{due};

    } elsif ($lane->{handed}) {
        $lane->{limit} //= limit($job, $at);
        $lane->{quiet} = max($lane->{quiet} // 0,
            min($at + $job->{debounce_ms}, $lane->{limit}));
    }
}

sub sort_inbox {
    my ($self, $now) = @_;

    for my $job (splice @{ $self->{inbox} }, 0, SORT) {
        next if $job->{bell};
        if ($job->{bad}) {
            $self->{rejected}++;
        } elsif ($self->{seen}{ $job->{id} }++) {
            next;
        } elsif ($job->{send_at_ms} > $now) {
            push @{ $self->{later} }, $job;
        } else {
            $self->join_lane($job, $job->{at});
        }
    }
}

# By score, then by name: the order of a sorted set.
sub due_now {
    my ($now, $score, $name, @items) = @_;
    my @due = sort { $a->{$score} <=> $b->{$score}
        || $a->{$name} cmp $b->{$name} }
        grep { $_->{$score} <= $now } @items;

    return splice @due, 0, TAKE;
}

# All that claim does, at Redis's time now.  args: slots suspect lease_ms
# turn_jobs turn_bytes max_failures max_crashes.  Returns next_ms, how many
# entries were rejected, and the turns.
sub claim {
    my ($self, $now, $args) = @_;
    my $rejected = $self->{rejected};
    my $ring = 0;

    for my $job (due_now($now, 'send_at_ms', 'id', @{ $self->{later} })) {
        @{ $self->{later} } = grep { $_ != $job } @{ $self->{later} };
        $self->join_lane($job, $job->{send_at_ms});
    }
    $self->sort_inbox($now);
    for my $lane (due_now($now, 'lease_end', 'name',
            $self->lanes_in('leased')))
    {
        $lane->{crashes}++;
        $lane->{reason} = 'the worker was lost';
        $ring |= $self->land($lane);
        $ring |= $self->make_ready($lane, 1);
    }
    for my $lane (due_now($now, 'due', 'name', $self->lanes_in('due'))) {
        $ring |= $self->make_ready($lane);
    }

    my @turns = $self->hand_out($now, $args);
    my $next = $self->next_ms($now);
    $self->ring if $ring;

    return ($next, $self->{rejected} - $rejected, @turns);
}

sub hand_out {
    my ($self, $now, $args) = @_;
    my $slots = min($args->{slots}, TURNS);
    my @turns;

    if ($args->{suspect} && $slots && @{ $self->{suspects} }) {
        push @turns, $self->lease(shift @{ $self->{suspects} }, $now, $args);
    }
    my $served = 0;
    while (@turns < $slots and my $tenant = $self->lowest) {
        my $tag = delete $tenant->{tag};

        $tenant->{served} = ++$served;

        if (!$self->full($tenant)) {
            push @turns, $self->lease(shift @{ $tenant->{ready} }, $now,
                $args);
            $self->{clock} = max($self->{clock}, $tag);
            $self->{replies} = min(REPLIES, $self->{replies} + 1);
            $tag += max(1, int(COST / ($tenant->{weight} // 1)));
            $tenant->{finish} = $tag;
        }
        if (@{ $tenant->{ready} }) {
            $tenant->{capped} = $self->full($tenant) ? 1 : 0;
            $tenant->{tag} = $tag unless $tenant->{capped};
        }
    }

    $_->{served} = 0 for values %{ $self->{tenants} };
    return @turns;
}

sub in_line { grep { defined $_->{tag} } values %{ $_[0]{tenants} } }

# One that was served in this claim is behind others of its tag.
sub lowest {
    my ($self) = @_;

    return (sort { $a->{tag} <=> $b->{tag} || $a->{served} <=> $b->{served}
        || $a->{slug} cmp $b->{slug} } $self->in_line)[0];
}

# The longest prefix of one kind within the turn's bounds, or one job.
sub turn_length {
    my ($args, @jobs) = @_;
    my ($n, $size) = (0, 0);

    for my $job (@jobs) {
        $size += length $job->{element};
        last if $n && ($n >= $args->{turn_jobs}
            || $size > $args->{turn_bytes} || $job->{kind} ne $jobs[0]{kind});
        $n++;
    }

    return $n;
}

sub lease {
    my ($self, $name, $now, $args) = @_;
    my $lane = $self->lane($name);

    $lane->{handed} ||= turn_length($args, @{ $lane->{jobs} });
    $lane->{state} = 'leased';
    $lane->{lease_end} = $now + $args->{lease_ms};

    return {
        lane => $name, failures => $lane->{failures},
        crashes => $lane->{crashes}, reason => $lane->{reason},
        dead => $lane->{failures} >= $args->{max_failures}
            || $lane->{crashes} >= $args->{max_crashes} ? 1 : 0,
        ids => [map { $_->{id} } @{ $lane->{jobs} }[0 .. $lane->{handed} - 1]],
    };
}

sub next_ms {
    my ($self, $now) = @_;

    return 0 if @{ $self->{inbox} } || $self->in_line;
    my @at = (
        (map { $_->{send_at_ms} } @{ $self->{later} }),
        (map { $_->{due} } $self->lanes_in('due')),
        (map { $_->{lease_end} } $self->lanes_in('leased')),
    );

    return @at ? max(0, min(@at) - $now) : -1;
}

# What claim gave goes on record: its token and who has it.
sub given {
    my ($self, $name, $token, $worker) = @_;

    @{ $self->lane($name) }{qw(token worker)} = ($token, $worker);
    $self->{token} = $token;
}

# The token is the lane's.
sub holds {
    my ($self, $turn) = @_;
    my $lane = $self->{lanes}{ $turn->{lane} } or return 0;

    return $lane->{state} eq 'leased' && $lane->{token} eq $turn->{token}
        ? 1 : 0;
}

# Returns the ids that came.
sub more {
    my ($self, $turn, $args) = @_;
    my $lane = $self->lane($turn->{lane});
    my $n = turn_length($args, @{ $lane->{jobs} });
    my @added = @{ $lane->{jobs} }[$lane->{handed} .. $n - 1];

    if (@added) {
        $lane->{handed} = $n;
        delete @$lane{qw(quiet limit)};
    }

    return map { $_->{id} } @added;
}

sub complete {
    my ($self, $turn, $now, @follow_up) = @_;
    my $lane = delete $self->{lanes}{ $turn->{lane} };
    my ($done, @rest) = ($lane->{handed}, @{ $lane->{jobs} });

    $self->{completed}{ $_->{id} }++ for splice @rest, 0, $done;
    my $ring = $self->land($lane);

    if (@rest) {
        my $left = $self->lane($lane->{name});
        $left->{jobs} = \@rest;
        if (($lane->{quiet} // 0) > $now) {
            @$left{qw(state cause due until)} = ('due', 'debounce',
                @$lane{qw(quiet limit)});
        } else {
            $self->make_ready($left);
        }
        $ring = 1;
    }
    $self->append($_) for @follow_up;
    $self->ring if $ring;
}

sub fail {
    my ($self, $turn, $due, $counted, $reason) = @_;
    my $lane = $self->lane($turn->{lane});

    $lane->{failures} += $counted;
    $lane->{reason} = $reason;
    $self->land($lane);
    @$lane{qw(state cause due)} = ('due', 'retry', $due);
    $self->ring;
}

# The keys the partition ought to have, as Setter::Queue's scan gives them.
sub keys {
    my ($self) = @_;
    my @lanes = grep { @{ $_->{jobs} } } values %{ $self->{lanes} };
    my @tenants = values %{ $self->{tenants} };
    my %flight = map { $_->{slug} => $self->flight($_->{slug}) } @tenants;
    my %waiting = map { $_->{slug} => $self->waiting($_->{slug}) } @tenants;
    my @leased = grep { $_->{state} eq 'leased' } @lanes;
    my %keys = (
        inbox => [map { $_->{bell} ? '' : $_->{header} } @{ $self->{inbox} }],
        suspects => [@{ $self->{suspects} }],
        due => { map { $_->{name} => $_->{due} }
            grep { defined $_->{due} } @lanes },
        later => { map { $_->{id} => $_->{send_at_ms} } @{ $self->{later} } },
        delayed => { map { $_->{id} => $_->{element} } @{ $self->{later} } },
        leased => { map { $_->{name} => $_->{lease_end} } @leased },
        jobs => { map { my $lane = $_; map { $_->{id} => $lane->{name} }
            @{ $lane->{jobs} }[0 .. $lane->{handed} - 1] } @leased },
        tenants => { map { $_->{slug} => $_->{tag} } $self->in_line },
        capped => [sort map { $_->{slug} } grep { $_->{capped} } @tenants],
        backlog => { map { $_ => $waiting{$_} }
            grep { $waiting{$_} } CORE::keys %waiting },
        state => {
            token => $self->{token}, clock => $self->{clock},
            arrival => $self->{arrival}, rejected => $self->{rejected},
            replies => $self->{replies},
            waiting => sum0(values %waiting),
            ready => sum0(map { scalar @{ $_->{ready} } } @tenants),
        },
    );

    for my $lane (@lanes) {
        $keys{"lane:$lane->{name}"} = [map { $_->{element} }
            @{ $lane->{jobs} }];
        $keys{"claim:$lane->{name}"} = claim_fields($lane);
    }
    for my $tenant (@tenants) {
        my $slug = $tenant->{slug};
        $keys{"ready:$slug"} = [@{ $tenant->{ready} }];
        $keys{"tenant:$slug"} = {
            (map { defined $tenant->{$_} ? ($_ => $tenant->{$_}) : () }
                qw(weight cap)),
            $flight{$slug} ? (flight => $flight{$slug},
                finish => $tenant->{finish}) : (),
        };
    }

    delete @{ $keys{state} }{ grep { !$keys{state}{$_} }
        CORE::keys %{ $keys{state} } };

    # what is empty is not there, but for the inbox and the state
    delete @keys{ grep { !/^(?:inbox|state)$/
        && !(ref $keys{$_} eq 'HASH' ? %{ $keys{$_} } : @{ $keys{$_} }) }
        CORE::keys %keys };

    return \%keys;
}

sub claim_fields {
    my ($lane) = @_;
    my %fields = map { defined $lane->{$_} ? ($_ => $lane->{$_}) : () }
        qw(cause until token worker quiet limit);

    $fields{ids} = join ' ', map { $_->{id} }
        @{ $lane->{jobs} }[0 .. $lane->{handed} - 1] if $lane->{handed};
    $lane->{$_} and $fields{$_} = $lane->{$_}
        for qw(failures crashes reason);

    return \%fields;
}

1;
