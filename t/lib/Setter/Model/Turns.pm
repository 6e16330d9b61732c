package Setter::Model;

# Of the model: how turns are handed out, and how they end.

use strict;
use warnings;

use List::Util qw(max min);

# Handing out

# All that claim does, at Redis's time now.  args: slots suspect lease_ms
# turn_jobs turn_bytes max_failures max_crashes; slug: of a take.  Returns
# next_ms, how many entries were rejected, and the turns.
sub claim {
    my ($self, $now, $args, $slug) = @_;
    my $rejected = $self->{rejected};
    my ($left, $next, $ring) = $self->move_on($now);
    my $call = { %$args, now => $now, ring => $ring, turns => [] };

    if (defined $slug) {
        $left = $self->take($call, $slug) || $left;
    } else {
        $left = $self->hand_out($call) || $left;
    }
    $self->ring if $call->{ring};

    my @turns = @{ $call->{turns} };
    $next = min($next, $now + $args->{lease_ms}) if @turns;

    return ($left ? 0 : $next == NEVER ? -1 : max(0, $next - $now),
        $self->{rejected} - $rejected, @turns);
}

sub in_line {
    my ($self, $class) = @_;

    return sort { $a->{$class}{tag} <=> $b->{$class}{tag}
        || $a->{$class}{served} <=> $b->{$class}{served}
        || $a->{slug} cmp $b->{slug} }
        grep { defined $_->{$class}{tag} } values %{ $self->{tenants} };
}

# Lane by lane, from the tenant that is first in its line.  Returns whether
# something is left to claim.
sub hand_out {
    my ($self, $call) = @_;
    my $slots = min($call->{slots}, TURNS);
    my ($turns, $served) = ($call->{turns}, 0);

    if ($call->{suspect} && $slots) {
        while (my $name = shift @{ $self->{suspects} }) {
            last if $self->lease($call, $name, 'suspect');
        }
    }
    while (@$turns < $slots) {
        my ($reply) = $self->in_line('reply');
        my ($bulk) = $self->in_line('bulk');
        my $class = !$bulk || $reply && $self->{replies} < REPLIES
            ? 'reply' : 'bulk';
        my $tenant = $class eq 'reply' ? $reply : $bulk;

        last if !$tenant;

        my $n = @$turns;
        $self->serve($call, $tenant, $class);
        $tenant->{$class}{served} = ++$served if @$turns > $n;
    }
    $_->{reply}{served} = $_->{bulk}{served} = 0
        for values %{ $self->{tenants} };

    my @left = map { $self->in_line($_) } qw(reply bulk);

    return @left > 0;
}

sub serve {
    my ($self, $call, $tenant, $class) = @_;
    my $its = $tenant->{$class};
    my $tag = $its->{tag};

    $its->{tag} = undef;
    if (!$self->full($tenant, $class)
        && $self->lease($call, shift @{ $its->{ready} }, $class))
    {
        $self->{clock}{$class} = max($self->{clock}{$class}, $tag);
        $self->{replies} = $class eq 'bulk' ? 0
            : min(REPLIES, $self->{replies} + 1);
        $tag += max(1, int(COST / setting($tenant, 'weight')));
        $its->{finish} = $tag;
    }
    return if !@{ $its->{ready} };
    if ($self->full($tenant, $class)) {
        $tenant->{capped} = 1;
    } else {
        $its->{tag} = $tag;
    }
}

# Returns whether something is left to take.
sub take {
    my ($self, $call, $slug) = @_;
    my $tenant = $self->tenant($slug);
    my $may = sub { !setting($tenant, 'held')
        && !$self->full($tenant, 'reply') && @{ $tenant->{outside} } };

    $call->{outside} = 1;
    for (1 .. TAKE) {
        last if @{ $call->{turns} } || !$may->();
        $self->lease($call, shift @{ $tenant->{outside} }, 'outside');
    }

    return $may->();
}

