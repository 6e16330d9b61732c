package Setter::FaultProxy;

# Stands between a server's Unix socket and its clients, and moves bytes both
# ways until it is stopped or ended.  It takes the socket's place: the
# server's own is moved aside, and back when the proxy ends.
#
#   my $proxy = Setter::FaultProxy->start('/run/redis.sock');
#   kill STOP => $proxy->pid;       # all connections are half open
#   $proxy->renew;                  # new ones work, the old stay silent
#   $proxy->end;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_STREAM);

sub start {
    my ($class, $path) = @_;
    my $self = bless { path => $path, own => "$path.own", pids => [],
        owner => $$ }, $class;
    rename $path, $self->{own} or die "$path: $!\n";
    $self->listen;
    return $self;
}

sub pid { return $_[0]{pids}[-1] }

# Where clients reach the server past the proxy.
sub own { return $_[0]{own} }

sub listen {
    my ($self) = @_;
    my ($mode, $uid, $gid) = (stat $self->{own})[2, 4, 5];
    unlink $self->{path};
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Listen => 128,
        Local => $self->{path}) or die "$self->{path}: $!\n";
    chown $uid, $gid, $self->{path} or die "$self->{path}: $!\n";
    chmod $mode & 07777, $self->{path} or die "$self->{path}: $!\n";

    defined(my $pid = fork) or die "fork: $!\n";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP ALRM __DIE__ __WARN__);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve($listener); 1 } or print STDERR "proxy: $@";
        POSIX::_exit(0);
    }
    push @{ $self->{pids} }, $pid;
}

# Another one listens; what hangs on the stopped one goes on hanging.
sub renew { $_[0]->listen }

sub end {
    my ($self) = @_;
    my @pids = splice @{ $self->{pids} } or return;
    rename $self->{own}, $self->{path} if -e $self->{own};
    local $?;
    for my $pid (@pids) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}

sub DESTROY { $_[0]->end if $_[0]{owner} == $$ }


# --- the process

sub serve {
    my ($self, $listener) = @_;
    my $readable = IO::Select->new($listener);
    my %other;

    while (getppid() == $self->{owner}) {
        for my $socket ($readable->can_read(1)) {
            if ($socket == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM,
                    Peer => $self->{own}) or next;
                @other{ $client, $server } = ($server, $client);
                $readable->add($client, $server);
            } elsif ($other{$socket} && !move($socket, $other{$socket})) {
                my $other = delete $other{$socket};
                delete $other{$other};
                $readable->remove($socket, $other);
                close $_ for $socket, $other;
            }
        }
    }
}

# False at the end of either side.
sub move {
    my ($from, $to) = @_;
    sysread $from, my $bytes, 65536 or return 0;
    while (length $bytes) {
        my $n = syswrite $to, $bytes;
        return 0 if !defined $n;
        substr $bytes, 0, $n, '';
    }
    return 1;
}

1;
