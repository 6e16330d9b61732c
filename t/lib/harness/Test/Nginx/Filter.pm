package Test::Nginx::Filter;

# Perl inside test files.  It is compiled here, where it sees no variable of
# the harness, and code that does not compile or dies ends the run.

use strict;
use warnings;

# code, package, what to say before the error; returns what the code returns
sub run {
    my @result = eval "package $_[1]; $_[0]";
    die "$_[2]: $@" if $@;
    return @result;
}


# The filters of Test::Base, with an "eval" whose errors do not become the
# section's value.
package Test::Nginx::Socket::Filter;

use Test::Base::Filter ();

our @ISA = ('Test::Base::Filter');

sub eval {
    my ($self, @values) = @_;

    $self->assert_scalar(@values);
    return Test::Nginx::Filter::run($values[0], 'Test::Base::Filter',
        $self->current_block->name . ': eval');
}


1;
