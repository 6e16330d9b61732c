package Setter::Upstream;

# An HTTP server that answers with the request as it came: its lines, headers
# and body.  Gone with the object.
#
#   my $upstream = Setter::Upstream->start;
#   $upstream->port;
#   $upstream->requests;        # those that came

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use POSIX ();

sub start {
    my ($class) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 64) or die "listen: $!\n";
    my $self = bless {
        port  => $listener->sockport,
        log   => File::Temp->new(TEMPLATE => 'setter-upstream-XXXXXX',
                                 TMPDIR => 1),
        owner => $$,
    }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";
    return $self if $self->{pid} != 0;

    $SIG{$_} = 'DEFAULT' for qw(TERM INT __DIE__);
    while (getppid() == $self->{owner}) {
        my $socket = $listener->accept or next;
        answer($self, $socket);
    }
    POSIX::_exit(0);
}

sub port { $_[0]{port} }

sub requests {
    my ($self) = @_;

    open my $log, '<', $self->{log}->filename or die "upstream: $!\n";
    local $/;
    return unpack '(N/a)*', <$log> // '';
}

sub answer {
    my ($self, $socket) = @_;
    my $request = '';

    until ($request =~ /\r\n\r\n/) {
        sysread $socket, $request, 65536, length $request or return;
    }
    my $end = $+[0] + ($request =~ /^Content-Length: (\d+)/mi ? $1 : 0);
    while (length $request < $end) {
        sysread $socket, $request, 65536, length $request or return;
    }

    open my $log, '>>', $self->{log}->filename or return;
    syswrite $log, pack 'N/a', $request;
    print $socket "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        . "Connection: close\r\nContent-Length: " . length($request)
        . "\r\n\r\n$request";
}

sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;
    kill 'KILL', $self->{pid};
    local $?;
    waitpid $self->{pid}, 0;
}

1;
