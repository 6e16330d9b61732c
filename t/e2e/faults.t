# Each fault once, under a steady load: nothing that was accepted is lost,
# nobody is answered twice or out of order.  scripts/fault is the long form,
# which also holds the times against their aims.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Setter::Fault;
use Setter::FaultRows;
use Test::More;

my $run = Setter::Fault->new(form => 'short');
note "seed $run->{seed}";

for my $row (Setter::FaultRows::rows('short')) {
    my $result = eval { $run->row($row) };
    if ($result && $result->{skipped}) {
        diag "SKIPPED: $row->{title}: $result->{skipped}";
        next;
    }
    my @wrong = $result ? Setter::Fault::wrong($row, $result->{verdict}) : $@;
    is_deeply \@wrong, [], $row->{title} or diag "seed $run->{seed}";
    note Setter::Fault::figures($result) if $result;
}

done_testing;
