package Test::Nginx::Request;

# A block's request sections as bytes.  A request here is
#     { packets => [ { value, delay_before }, ... ], answers => N,
#       method, url, headers, body }
# where answers is how many responses its connection will bring.

use strict;
use warnings;

use Test::Nginx::Sections;
use Test::Nginx::Util;


# All requests of a block, each to be sent on a connection of its own.
sub from_block {
    my ($block) = @_;

    my $raw = Test::Nginx::Sections::value($block, 'raw_request');
    return from_raw($block, $raw) if defined $raw;

    my $pipelined = Test::Nginx::Sections::value($block,
        'pipelined_requests');
    return from_pipelined($block, $pipelined) if defined $pipelined;

    my $request = Test::Nginx::Sections::value($block, 'request');
    my @requests = ref $request eq 'ARRAY' ? @$request : ($request);
    my $i = 0;

    return map { build($block, $_, 'close', more_headers($block, $i++)) }
        @requests;
}


sub from_raw {
    my ($block, $raw) = @_;

    my @values = ref $raw eq 'ARRAY' ? @$raw : ($raw);
    my $delay = Test::Nginx::Sections::value($block,
        'raw_request_middle_delay');
    my @packets = map { { value => $_, delay_before => $delay } } @values;

    delete $packets[0]{delay_before};
    my ($method) = $values[0] =~ /^\s*(\w+)/;
    return { packets => \@packets, answers => 1, method => $method // '' };
}


sub from_pipelined {
    my ($block, $requests) = @_;

    die $block->name, ": pipelined_requests is no array\n"
        if ref $requests ne 'ARRAY';

    my $bytes = '';

    for my $i (0 .. $#$requests) {
        my $connection = $i == $#$requests ? 'close' : 'keep-alive';
        my $built = build($block, $requests->[$i], $connection,
            more_headers($block, $i));
        $bytes .= join '', map { $_->{value} } @{ $built->{packets} };
    }

    return { packets => [{ value => $bytes }], method => '',
             answers => scalar @$requests };
}


# The header lines of more_headers for request i.
sub more_headers {
    my ($block, $i) = @_;

    my $text = Test::Nginx::Sections::value($block, 'more_headers') // '';

    if (ref $text eq 'ARRAY') {
        die $block->name, ": more_headers has nothing for request $i\n"
            if !defined $text->[$i];
        $text = $text->[$i];
    }

    return map { /^([^:]*):\s*(.*)\z/s ? "$1: $2" : "$_: " }
        grep { !/^\s*#/ } split /\n+/, $text;
}


# request: text, or an array of packets (text, or { value, delay_before })
sub build {
    my ($block, $request, $connection, @headers) = @_;

    my @packets = map { ref $_ ? { %$_ } : { value => $_ } }
        ref $request eq 'ARRAY' ? @$request : ($request);
    if (@packets == 1) {
        1 while $packets[0]{value} =~ s/\A\s*\#[^\n]+\s+|\A\s+//;
    }

    my $text = join '', map { $_->{value} } @packets;
    my ($line, $body) = $text =~ /\A\s*([^\n]*)(?:\n(.*))?\z/s;
    my ($method, $url, $version) = split ' ', $line;
    die $block->name, ": the request has no request line\n"
        if !defined $method;

    $url //= '/';
    $version //= 'HTTP/1.1';
    $body = finish_headers(\@headers, $connection, $body // '');

    my $head = join "\r\n", "$method $url $version", @headers, '', '';

    return {
        packets => cut(\@packets, $head, $body),
        answers => 1,
        method  => $method,
        url     => $url,
        headers => \@headers,
        body    => $body,
    };
}


# Adds the headers that the test did not give; returns the body, trimmed
# where its length is told by us.
sub finish_headers {
    my ($headers, $connection, $body) = @_;

    my $chunked = grep { /^Transfer-Encoding: chunked\z/i } @$headers;
    my $length = grep { /^Content-Length:/ } @$headers;
    my @first;

    push @first, "Host: $Test::Nginx::Util::ServerName"
        if !grep { /^Host:/i } @$headers;
    push @first, "Connection: $connection"
        if !grep { /^Connection:/i } @$headers;
    unshift @$headers, @first;

    if ($body ne '' && !$chunked && !$length) {
        $body =~ s/\A\s+|\s+\z//g;
        push @$headers, 'Content-Length: ' . length $body;
    }

    return $body;
}


# Cuts head and body where the packets' ends stood in the test: an end
# inside the request line stays there, one behind it falls into the body.
sub cut {
    my ($packets, $head, $body) = @_;

    return [{ value => $head . $body }] if @$packets == 1;

    my $text = join '', map { $_->{value} } @$packets;
    my ($lead, $line) = $text =~ /\A(\s*)([^\n]*\n?)/;
    my $line_end = length($lead) + length $line;
    my $bytes = $head . $body;
    my ($seen, $from) = (0, 0);
    my @cut;

    for my $i (0 .. $#$packets) {
        $seen += length $packets->[$i]{value};
        my $to = $seen < $line_end
            ? $seen - length $lead : length($head) + $seen - $line_end;
        $to = length $bytes if $i == $#$packets || $to > length $bytes;
        $to = $from if $to < $from;
        push @cut, { %{ $packets->[$i] },
                     value => substr $bytes, $from, $to - $from };
        $from = $to;
    }

    return \@cut;
}


1;
