package Setter::FaultCheck;

# What became of numbered messages, "c7 n3" being the third of conversation 7:
# a pure function of what was recorded while a fault lasted.
#
#   my $verdict = Setter::FaultCheck::check(
#       attempts => [...],      # the provider's, see Setter::FaultDriver
#       sent     => [...],      # what reached people: { seq, at, to, text }
#       jobs     => { id => { status, turn } },
#       replies  => [...],      # on record: { to, state, text, turn }
#       from => ..., end => ...,        # of the fault, Unix time
#       until => ...);          # when it let go: a killed worker's death
#
# An attempt is { c, n, to, due, begun, ended, ok, status, id }: due by the
# schedule, sent, answered, and whether the answer was an acceptance.
#
# Of the verdict each list names messages, and has to be empty:
#   lost      accepted, and neither answered nor unknown nor dead (nobody
#             takes a conversation over here)
#   twice     answered more than once, or accepted under two ids
#   disorder  answered before one of the same conversation that had been
#             accepted when this one was first sent
#   invented  answered though nobody wrote it, or to somebody else
#   untrue    replies: sent and not on record as sent or unknown, or on record
#             as sent and never sent
# The counts are accepted, refused (attempts), unknown (replies) and dead
# (messages).  In s: recovery, from when it let go to the last answer to
# what was accepted before, and to the last attempt that was refused; p99 of
# the webhook for attempts due while it lasted, and reply, the median from
# acceptance to answer.

use strict;
use warnings;

use List::Util qw(max min);

sub check {
    my (%ledger) = @_;
    my $messages = messages($ledger{attempts});
    my %verdict = (
        accepted => scalar(grep { $_->{acked} } values %$messages),
        refused  => scalar(grep { !$_->{ok} } @{ $ledger{attempts} }),
        unknown  => scalar(grep { $_->{state} eq 'unknown' }
            @{ $ledger{replies} }),
        dead => 0, lost => [], twice => [], disorder => [],
        invented => [], untrue => [],
    );

    find_answers(\%verdict, $messages, $ledger{sent});
    for my $name (sort keys %$messages) {
        my $message = $messages->{$name};
        push @{ $verdict{twice} }, $name
            if @{ $message->{answers} } > 1 || keys %{ $message->{ids} } > 1;
        judge_unanswered(\%verdict, $name, $message, \%ledger)
            if $message->{acked} && !@{ $message->{answers} };
    }
    find_disorder(\%verdict, $messages);
    find_untrue(\%verdict, $ledger{sent}, $ledger{replies});
    measure(\%verdict, $messages, \%ledger);
    return \%verdict;
}

# By name: when each was first sent and first accepted, and as what.
sub messages {
    my ($attempts) = @_;
    my %messages;

    for my $try (@$attempts) {
        my $message = $messages{"c$try->{c} n$try->{n}"} //= {
            c => $try->{c}, to => $try->{to}, first => $try->{begun},
            ids => {}, answers => [] };
        $message->{first} = min($message->{first}, $try->{begun});
        next if !$try->{ok};
        $message->{acked} = min($message->{acked} // $try->{ended},
            $try->{ended});
        $message->{ids}{ $try->{id} } = 1;
    }
    return \%messages;
}

# Each answer has its place among all: the order people saw.
sub find_answers {
    my ($verdict, $messages, $sent) = @_;
    my $place = 0;

    for my $text (sort { $a->{seq} <=> $b->{seq} } @$sent) {
        while ($text->{text} =~ /\b(c\d+ n\d+)\b/g) {
            my $message = $messages->{$1};
            if ($message && $message->{to} eq $text->{to}) {
                push @{ $message->{answers} },
                    { at => $text->{at}, place => $place++ };
            } else {
                push @{ $verdict->{invented} }, $1;
            }
        }
    }
}

# Accepted, and nobody was sent an answer: that may be right.
sub judge_unanswered {
    my ($verdict, $name, $message, $ledger) = @_;
    my ($job) = map { $ledger->{jobs}{$_} // () } keys %{ $message->{ids} };

    if ($job && $job->{status} eq 'dead') {
        $verdict->{dead}++;
    } elsif (!$job || !$job->{turn} || !grep { $_->{state} eq 'unknown'
            && $_->{turn} eq $job->{turn} } @{ $ledger->{replies} }) {
        push @{ $verdict->{lost} }, $name;
    }
}

# Messages under way at the same time may be taken in either order.
sub find_disorder {
    my ($verdict, $messages) = @_;
    my (%conversations, %wrong);

    push @{ $conversations{ $_->[1]{c} } }, $_
        for grep { @{ $_->[1]{answers} } }
            map { [ $_, $messages->{$_} ] } keys %$messages;

    for my $said (values %conversations) {
        for my $earlier (grep { $_->[1]{acked} } @$said) {
            for my $later (@$said) {
                $wrong{ $later->[0] } = 1
                    if $earlier->[1]{acked} < $later->[1]{first}
                    && $earlier->[1]{answers}[0]{place}
                        > $later->[1]{answers}[0]{place};
            }
        }
    }
    $verdict->{disorder} = [ sort keys %wrong ];
}

# The record and what was sent, side by side.
sub find_untrue {
    my ($verdict, $sent, $replies) = @_;
    my %balance;

    $balance{"$_->{to}: $_->{text}"}++ for @$sent;
    for my $reply (@$replies) {
        my $key = "$reply->{to}: $reply->{text}";
        if ($reply->{state} eq 'sent'
            || $reply->{state} eq 'unknown' && $balance{$key}) {
            $balance{$key}--;
        }
    }
    $verdict->{untrue} = [ grep { $balance{$_} } sort keys %balance ];
}

sub measure {
    my ($verdict, $messages, $ledger) = @_;
    my ($from, $until, $end) = @$ledger{qw(from until end)};
    my @attempts = @{ $ledger->{attempts} };
    my @answered = grep { $_->{acked} && @{ $_->{answers} } }
        values %$messages;

    $verdict->{recovery} = max(0, map { $_ - $until }
        (map { $_->{answers}[0]{at} } grep { $_->{acked} <= $until }
            @answered),
        (map { $_->{begun} } grep { !$_->{ok} } @attempts));
    $verdict->{reply} = quantile(0.5,
        map { $_->{answers}[0]{at} - $_->{acked} } @answered);
    $verdict->{p99} = quantile(0.99, map { $_->{ended} - $_->{due} }
        grep { $_->{due} >= $from && $_->{due} <= $end } @attempts);
}

# The value that this part of all does not exceed; undef of none.
sub quantile {
    my ($part, @values) = @_;
    my @sorted = sort { $a <=> $b } @values;

    return @sorted ? $sorted[ min($#sorted, int($part * @sorted)) ] : undef;
}

1;
