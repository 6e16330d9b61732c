package Test::Nginx::Mock;

# tcp_listen and udp_listen: a child that takes one connection, or one
# datagram, says what the block tells it to, and reports what it was sent.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::Builder;
use Time::HiRes qw(sleep time);

use Test::Nginx::Client;
use Test::Nginx::Expect;
use Test::Nginx::Sections;
use Test::Nginx::Util;

our $PATIENCE = 10;     # seconds that a mock waits for its connection


# Starts the block's mock servers; they listen when this returns.
sub start {
    my ($block) = @_;

    return map { start_one($block, $_) }
        grep { defined Test::Nginx::Sections::value($block, "${_}_listen") }
        qw(tcp udp);
}


sub start_one {
    my ($block, $proto) = @_;

    my $where = Test::Nginx::Sections::value($block, "${proto}_listen");
    my $socket = listen_on($proto, $where =~ s/\s+\z//r)
        or die $block->name, ": ${proto}_listen $where: $!\n";

    pipe my $reader, my $writer or die "pipe: $!\n";
    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        close $reader;
        binmode $writer, ':raw';
        local $SIG{PIPE} = 'IGNORE';
        eval {
            syswrite $writer, $proto eq 'tcp'
                ? serve_tcp($block, $socket) : serve_udp($block, $socket);
            1;
        } or print STDERR "# $proto mock: $@";
        POSIX::_exit(0);
    }

    close $writer;
    close $socket;
    return { proto => $proto, pid => $child, reader => $reader };
}


sub listen_on {
    my ($proto, $where) = @_;

    if ($where =~ /\.sock\z/) {
        unlink $where;
        my $socket = IO::Socket::UNIX->new(Local => $where,
            $proto eq 'tcp' ? (Listen => 5) : (Type => SOCK_DGRAM));
        chmod 0666, $where;
        return $socket;
    }

    return IO::Socket::INET->new(Proto => $proto, LocalPort => $where,
        LocalAddr => $Test::Nginx::Util::ServerAddr,
        $proto eq 'tcp' ? (Listen => 5, ReuseAddr => 1) : ());
}


# Returns "" when nobody came, else "+" and what was received.
sub serve_tcp {
    my ($block, $listener) = @_;

    IO::Select->new($listener)->can_read($PATIENCE) or return '';
    my $socket = $listener->accept or return '';
    my $half = Test::Nginx::Sections::value($block, 'tcp_shutdown');

    if (defined $half) {
        pause($block, 'tcp_shutdown_delay');
        shutdown $socket, $half =~ /(\d+)/ ? $1 : 1;
    }

    my $query = read_query($block, $socket);
    my $reply = Test::Nginx::Sections::value($block, 'tcp_reply');

    $reply = $reply->($query) if ref $reply eq 'CODE';
    pause($block, 'tcp_reply_delay');
    for my $bytes (ref $reply eq 'ARRAY' ? @$reply : $reply) {
        print { $socket } $bytes if defined $bytes;
        $socket->flush;
    }

    # until the peer closes
    sysread $socket, my $rest, 1
        if defined Test::Nginx::Sections::value($block, 'tcp_no_close');
    close $socket;
    return "+$query";
}


# As much as the block expects, or what one read brings.
sub read_query {
    my ($block, $socket) = @_;

    my $query = Test::Nginx::Sections::value($block, 'tcp_query');
    my $length = Test::Nginx::Sections::value($block, 'tcp_query_len');
    my $silence = Test::Nginx::Sections::value($block,
        'tcp_query_auto_timeout');
    my $select = IO::Select->new($socket);
    my $got = '';

    if (!defined $length && defined $query && !ref $query) {
        $length = length $query;
    }

    while (1) {
        return $got if !$select->can_read($silence // $PATIENCE);
        sysread $socket, $got, 65536, length $got or return $got;
        next if defined $silence;
        return $got if !defined $length || length $got >= $length;
    }
}


sub serve_udp {
    my ($block, $socket) = @_;

    IO::Select->new($socket)->can_read($PATIENCE) or return '';
    $socket->recv(my $query, 65535);
    my $reply = Test::Nginx::Sections::value($block, 'udp_reply');

    $reply = $reply->($query) if ref $reply eq 'CODE';
    for my $bytes (ref $reply eq 'ARRAY' ? @$reply : $reply) {
        pause($block, 'udp_reply_delay');
        $socket->send($bytes);
    }
    return "+$query";
}


sub pause {
    my ($block, $section) = @_;

    my $delay = Test::Nginx::Sections::value($block, $section) // return;
    my ($number, $unit) = $delay =~ /^\s*([\d.]+)\s*(ms|s)?\s*\z/
        or die "$section \"$delay\" is no time\n";
    sleep($number / (($unit // 's') eq 'ms' ? 1000 : 1));
}


# Ends a mock and checks what it was sent.
sub finish {
    my ($block, $mock) = @_;

    my $report = '';
    my $select = IO::Select->new($mock->{reader});
    my $until = time + Test::Nginx::Client::timeout_of($block);

    while ($select->can_read($until - time > 0 ? $until - time : 0)) {
        sysread $mock->{reader}, $report, 65536, length $report or last;
    }
    kill 'KILL', $mock->{pid};
    waitpid $mock->{pid}, 0;

    check_query($block, $mock->{proto}, $report =~ s/\A\+// ? $report : undef);
}


sub check_query {
    my ($block, $proto, $got) = @_;

    my $test = Test::Builder->new;
    my $name = $block->name . " - ${proto}_query";
    my $query = Test::Nginx::Sections::value($block, "${proto}_query");
    my $length = Test::Nginx::Sections::value($block, "${proto}_query_len");

    Test::Nginx::Expect::same_text($got, $query, $name) if defined $query;
    $test->is_eq(length($got // ''), $length, "${name}_len")
        if defined $length;
}


1;
