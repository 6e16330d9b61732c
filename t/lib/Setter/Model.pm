package Setter::Model;

# What a partition of the queue ought to be: the transitions of
# workers/queue/lanes/ written plainly over lists and hashes, with no thought
# for cost.  Times come from outside: those that Redis reported.
#
# A job is { id, slug, lane, kind, element, at, received_ms, debounce_ms,
# debounce_max_ms, send_at_ms, again, over }; in the inbox also { bad => 1 }
# for an entry that cannot be read and { bell => 1 } for a doorbell.

use strict;
use warnings;

use List::Util qw(max min sum0);
use POSIX qw(ceil);

use Setter::Model::Keys ();

# the library's own
use constant { SORT => 100, TAKE => 100, TURNS => 100, COST => 1000,
    SUSPECT => 2, CAP => 200, REPLIES => 9, NEVER => 9e15,
    DAY_MS => 86_400_000 };

use Setter::Model::Turns ();

my %BULK = map { $_ => 1 } qw(campaign ingest sync);

my %DEFAULT = (weight => 1, cap => CAP, day => 0, minute => 0, outside => 0,
    held => 0);

sub new {
    my ($class) = @_;

    return bless {
        inbox => [], lanes => {}, tenants => {}, suspects => [], later => {},
        held => {}, moving => [], seen => {}, accepted => {}, completed => {},
        rejected => 0, token => 0, replies => 0,
        clock => { reply => 0, bulk => 0 }, arrival => { reply => 0,
            bulk => 0 },
    }, $class;
}

sub keys { Setter::Model::Keys::keys_of($_[0]) }

sub append { push @{ $_[0]{inbox} }, $_[1] }

sub ring { $_[0]->append({ bell => 1 }) }

# A lane is idle, due, ready (also: on its way to another list), suspect,
# outside, held or leased.  handed: how many of its jobs were handed over.
sub lane {
    my ($self, $name) = @_;
    my ($slug, $kind) = split m{/}, $name;

    return $self->{lanes}{$name} //= {
        name => $name, slug => $slug, jobs => [], state => 'idle',
        class => $BULK{$kind} ? 'bulk' : 'reply',
        handed => 0, failures => 0, crashes => 0, reason => '',
    };
}

# Of each class: lanes that are ready, the end tag of the last turn, and the
# tag with which it stands in line, if it does; served: its place among those
# of one tag.
sub tenant {
    my ($self, $slug) = @_;

    return $self->{tenants}{$slug} //= {
        slug => $slug, outside => [], capped => 0, set => {}, used => 0,
        map { $_ => { ready => [], finish => 0, tag => undef, served => 0 } }
            qw(reply bulk),
    };
}

