# The fault suite's checker: on ledgers made by hand, each thing that must not
# happen is found, and nothing is found where nothing is wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Setter::FaultCheck;
use Test::More;

my @LISTS = qw(lost twice disorder invented untrue);

# Two conversations, four messages; two of them are answered together, one is
# accepted at the second try.
sub good {
    return (
        from => 100, until => 110, end => 110,
        attempts => [
            attempt('c1 n1', 100, ended => 100.01),
            attempt('c1 n2', 101, ended => 101.03),
            attempt('c1 n3', 105, ended => 105.5, ok => 0, status => 504),
            attempt('c1 n3', 107, ended => 107.02),
            attempt('c2 n1', 101, ended => 101.02),
        ],
        sent => [
            { seq => 1, at => 103, to => 'p1', text => 'c1 n1 c1 n2' },
            { seq => 2, at => 104, to => 'p2', text => 'c2 n1' },
            { seq => 3, at => 112.5, to => 'p1', text => 'c1 n3' },
        ],
        jobs => {
            map { $_->[0] => { status => 'done', turn => $_->[1] } }
            [ 'id c1 n1', 'id c1 n1' ], [ 'id c1 n2', 'id c1 n1' ],
            [ 'id c1 n3', 'id c1 n3' ], [ 'id c2 n1', 'id c2 n1' ],
        },
        replies => [
            { to => 'p1', state => 'sent', text => 'c1 n1 c1 n2',
              turn => 'id c1 n1' },
            { to => 'p2', state => 'sent', text => 'c2 n1',
              turn => 'id c2 n1' },
            { to => 'p1', state => 'sent', text => 'c1 n3',
              turn => 'id c1 n3' },
        ],
    );
}

sub attempt {
    my ($name, $begun, %more) = @_;
    my ($c, $n) = $name =~ /(\d+) n(\d+)/;
    return { c => $c, n => $n, to => "p$c", due => $begun, begun => $begun,
        ended => $begun, ok => 1, status => 201, id => "id $name", %more };
}

# Checks a ledger that the code has spoilt; only what is named may be found.
sub finds {
    my ($what, $spoil, %expected) = @_;
    my %ledger = good();
    $spoil->(\%ledger);
    my $verdict = Setter::FaultCheck::check(%ledger);
    my %found = map { $_ => $verdict->{$_} } grep { @{ $verdict->{$_} } }
        @LISTS;
    is_deeply \%found, \%expected, $what;
    return $verdict;
}

# Without the answer to c1 n3, in whatever state its reply is.
sub unanswer {
    my ($ledger, $state) = @_;
    pop @{ $ledger->{sent} };
    $ledger->{replies}[2]{state} = $state;
}

subtest 'nothing is wrong' => sub {
    my $verdict = finds('nothing is found', sub { });
    is $verdict->{accepted}, 4, 'messages accepted';
    is $verdict->{refused}, 1, 'attempts refused';
    is $verdict->{$_}, 0, $_ for qw(unknown dead);
    is $verdict->{recovery}, 2.5, 'the last answer after the end';
    is sprintf('%.2f', $verdict->{reply}), '2.99',
        'the median from acceptance to answer';
};

subtest 'lost' => sub {
    finds('no reply at all', sub {
        my ($ledger) = @_;
        unanswer($ledger, 'gone');
        pop @{ $ledger->{replies} };
    }, lost => ['c1 n3']);
    finds('never recorded', sub {
        my ($ledger) = @_;
        unanswer($ledger, 'gone');
        pop @{ $ledger->{replies} };
        delete $ledger->{jobs}{'id c1 n3'};
    }, lost => ['c1 n3']);
    finds("its reply is $_", do { my $state = $_; sub {
        unanswer($_[0], $state);
    } }, lost => ['c1 n3']) for qw(composed sending failed);
    finds('left out of the answer to two', sub {
        $_->{text} = 'c1 n2' for $_[0]{sent}[0], $_[0]{replies}[0];
    }, lost => ['c1 n1']);
    finds('another turn\'s reply is unknown', sub {
        my ($ledger) = @_;
        unanswer($ledger, 'unknown');
        $ledger->{replies}[2]{turn} = 'id c2 n1';
    }, lost => ['c1 n3']);
};

subtest 'what accounts for no answer' => sub {
    my $verdict = finds('unknown', sub { unanswer($_[0], 'unknown') });
    is $verdict->{unknown}, 1, 'counted';

    $verdict = finds('dead', sub {
        my ($ledger) = @_;
        unanswer($ledger, 'failed');
        $ledger->{jobs}{'id c1 n3'}{status} = 'dead';
    });
    is $verdict->{dead}, 1, 'counted';

    $verdict = finds('never accepted', sub {
        my ($ledger) = @_;
        unanswer($ledger, 'failed');
        $ledger->{attempts}[3]{ok} = 0;
    });
    is $verdict->{accepted}, 3, 'is not counted';
};

