package Setter::Model::Keys;

# The keys that a model's partition ought to have, as Setter::Queue's scan
# gives them.

use strict;
use warnings;

use List::Util qw(sum0);

sub keys_of {
    my ($model) = @_;
    my @lanes = grep { @{ $_->{jobs} } } values %{ $model->{lanes} };
    my %keys = (
        inbox => [map { $_->{bell} ? '' : $_->{header} } @{ $model->{inbox} }],
        of_lanes($model, @lanes), of_tenants($model),
        state => of_state($model, @lanes),
    );

    delete @{ $keys{state} }{ grep { !$keys{state}{$_} }
        keys %{ $keys{state} } };

    # what is empty is not there, but for the inbox and the state
    delete @keys{ grep { !/^(?:inbox|state)$/
        && !(ref $keys{$_} eq 'HASH' ? %{ $keys{$_} } : @{ $keys{$_} }) }
        keys %keys };

    return \%keys;
}

sub of_lanes {
    my ($model, @lanes) = @_;
    my @later = values %{ $model->{later} };
    my @leased = grep { $_->{state} eq 'leased' } @lanes;
    my %keys = (
        suspects => [@{ $model->{suspects} }],
        held => { %{ $model->{held} } },
        moving => [map { $_->{name} } @{ $model->{moving} }],
        due => { map { $_->{name} => $_->{due} }
            grep { defined $_->{due} } @lanes },
        later => { map { $_->{id} => $_->{send_at_ms} } @later },
        delayed => { map { $_->{id} => $_->{element} } @later },
        leased => { map { $_->{name} => $_->{lease_end} } @leased },
        jobs => { map { my $lane = $_; map { $_->{id} => $lane->{name} }
            @{ $lane->{jobs} }[0 .. $lane->{handed} - 1] } @leased },
    );

    $keys{"moving:$_->{name}"} = [@{ $_->{lanes} }] for @{ $model->{moving} };
    for my $lane (@lanes) {
        $keys{"lane:$lane->{name}"} = [map { $_->{element} }
            @{ $lane->{jobs} }];
        $keys{"claim:$lane->{name}"} = claim_fields($lane);
    }

    return %keys;
}

sub claim_fields {
    my ($lane) = @_;
    my %fields = map { defined $lane->{$_} ? ($_ => $lane->{$_}) : () }
        qw(cause until token worker outside quiet limit);

    $fields{ids} = join ' ', map { $_->{id} }
        @{ $lane->{jobs} }[0 .. $lane->{handed} - 1] if $lane->{handed};
    $lane->{$_} and $fields{$_} = $lane->{$_}
        for qw(failures crashes reason);

    return \%fields;
}

sub of_tenants {
    my ($model) = @_;
    my @tenants = values %{ $model->{tenants} };
    my %keys = (
        (map { my ($line, $class) = @$_;
            ($line => { map { $_->{slug} => $_->{$class}{tag} }
                $model->in_line($class) }) }
            ['tenants', 'reply'], ['bulk', 'bulk']),
        capped => [sort map { $_->{slug} } grep { $_->{capped} } @tenants],
        ruled => [sort map { $_->{slug} }
            grep { $_->{set}{day} || $_->{set}{outside} } @tenants],
        backlog => { map { $_->[1] ? @$_ : () }
            map { [$_->{slug}, $model->waiting($_->{slug})] } @tenants },
    );

    for my $tenant (@tenants) {
        my $slug = $tenant->{slug};

        $keys{"ready:$slug"} = [@{ $tenant->{reply}{ready} }];
        $keys{"bulk:$slug"} = [@{ $tenant->{bulk}{ready} }];
        $keys{"outside:$slug"} = [@{ $tenant->{outside} }];
        $keys{"tenant:$slug"} = tenant_fields($tenant,
            $model->flight($slug));
    }

    return %keys;
}

sub tenant_fields {
    my ($tenant, $flight) = @_;
    my %fields = %{ $tenant->{set} };

    @fields{qw(today used)} = @$tenant{qw(today used)}
        if defined $tenant->{today};
    if ($flight) {
        @fields{qw(flight finish)} = ($flight, $tenant->{reply}{finish});
        $fields{bulk_finish} = $tenant->{bulk}{finish}
            if $tenant->{bulk}{finish};
    }

    return \%fields;
}

sub of_state {
    my ($model, @lanes) = @_;
    my ($clock, $arrival) = @$model{qw(clock arrival)};

    return {
        token => $model->{token}, rejected => $model->{rejected},
        replies => $model->{replies},
        clock => $clock->{reply}, arrival => $arrival->{reply},
        bulk_clock => $clock->{bulk}, bulk_arrival => $arrival->{bulk},
        waiting => sum0(map { $model->waiting($_) }
            keys %{ $model->{tenants} }),
        (map { my $state = $_;
            ($state => scalar grep { $_->{state} eq $state } @lanes) }
            qw(ready outside)),
    };
}

1;
