package Setter::FaultBefore;

# The worker of the version before, built from the repository's history: of
# the revision in FAULT_BEFORE, else of the last tag, else of the commit
# before the queue's functions last changed.
#
#   my ($program, $what) = Setter::FaultBefore::build($dir);
#   # or undef, and why there is none

use strict;
use warnings;

use IPC::Run ();
use Setter::Stack;

sub build {
    my ($dir) = @_;
    my $revision = revision() or return (undef, 'there is no history here');
    my $root = Setter::Stack::root();
    run("git -C '$root' archive '$revision' --prefix=before/"
        . " | tar -x -C '$dir'");
    run("make -s -j2 -C '$dir/before' BUILD=build workers");
    return ("$dir/before/build/setter-worker", $revision);
}

# Its short name; undef where git does not know one.
sub revision {
    return short($ENV{FAULT_BEFORE}) // die "FAULT_BEFORE is no revision\n"
        if $ENV{FAULT_BEFORE};
    my $tag = git('describe', '--tags', '--abbrev=0');
    return $tag if $tag;
    my $change = git('rev-list', '-1', 'HEAD', '--', 'workers/queue');
    return $change && short("$change^");
}

sub short { return git('rev-parse', '--short', '--verify', "$_[0]^{commit}") }

# The command's line; undef where it fails.
sub git {
    my ($out, $err);
    my $ok = IPC::Run::run([ 'git', '-C', Setter::Stack::root(), @_ ],
        \undef, \$out, \$err);
    chomp $out;
    return $ok && length $out ? $out : undef;
}

# Without what a make above us tells its children.
sub run {
    my ($command) = @_;
    my $out;
    IPC::Run::run([ 'env', '-u', 'MAKEFLAGS', '-u', 'MFLAGS', '-u',
        'MAKELEVEL', 'sh', '-c', $command ], \undef, '>&', \$out)
        or die "$command: $out";
}

1;
