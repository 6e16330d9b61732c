package Test::Nginx::Client;

# Sends a request, reads until the server closes, takes the responses apart.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket::INET;
use IPC::Open3;
use Symbol qw(gensym);
use Test::Builder;
use Time::HiRes qw(time);

use Test::Nginx::Sections;
use Test::Nginx::Util;


# Returns { bytes, problem }: problem is set when the server neither closed
# nor said anything for the time-out.
sub send_request {
    my ($block, $request) = @_;

    return send_by_curl($block, $request)
        if defined Test::Nginx::Sections::value($block, 'http2');

    my $timeout = timeout_of($block);
    my $address = Test::Nginx::Sections::value($block,
        'server_addr_for_client') // $Test::Nginx::Util::ServerAddr;
    my $port = Test::Nginx::Util::server_port_for_client();
    my $socket = IO::Socket::INET->new(PeerAddr => $address,
        PeerPort => $port, Timeout => $timeout);

    return { bytes => '', problem => "cannot connect to $address:$port: $!" }
        if !$socket;

    $socket->blocking(0);
    local $SIG{PIPE} = 'IGNORE';

    my %exchange = (
        socket  => $socket,
        packets => [map { { %$_ } } @{ $request->{packets} }],
        bytes   => '',
        timeout => $timeout,
        finish  => Test::Nginx::Sections::value($block, 'shutdown'),
    );
    $exchange{not_before} = time + ($exchange{packets}[0]{delay_before} // 0);
    exchange(\%exchange);
    close $socket;

    return { bytes => $exchange{bytes}, problem => $exchange{problem} };
}


sub timeout_of {
    my ($block) = @_;

    my $text = Test::Nginx::Sections::value($block, 'timeout');
    return $Test::Nginx::Util::Timeout if !defined $text;

    my ($number, $unit) = $text =~ /^\s*([\d.]+)\s*(ms|s)?\s*\z/
        or die $block->name, ": timeout \"$text\" is no time\n";
    return ($unit // 's') eq 'ms' ? $number / 1000 : $number;
}


sub exchange {
    my ($x) = @_;

    my $both = IO::Select->new($x->{socket});
    my $last = time;

    while (1) {
        my $now = time;
        my $writes = @{ $x->{packets} } && $now >= $x->{not_before};
        my $wait = $last + $x->{timeout} - $now;

        if (@{ $x->{packets} } && !$writes) {
            $wait = $x->{not_before} - $now;
        }

        my ($readable, $writable) = IO::Select->select($both,
            $writes ? $both : undef, undef, $wait > 0 ? $wait : 0);

        if ($writable && @$writable) {
            write_some($x);
            $last = time;
        }
        if ($readable && @$readable) {
            return if !read_some($x);
            $last = time;
        }

        $last = $x->{not_before}
            if @{ $x->{packets} } && $x->{not_before} > $last;

        if (time - $last >= $x->{timeout}) {
            $x->{problem} = "timed out after $x->{timeout} s of silence";
            return;
        }
    }
}


sub write_some {
    my ($x) = @_;

    my $packet = $x->{packets}[0];
    my $n = syswrite $x->{socket}, $packet->{value};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;

        # it may have answered before it refused the rest
        $x->{packets} = [];
        return;
    }

    substr $packet->{value}, 0, $n, '';
    return if length $packet->{value};

    shift @{ $x->{packets} };

    if (@{ $x->{packets} }) {
        $x->{not_before} = time + ($x->{packets}[0]{delay_before} // 0);

    } elsif (defined $x->{finish}) {
        shutdown $x->{socket}, $x->{finish} =~ /(\d+)/ ? $1 : 1;
    }
}


# false at the end of what the server says
sub read_some {
    my ($x) = @_;

    my $n = sysread $x->{socket}, $x->{bytes}, 65536, length $x->{bytes};

    return $n if defined $n;
    return 1 if $! == EAGAIN || $! == EINTR;

    $x->{problem} = "reading failed: $!" if $x->{bytes} eq '';
    return 0;
}


sub send_by_curl {
    my ($block, $request) = @_;

    my $timeout = timeout_of($block);
    my $options = Test::Nginx::Sections::value($block, 'curl_options');
    my $error = Test::Nginx::Sections::value($block, 'curl_error');
    my $protocol = Test::Nginx::Sections::value($block, 'curl_protocol')
        // 'http';

    my @command = ('curl', '-isS', '--http2', '--http2-prior-knowledge',
        '-k', '--max-time', $timeout, '-H', 'User-Agent:', '-H', 'Accept:',
        $request->{method} eq 'HEAD' ? '-I' : ('-X', $request->{method}),
        map { ('-H', $_) } grep { !/^Connection:/i }
        @{ $request->{headers} });

    if ($request->{body} ne '') {
        my $file = Test::Nginx::Util::html_dir() . '/curl.data.bin';
        Test::Nginx::Util::write_file($file, $request->{body});
        push @command, '-H', 'Content-Type:'
            if !grep { /^Content-Type:/i } @{ $request->{headers} };
        push @command, '--data-binary', "\@$file";
    }

    push @command, ref $options ? @$options : split ' ', $options
        if defined $options;
    push @command, "$protocol://$Test::Nginx::Util::ServerAddr:"
        . Test::Nginx::Util::server_port_for_client() . $request->{url};

    my ($bytes, $said) = run_command(@command);

    chomp $said;
    return { bytes => $bytes, curl_error => $said } if defined $error;
    return { bytes => $bytes, problem => $said } if $bytes eq '';

    # a stream that nginx resets behind its response is one of these
    Test::Builder->new->diag($block->name, " - $said") if $said ne '';
    return { bytes => $bytes };
}


sub run_command {
    my @command = @_;

    my $said = gensym;
    my $child = open3(my $in, my $out, $said, @command);
    close $in;
    binmode $_, ':raw' for $out, $said;

    my %text = ($out => '', $said => '');
    my $select = IO::Select->new($out, $said);

    while (my @ready = $select->can_read) {
        for my $handle (@ready) {
            $select->remove($handle)
                if !sysread $handle, $text{$handle}, 65536,
                    length $text{$handle};
        }
    }
    waitpid $child, 0;

    return ($text{$out}, $text{$said});
}


# Takes the first response off the bytes: { code, raw_headers, headers
# (name in lower case => [values]), body, left, problems }.
sub parse {
    my ($bytes, $method) = @_;

    my %response = (code => '', raw_headers => '', headers => {},
        body => '', left => '', problems => []);

    # 1xx are announcements, the response follows
    $bytes =~ s/\AHTTP\/[\d.]+ 1(?!01)\d\d.*?\r\n\r\n//s;

    if ($bytes !~ /\A(.*?\r\n)\r\n(.*)\z/s) {
        $response{left} = $bytes;
        return \%response;
    }

    my $rest;
    ($response{raw_headers}, $rest) = ($1, $2);
    my ($status, @lines) = split /\r\n/, $response{raw_headers};
    $response{code} = $1 if $status =~ /^HTTP\/[\d.]+ (\d{3})(?: |\z)/;

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:]+):[ \t]*(.*?)[ \t]*\z/ or next;
        push @{ $response{headers}{lc $name} }, $value;
    }

    take_body(\%response, $rest, $method);
    return \%response;
}


