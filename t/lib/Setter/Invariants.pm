package Setter::Invariants;

# What must always hold of a partition's keys, checked on them alone: nothing
# of the model's view of them is used.

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(max sum0);
use POSIX qw(ceil);

our @EXPORT_OK = qw(check_invariants field);

# keys: as Setter::Queue's scan gives them.  slugs: the tenants there are.
# ids: every job ever appended to the inbox.  accepted and completed: how often
# each job was.
sub check_invariants {
    my ($keys, %known) = @_;

    places($keys, \%known);
    my ($waiting, $flight) = states($keys);
    lines($keys, $flight, @{ $known{slugs} });
    for my $slug (@{ $known{slugs} }) {
        equal("what waits of $slug", field($keys, backlog => $slug),
            $waiting->{$slug});
        equal("turns of $slug", field($keys, "tenant:$slug" => 'flight'),
            $flight->{$slug});
    }
    my %sum = map { my $list = $_;
        ($list => sum0 map { scalar @{ $keys->{$_} } }
            grep { /^$list:/ } keys %$keys) } qw(ready bulk moving outside);
    equal('what waits', $keys->{state}{waiting}, sum0 values %$waiting);
    equal('lanes ready', $keys->{state}{ready},
        $sum{ready} + $sum{bulk} + $sum{moving});
    equal('lanes outside', $keys->{state}{outside}, $sum{outside});
}

# A counter; none is 0.
sub equal {
    my ($what, $counter, $counted) = map { $_ // 0 } @_;

    die "$what: $counter, and counted $counted\n" if $counter != $counted;
}

# Of a hash or a sorted set that need not be there.
sub field {
    my ($keys, $name, $field) = @_;

    return ($keys->{$name} // {})->{$field};
}

# A job that was accepted is in exactly one place, for each time that it was.
sub places {
    my ($keys, $known) = @_;
    my %places = %{ $known->{completed} };
    my %later = %{ $keys->{later} // {} };
    my %inbox = map { ((split /\t/)[1] // '' => 1) } @{ $keys->{inbox} };

    $places{$_}++ for keys %later;
    $places{ (split /\t/)[1] }++ for map { @{ $keys->{$_} } }
        grep { /^lane:/ } keys %$keys;
    my %ids = (%places, map { $_ => 1 } @{ $known->{ids} });

    for my $id (keys %ids) {
        my $places = $places{$id} // 0;
        my $accepted = $known->{accepted}{$id} // 0;

        die "job $id is in $places places, accepted $accepted times\n"
            if $places != $accepted || !$places && !$inbox{$id};
        die "job $id: is it for later?\n"
            if !!$later{$id} != defined field($keys, delayed => $id);
    }
}

# A lane with jobs is in exactly one state, one without in none, and only a
# leased one has a token, which no other has.  Returns what waits and what is
# in flight, by tenant.
sub states {
    my ($keys) = @_;
    my (%state, %waiting, %flight, %token);

    for my $name (qw(due leased)) {
        $state{$_} .= " $name" for keys %{ $keys->{$name} // {} };
    }
    for my $name (grep { /^(?:suspects|(?:ready|bulk|outside|moving):.*)$/ }
        keys %$keys)
    {
        $state{$_} .= " $name" for @{ $keys->{$name} };
    }
    my $held = $keys->{held} // {};
    $state{$_} .= ' held' for grep { $held->{$_} == 1 } keys %$held;

    for my $lane (map { substr $_, 5 } grep { /^lane:/ } keys %$keys) {
        my $state = delete $state{$lane} // '';
        my $claim = $keys->{"claim:$lane"} // {};
        my $slug = $lane =~ s{/.*}{}r;
        my $jobs = @{ $keys->{"lane:$lane"} };

        die "lane $lane is$state\n" if $state !~ /^ \S+$/;
        die "token of $lane,$state\n" if defined $claim->{token}
            != ($state eq ' leased') || $token{ $claim->{token} // '' }++
            && $claim->{token};
        if ($state eq ' leased') {
            $flight{$slug}++;
            $jobs -= split / /, $claim->{ids};
        }
        $waiting{$slug} += $jobs;
    }
    die "states of lanes without jobs: @{[%state]}\n" if %state;

    return (\%waiting, \%flight);
}

# Who may have turns stands in line.  One that came over its cap meanwhile may
# stand there still, until its turn would come.
sub lines {
    my ($keys, $flight, @slugs) = @_;
    my %capped = map { $_ => 1 } @{ $keys->{capped} // [] };

    for my $slug (@slugs) {
        my $set = $keys->{"tenant:$slug"} // {};
        my ($cap, $turns) = ($set->{cap} // 200, $flight->{$slug} // 0);
        my $out = 0;

        for (['tenants', 'ready', $cap],
            ['bulk', 'bulk', max(1, $cap - ceil($cap / 10))])
        {
            my ($line, $list, $limit) = @$_;
            my $wants = $keys->{"$list:$slug"} && !$set->{held};
            my $in = defined field($keys, $line => $slug);

            $out ||= $wants && !$in;
            die "$slug in $line: $turns turns of $limit\n"
                if $in && !$wants || !$in && $wants && $turns < $limit;
        }
        die "$slug among the capped\n" if !!$capped{$slug} != !!$out;
    }
}

1;