# The longest prefix of one kind within the turn's bounds, or one job.
sub turn_length {
    my ($args, @jobs) = @_;
    my ($n, $size) = (0, 0);

    for my $job (@jobs) {
        $size += length $job->{element};
        last if $n && ($n >= $args->{turn_jobs}
            || $size > $args->{turn_bytes}
            || turn_kind($job) ne turn_kind($jobs[0]));
        $n++;
    }

    return $n;
}

# Returns whether the lane is a turn: it may belong elsewhere meanwhile, or be
# given up.
sub lease {
    my ($self, $call, $name, $from) = @_;
    my $lane = $self->lane($name);

    if ($self->home($lane) ne $from) {
        $call->{ring} |= $self->make_ready($lane);
        return 0;
    }

    my $n = $lane->{handed} || turn_length($call, @{ $lane->{jobs} });
    my $dead = $lane->{failures} >= $call->{max_failures}
        || $lane->{crashes} >= $call->{max_crashes} ? 1 : 0;
    if ($dead && $call->{outside}) {
        my $reason = $lane->{reason} =~ s/ /%20/gr;
        $self->record($lane, $n, "status=dead,reason=$reason");
        $call->{ring} = 1;
        return 0;
    }

    $lane->{handed} = $n;
    $lane->{state} = 'leased';
    $lane->{outside} = 1 if $call->{outside};
    $lane->{lease_end} = $call->{now} + $call->{lease_ms};

    push @{ $call->{turns} }, {
        lane => $name, failures => $lane->{failures},
        crashes => $lane->{crashes}, reason => $lane->{reason},
        dead => $dead,
        ids => [map { $_->{id} } @{ $lane->{jobs} }[0 .. $n - 1]],
    };
    return 1;
}

# What claim gave goes on record: its token and who has it.
sub given {
    my ($self, $name, $token, $worker) = @_;

    @{ $self->lane($name) }{qw(token worker)} = ($token, $worker);
    $self->{token} = $token;
}


# Turns that end

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

# Jobs that tell what became of the first n take their places in the lane,
# which may run.
sub record {
    my ($self, $lane, $n, $flags) = @_;

    for my $job (@{ $lane->{jobs} }[0 .. $n - 1]) {
        my $envelope = $job->{element} =~ s/^[^\n]*\n//r;
        my %record = (%$job, id => "$job->{id}-r", kind => 'record',
            debounce_ms => 0, debounce_max_ms => 0, send_at_ms => 0);

        $record{header} = join "\t", 1, @record{qw(id slug kind lane
            received_ms)}, 0, 0, 0, $flags;
        $record{element} = "$record{header}\n$envelope";
        $self->{completed}{ $job->{id} }++;
        $self->{accepted}{ $record{id} }++;
        $job = \%record;
    }
    @$lane{qw(handed failures crashes reason)} = (0, 0, 0, '');
    $lane->{quiet} //= 0;
    $self->make_ready($lane);
}

# The jobs handed over are done with.  Returns 1 when others have to be told.
sub drop {
    my ($self, $lane, $now) = @_;
    my ($done, @rest) = ($lane->{handed}, @{ $lane->{jobs} });

    delete $self->{lanes}{ $lane->{name} };
    $self->{completed}{ $_->{id} }++ for splice @rest, 0, $done;
    return 0 if !@rest;

    my $left = $self->lane($lane->{name});
    $left->{jobs} = \@rest;
    if (($lane->{quiet} // 0) > $now) {
        @$left{qw(state cause due until)} = ('due', 'debounce',
            @$lane{qw(quiet limit)});
    } else {
        $self->make_ready($left);
    }
    return 1;
}

sub complete {
    my ($self, $turn, $now) = @_;
    my $lane = $self->lane($turn->{lane});
    my $outside = $lane->{outside};
    my $ring = $self->land($lane);

    if ($outside) {
        $self->record($lane, $lane->{handed}, 'status=done');
        $ring = 1;
    } else {
        $ring |= $self->drop($lane, $now);
    }
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

1;