sub take_body {
    my ($response, $rest, $method) = @_;

    my $length = header($response, 'Content-Length');

    if ($method eq 'HEAD' || $response->{code} =~ /^(?:101|204|304)\z/) {
        $response->{left} = $rest;

    } elsif (lc(header($response, 'Transfer-Encoding') // '') eq 'chunked') {
        dechunk($response, $rest);

    } elsif (defined $length && $length =~ /^\d+\z/) {
        $response->{body} = substr $rest, 0, $length;
        $response->{left} = length $rest > $length
            ? substr $rest, $length : '';
        push @{ $response->{warnings} }, 'the body is ' . length($rest)
            . " bytes of $length" if length $rest < $length;

    } else {
        $response->{body} = $rest;
    }
}


sub dechunk {
    my ($response, $rest) = @_;

    pos($rest) = 0;

    while ($rest =~ /\G[ \t]*([0-9A-Fa-f]+)[^\r\n]*\r\n/gc) {
        my $size = hex $1;

        if ($size == 0) {
            last if $rest !~ /\G\r\n/gc;
            $response->{left} = substr $rest, pos $rest;
            return;
        }

        my $at = pos $rest;
        last if length($rest) < $at + $size + 2;
        $response->{body} .= substr $rest, $at, $size;
        last if substr($rest, $at + $size, 2) ne "\r\n";
        pos($rest) = $at + $size + 2;
    }

    push @{ $response->{problems} }, 'broken or unfinished chunks';
}


sub header {
    my ($response, $name) = @_;

    my $values = $response->{headers}{lc $name} or return;
    return join ', ', @$values;
}


1;