subtest 'answered twice' => sub {
    finds('in two texts', sub {
        my ($ledger) = @_;
        push @{ $ledger->{sent} },
            { seq => 4, at => 113, to => 'p1', text => 'c1 n3' };
        push @{ $ledger->{replies} }, { %{ $ledger->{replies}[2] } };
    }, twice => ['c1 n3']);
    finds('sent twice for one reply on record', sub {
        push @{ $_[0]{sent} }, { %{ $_[0]{sent}[2] }, seq => 4 };
    }, twice => ['c1 n3'], untrue => ['p1: c1 n3']);
    finds('in a later text beside another', sub {
        $_->{text} = 'c1 n2 c1 n3' for $_[0]{sent}[2], $_[0]{replies}[2];
    }, twice => ['c1 n2']);
    finds('accepted under two ids', sub {
        push @{ $_[0]{attempts} }, attempt('c2 n1', 103, id => 'another');
    }, twice => ['c2 n1']);
};

subtest 'out of order' => sub {
    finds('within a text', sub {
        $_->{text} = 'c1 n2 c1 n1' for $_[0]{sent}[0], $_[0]{replies}[0];
    }, disorder => ['c1 n2']);
    finds('in an earlier text', sub {
        my ($ledger) = @_;
        @$_[0, 2] = @$_[2, 0] for $ledger->{sent};
        $ledger->{sent}[$_]{seq} = $_ for 0 .. 2;
    }, disorder => ['c1 n3']);
    finds('not where both were under way at once', sub {
        $_->{text} = 'c1 n2 c1 n1' for $_[0]{sent}[0], $_[0]{replies}[0];
        $_[0]{attempts}[0]{ended} = 101.01;
    });
    finds('not where the earlier was accepted later', sub {
        my ($ledger) = @_;
        push @{ $ledger->{attempts} }, attempt('c1 n4', 106);
        $_->{text} = 'c1 n4 c1 n3'
            for $ledger->{sent}[2], $ledger->{replies}[2];
    });
    finds('not across conversations', sub {
        $_[0]{sent}[1]{seq} = 0.5;
    });
};

subtest 'invented' => sub {
    finds('a message that nobody wrote', sub {
        $_->{text} .= ' c1 n9' for $_[0]{sent}[2], $_[0]{replies}[2];
    }, invented => ['c1 n9']);
    finds('an answer to somebody else', sub {
        $_->{to} = 'p2' for $_[0]{sent}[2], $_[0]{replies}[2];
    }, invented => ['c1 n3'], lost => ['c1 n3']);
};

subtest 'untrue' => sub {
    finds('on record as sent, and not sent', sub {
        pop @{ $_[0]{sent} };
    }, untrue => ['p1: c1 n3'], lost => ['c1 n3']);
    finds("sent, and on record as $_", do { my $state = $_; sub {
        $_[0]{replies}[2]{state} = $state;
    } }, untrue => ['p1: c1 n3']) for qw(composed sending failed);
    finds('sent, and not on record', sub {
        pop @{ $_[0]{replies} };
    }, untrue => ['p1: c1 n3']);
    finds('another text than on record', sub {
        $_[0]{sent}[2]{text} = 'c1 n3!';
    }, untrue => [ 'p1: c1 n3', 'p1: c1 n3!' ]);
    my $verdict = finds('not an unknown one that arrived', sub {
        $_[0]{replies}[2]{state} = 'unknown';
    });
    is $verdict->{unknown}, 1, 'which is counted';
};

subtest 'recovery' => sub {
    my $verdict = finds('what was accepted later is not owed', sub {
        $_[0]{until} = 106;
    });
    is $verdict->{recovery}, 0, 'no time';
    $verdict = finds('refusals after the end', sub {
        push @{ $_[0]{attempts} },
            attempt('c2 n2', 114, ok => 0, status => 503);
    });
    is $verdict->{recovery}, 4, 'count';
};

subtest 'the webhook\'s time' => sub {
    my $verdict = finds('counts from when it was due', sub {
        $_[0]{attempts}[2]{due} = 102;
    });
    is $verdict->{p99}, 3.5, 'the refused and late one is the slowest';
    $verdict = finds('only while the fault lasts', sub {
        $_[0]{end} = 104;
    });
    is sprintf('%.2f', $verdict->{p99}), '0.03', 'not what came later';
    $verdict = finds('no attempt', sub { @{ $_[0] }{qw(from end)} = (1, 2) });
    is $verdict->{p99}, undef, 'no figure';
};

done_testing;