sub setting {
    my ($tenant, $name) = @_;

    return $tenant->{set}{$name} // $DEFAULT{$name};
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

sub limit {
    my ($tenant, $class) = @_;
    my $cap = setting($tenant, 'cap');

    return $class eq 'reply' ? $cap : max(1, $cap - ceil($cap / 10));
}

sub full {
    my ($self, $tenant, $class) = @_;

    return $self->flight($tenant->{slug}) >= limit($tenant, $class);
}

sub enter {
    my ($self, $tenant, $class) = @_;
    my $clock = $self->{clock}{$class};

    return if setting($tenant, 'held');
    if ($self->full($tenant, $class)) {
        $tenant->{capped} = 1;
        return;
    }
    $self->{arrival}{$class} = max($clock, $self->{arrival}{$class} + 1);
    $tenant->{$class}{tag} = max($self->{arrival}{$class},
        $tenant->{$class}{finish});
}

# In line or not, as hold and cap have it.  Returns 1 when others have to be
# told.
sub settle {
    my ($self, $tenant) = @_;
    my $ring = 0;

    $tenant->{capped} = 0;
    for my $class (qw(reply bulk)) {
        my $its = $tenant->{$class};
        my $may = !setting($tenant, 'held') && !$self->full($tenant, $class);

        $its->{tag} = undef if !$may;
        if (!defined $its->{tag} && @{ $its->{ready} }) {
            $self->enter($tenant, $class);
            $ring = 1 if $may;
        }
    }

    return $ring;
}

# The lane has left its worker's hands; a tenant with none in flight has no
# past.  Returns 1 when others have to be told.
sub land {
    my ($self, $lane) = @_;
    my $tenant = $self->tenant($lane->{slug});
    my $flight = $self->flight($lane->{slug});

    $lane->{state} = 'landed';
    delete @$lane{qw(token worker outside lease_end)};
    if ($flight == 1) {
        $tenant->{$_}{finish} = 0 for qw(reply bulk);
    }
    return 0 if $flight < limit($tenant, 'bulk') || !$tenant->{capped};
    return $self->settle($tenant);
}

# What the jobs of a turn have in common.
sub turn_kind { $_[0]{kind} . ($_[0]{over} ? ' over' : '') }

# Where a lane belongs that may run.
sub home {
    my ($self, $lane) = @_;
    my $tenant = $self->tenant($lane->{slug});

    return 'held' if defined $self->{held}{ $lane->{name} };
    return 'outside' if setting($tenant, 'outside')
        && turn_kind($lane->{jobs}[0]) eq 'message';
    return 'suspect' if $lane->{crashes} >= SUSPECT
        && !setting($tenant, 'held');
    return $lane->{class};
}

# Returns 1 when others have to be told.
sub make_ready {
    my ($self, $lane, $front) = @_;
    my $tenant = $self->tenant($lane->{slug});
    my $home = $self->home($lane);

    delete @$lane{qw(cause until due)};
    if ($home eq 'held') {
        $lane->{state} = 'held';
        $self->{held}{ $lane->{name} } = 1;
        return 0;
    }
    if ($home eq 'suspect') {
        $lane->{state} = 'suspect';
        push @{ $self->{suspects} }, $lane->{name};
        return 1;
    }

    my $list = $home eq 'outside' ? $tenant->{outside}
        : $tenant->{$home}{ready};
    splice @$list, $front ? 0 : @$list, 0, $lane->{name};
    $lane->{state} = $home eq 'outside' ? 'outside' : 'ready';
    $self->enter($tenant, $home) if $home ne 'outside' && @$list == 1;
    return 0;
}


# Jobs into lanes

sub window_limit {
    my ($job, $at) = @_;

    return $job->{debounce_max_ms} ? $at + $job->{debounce_max_ms} : NEVER;
}

sub join_lane {
    my ($self, $job, $at) = @_;
    my $lane = $self->lane($job->{lane});

    push @{ $lane->{jobs} }, $job;
    if ($lane->{state} eq 'idle') {
        return $self->make_ready($lane) unless $job->{debounce_ms};
        $lane->{state} = 'due';
        $lane->{cause} = 'debounce';
        $lane->{until} = window_limit($job, $at);
        $lane->{due} = min($at + $job->{debounce_ms}, $lane->{until});

    } elsif (!$job->{debounce_ms}) {
        return;

    } elsif (($lane->{cause} // '') eq 'debounce') {
        $lane->{due} = max($lane->{due},
            min($at + $job->{debounce_ms}, $lane->{until}))
            if $at <= $lane->{due};

    } elsif ($lane->{handed} || defined $lane->{quiet}) {
        $lane->{limit} //= window_limit($job, $at);
        $lane->{quiet} = max($lane->{quiet} // 0,
            min($at + $job->{debounce_ms}, $lane->{limit}));
    }
}

sub admit {
    my ($self, $job, $now, $at) = @_;

    $self->{accepted}{ $job->{id} }++;
    if ($job->{send_at_ms} > $now) {
        $self->{later}{ $job->{id} } = $job;
    } else {
        $self->join_lane($job, $at);
    }
}

# Whether the queue has the job, beside its inbox, or the one that records it.
sub knows {
    my ($self, $lane, $id) = @_;

    my @jobs = @{ ($self->{lanes}{$lane} // { jobs => [] })->{jobs} };

    return $self->{later}{$id} || grep({ $_->{id} =~ s/-r$//r eq $id } @jobs) ? 1 : 0;
}

# By the time received, behind what was handed over.  Jobs need not stand in
# that order: they came in theirs.
sub admit_again {
    my ($self, $job, $now) = @_;

    return if $self->knows($job->{lane}, $job->{id});

    my $lane = $self->lane($job->{lane});
    my ($from, $to) = ($lane->{handed}, scalar @{ $lane->{jobs} });
    while ($from < $to) {
        my $middle = int(($from + $to) / 2);

        if ($lane->{jobs}[$middle]{received_ms} > $job->{received_ms}) {
            $to = $middle;
        } else {
            $from = $middle + 1;
        }
    }
    if ($to == @{ $lane->{jobs} } || $job->{send_at_ms} > $now) {
        $self->admit($job, $now, $job->{at});
    } else {
        splice @{ $lane->{jobs} }, $to, 0, $job;
        $self->{accepted}{ $job->{id} }++;
    }
}

# Returns whether the job is one too many for the tenant's day.
sub over_quota {
    my ($self, $job, $now) = @_;
    my $tenant = $self->tenant($job->{slug});
    my $today = int($now / DAY_MS);
    my $day = setting($tenant, 'day');

    return 0 if $job->{kind} ne 'message' || !$day;
    if (($tenant->{today} // 0) != $today) {
        @$tenant{qw(today used)} = ($today, 0);
    }
    return 1 if $tenant->{used} >= $day;
    $tenant->{used}++;
    return 0;
}

sub sort_inbox {
    my ($self, $now) = @_;

    for my $job (splice @{ $self->{inbox} }, 0, SORT) {
        next if $job->{bell};
        if ($job->{bad}) {
            $self->{rejected}++;
        } elsif ($job->{again}) {
            $self->{seen}{ $job->{id} }++;
            $self->admit_again($job, $now);
        } elsif (!$self->{seen}{ $job->{id} }++) {
            if ($self->over_quota($job, $now)) {
                $job->{over} = 1;
                $job->{element} =~ s/\n/\tover\n/;
            }
            $self->admit($job, $now, $job->{at});
        }
    }
}


# What time, or a switch, moves on

# By score, then by name: the order of a sorted set.
sub due_now {
    my ($now, $score, $name, @items) = @_;
    my @due = sort { $a->{$score} <=> $b->{$score}
        || $a->{$name} cmp $b->{$name} }
        grep { $_->{$score} <= $now } @items;

    return splice @due, 0, TAKE;
}

# Returns whether some are left, and whether others have to be told.
sub bring_moving {
    my ($self) = @_;
    my $ring = 0;

    for (1 .. TAKE) {
        my ($list) = @{ $self->{moving} } or return (0, $ring);
        my $name = shift @{ $list->{lanes} };

        if (defined $name) {
            $ring |= $self->make_ready($self->lane($name));
        } else {
            shift @{ $self->{moving} };
        }
    }

    return (1, $ring);
}

# Returns whether something is left to be done at once, when time moves
# something on, and whether others have to be told.
sub move_on {
    my ($self, $now) = @_;
    my $ring = 0;

    for my $job (due_now($now, 'send_at_ms', 'id', values %{ $self->{later} }))
    {
        delete $self->{later}{ $job->{id} };
        $self->join_lane($job, $job->{send_at_ms});
    }
    $self->sort_inbox($now);
    my $left = @{ $self->{inbox} } > 0;
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
    my $next = min(NEVER, (map { $_->{send_at_ms} } values %{ $self->{later} }),
        (map { $_->{due} } $self->lanes_in('due')),
        (map { $_->{lease_end} } $self->lanes_in('leased')));
    my ($moving, $rings) = $self->bring_moving;

    return ($left || $moving, $next, $ring | $rings);
}


# Settings and holds

# name: of the list of lanes that move, where they do.
sub configure {
    my ($self, $slug, $name, %set) = @_;
    my $tenant = $self->tenant($slug);
    my $was = setting($tenant, 'outside');
    my $ring = 0;

    for (CORE::keys %set) {
        delete $tenant->{set}{$_};
        $tenant->{set}{$_} = $set{$_} if $set{$_} ne ''
            && $set{$_} != $DEFAULT{$_};
    }
    @$tenant{qw(today used)} = (undef, 0) if !setting($tenant, 'day');
    if ($was != setting($tenant, 'outside')) {
        my $list = $was ? $tenant->{outside} : $tenant->{reply}{ready};
        my @lanes = splice @$list;

        if (@lanes) {
            $tenant->{reply}{tag} = undef if !$was;
            $self->lane($_)->{state} = 'ready' for @lanes;
            push @{ $self->{moving} }, { name => $name, lanes => \@lanes };
            $self->{token} = $name;
            $ring = 1;
        }
        $ring |= ($self->bring_moving)[1];
    }
    $ring |= $self->settle($tenant);
    $self->ring if $ring;
}

sub hold {
    my ($self, $name) = @_;

    return 0 if defined $self->{held}{$name};
    $self->{held}{$name} = 0;
    return 1;
}

sub release {
    my ($self, $name) = @_;
    my $waits = delete $self->{held}{$name} // return 0;

    if ($waits) {
        $self->make_ready($self->lane($name));
        $self->ring;
    }
    return 1;
}

1;
