package Setter::Memory;

# Lets allocations fail in processes that are started with its environment
# (t/lib/memory).
#
#   my $memory = Setter::Memory->new or plan skip_all => Setter::Memory::lacks;
#   local @ENV{...} = ...; $memory->environment    LD_PRELOAD, SETTER_MEMORY
#   $memory->fail_nth('pool', 7);       # the seventh from now on
#   $memory->fail_some('libc', 500, 42);        # one in 500, by this seed
#   my ($count, $failed) = $memory->stop;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();

my $root = abs_path(dirname(__FILE__) . '/../../..');
my %kinds = (libc => 1, pool => 2, both => 3);

sub build {
    my $build = $ENV{SETTER_BUILD} // 'build';
    return $build =~ m{^/} ? $build : "$root/$build";
}

# The module whose requests for nginx's memory are counted.
sub module { return build() . '/t/memory/ngx_http_setter_module.so' }

sub library { return build() . '/t/memory/preload.so' }

# Why it cannot be done, or undef.
sub lacks {
    return -e library() ? undef : 'this build has no such allocator';
}

sub new {
    my ($class) = @_;
    return undef if lacks();
    my $file = File::Temp->new(TEMPLATE => 'setter-memory-XXXXXX',
        TMPDIR => 1);
    # for the users of nginx's workers and of ours
    chmod 0666, "$file" or die "$file: $!\n";
    my $self = bless { file => $file }, $class;
    $self->tell(0, 0, 0);
    return $self;
}

sub environment {
    my ($self) = @_;
    return (LD_PRELOAD => library(), SETTER_MEMORY => "$self->{file}");
}

sub fail_nth { $_[0]->tell($kinds{ $_[1] }, $_[2], 0) }

sub fail_some { $_[0]->tell(@kinds{ $_[1] }, $_[2], $_[3]) }

# What kinds there are comes last: until then nothing is counted.
sub tell {
    my ($self, $kinds, $n, $seed) = @_;
    $self->put(0, 0);
    $self->put(8, $n, $seed, 0, 0);
    $self->put(0, $kinds);
}

# How many were asked for, and how many of those failed.
sub stop {
    my ($self) = @_;
    $self->put(0, 0);
    sysseek $self->{file}, 24, 0;
    sysread $self->{file}, my $bytes, 16;
    return unpack 'Q2', $bytes;
}

sub put {
    my ($self, $at, @values) = @_;
    sysseek $self->{file}, $at, 0 or die "seek: $!\n";
    defined syswrite $self->{file}, pack 'Q*', @values or die "write: $!\n";
}

1;
