package Setter::Http;

# A request that a test starts and whose answer it looks for later, on a
# connection of its own.
#
#   my $poll = Setter::Http->new($port, GET => '/next?wait=5', undef, $header);
#   ...
#   my $answer = $poll->answer;     # { status, head, text, json }

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::XS;
use Time::HiRes qw(time);

my $json = JSON::XS->new->utf8->allow_nonref;

sub new {
    my ($class, $port, $method, $uri, $body, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 10) or die "connect: $!\n";
    $socket->autoflush(1);
    push @headers, 'Content-Length: ' . length $body if defined $body;
    push @headers, 'Host: localhost' if !grep { /^host:/i } @headers;
    print $socket join("\r\n", "$method $uri HTTP/1.1", 'Connection: close',
        @headers, '', $body // '');

    return bless { socket => $socket, started => time }, $class;
}

# Whether something has come by now.
sub answered {
    my ($self) = @_;

    return IO::Select->new($self->{socket})->can_read(0) ? 1 : 0;
}

# Waits for the whole answer; status is 0 when none came, and "ms" how long
# that took.
sub answer {
    my ($self) = @_;
    my $socket = $self->{socket};
    my $text = '';
    my $end = time + 20;

    while (IO::Select->new($socket)->can_read($end - time)) {
        last if !sysread $socket, $text, 65536, length $text;
    }
    close $socket;

    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)};

    return {
        status => $status // 0, head => $head, text => $body,
        json => scalar eval { $json->decode($body) },
        ms => 1000 * (time - $self->{started}),
    };
}

# Leaves without having read the answer.
sub close { close $_[0]{socket} }

1;
