package Test::Nginx::Expect;

# What a block expects of a response, and of the logs.

use strict;
use warnings;

use Encode ();
use Test::Builder;
use Test::LongString ();
use Time::HiRes qw(sleep time);

use Test::Nginx::Client;
use Test::Nginx::Sections;
use Test::Nginx::Util;

our $NoLongString;
our @BodyChecks;

my $test = Test::Builder->new;


# The value of an expectation for response i of many.
sub pick {
    my ($block, $section, $i, $many) = @_;

    my $value = Test::Nginx::Sections::value($block, $section);

    if (ref $value eq 'ARRAY') {
        die $block->name, ": \"$section\" has nothing for response $i\n"
            if $i > $#$value;
        return $value->[$i];
    }

    die $block->name, ": several requests, so \"$section\" must be an",
        " array\n" if defined $value && $many;
    return $value;
}


# Everything about one response; repeat counts from 0.
sub check_response {
    my ($block, $response, $i, $many, $repeat) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = $block->name;

    for my $warning (@{ $response->{warnings} || [] }) {
        $test->diag("$name - $warning");
    }
    for my $problem (@{ $response->{problems} }) {
        $test->ok(0, "$name - $problem");
    }

    check_status($block, $response, $i, $many);
    check_raw_headers($block, $response, $i, $many);
    check_headers($block, $response, $i, $many);
    filter_body($block, $response, $i);
    check_body($block, $response, $i, $many, $repeat);

    for my $check (@BodyChecks) {
        $check->($block, $response->{body}, $i, $repeat, undef);
    }
}


sub check_status {
    my ($block, $response, $i, $many) = @_;

    my $name = $block->name . ' - status';
    my $like = pick($block, 'error_code_like', $i, $many);

    if (defined $like) {
        chomp $like if !ref $like;
        $test->like($response->{code}, qr/$like/sm, $name);
        return;
    }

    my $code = pick($block, 'error_code', $i, $many) // 200;
    $code =~ s/\s+\z//;
    $test->is_eq($response->{code}, $code, $name);
}


sub check_raw_headers {
    my ($block, $response, $i, $many) = @_;

    my $name = $block->name . ' - raw headers';
    my $like = pick($block, 'raw_response_headers_like', $i, $many);
    my $unlike = pick($block, 'raw_response_headers_unlike', $i, $many);

    $test->like($response->{raw_headers}, qr/$like/s, $name)
        if defined $like;
    $test->unlike($response->{raw_headers}, qr/$unlike/s, $name)
        if defined $unlike;
}


sub check_headers {
    my ($block, $response, $i, $many) = @_;

    my $equal = pick($block, 'response_headers', $i, $many);
    my $like = pick($block, 'response_headers_like', $i, $many);

    for my $line (grep { /\S/ } split /\n/, $equal // $like // '') {
        if ($line =~ /^\s*!\s*(\S+)\s*\z/) {
            my $header = $1;
            $test->unlike($response->{raw_headers}, qr/^\s*\Q$header\E\s*:/mi,
                $block->name . " - no header $header");
            next;
        }

        my ($header, $value) = $line =~ /^\s*([^:]+?)\s*:\s*(.*?)\s*\z/
            or die $block->name, ": no header line: \"$line\"\n";
        my $got = Test::Nginx::Client::header($response, $header) // '';
        my $name = $block->name . " - header $header";

        if (defined $equal) {
            $test->is_eq($got, with_ports($value), $name);
        } else {
            $test->like($got, qr/^$value$/, $name);
        }
    }
}


sub with_ports {
    my ($text) = @_;

    my $listens = Test::Nginx::Util::server_port();
    my $connects = Test::Nginx::Util::server_port_for_client();

    return $text if !defined $text || ref $text;
    $text =~ s/\$ServerPortForClient\b/$connects/g;
    $text =~ s/\$ServerPort\b/$listens/g;
    return $text;
}


my %filters = (
    uc       => sub { uc $_[0] },
    lc       => sub { lc $_[0] },
    ucfirst  => sub { ucfirst $_[0] },
    lcfirst  => sub { lcfirst $_[0] },
    length   => sub { length $_[0] },
    md5_hex  => sub { require Digest::MD5; Digest::MD5::md5_hex($_[0]) },
    sha1_hex => sub { require Digest::SHA; Digest::SHA::sha1_hex($_[0]) },
);


sub filter_body {
    my ($block, $response, $i) = @_;

    my $filters = Test::Nginx::Sections::value($block,
        'response_body_filters');
    if (defined $filters) {
        $filters = [split ' ', $filters] if !ref $filters;
        $filters = [$filters] if ref $filters eq 'CODE';
        $filters = $filters->[$i] if ref $filters->[0] eq 'ARRAY';

        for my $filter (@$filters) {
            my $code = ref $filter ? $filter : $filters{$filter};
            die $block->name, ": unknown body filter \"$filter\"\n" if !$code;
            $response->{body} = $code->($response->{body});
        }
    }

    return if !defined Test::Nginx::Sections::value($block,
        'response_body_json_sort');
    require JSON::PP;
    my $json = JSON::PP->new->relaxed->allow_nonref->canonical;
    my $document = eval { $json->decode($response->{body}) };
    $response->{body} = $json->encode($document) . "\n" if !$@;
}


sub check_body {
    my ($block, $response, $i, $many, $repeat) = @_;

    my $body = $response->{body};
    my $name = $block->name . " - body (repetition $repeat, response $i)";
    my $equal = with_ports(pick($block, 'response_body', $i, $many));
    my $like = with_ports(pick($block, 'response_body_like', $i, $many));
    my $unlike = with_ports(pick($block, 'response_body_unlike', $i, $many));
    my $charset = Test::Nginx::Sections::value($block, 'charset');

    if (ref $equal) {
        $test->like($body, $equal, $name);

    } elsif (defined $equal) {
        Encode::from_to($equal, 'UTF-8', $charset) if defined $charset;
        same_text($body, $equal, $name);

    } elsif (defined $like) {
        $test->like($body, qr/$like/s, $name);

    } elsif (defined $unlike) {
        $test->unlike($body, qr/$unlike/s, $name);
    }
}


sub same_text {
    my ($got, $expected, $name) = @_;

    if (ref $expected) {
        $test->like($got, $expected, $name);

    } elsif ($NoLongString) {
        Test::Base::is($got, $expected, $name);

    } else {
        Test::LongString::is_string($got, $expected, $name);
    }
}


# A log file, read from where the last look ended.
sub open_log {
    my ($path) = @_;

    return { path => $path, offset => 0, lines => [] };
}


sub look {
    my ($log) = @_;

    $log->{text} = Test::Nginx::Util::read_file($log->{path},
        $log->{offset});
    return $log->{lines} = [$log->{text} =~ /^.*\n?/mg];
}


sub move_on {
    my ($log) = @_;

    $log->{offset} += length($log->{text} // '');
    $log->{text} = '';
}


sub patterns {
    my ($block, $section) = @_;

    my $value = Test::Nginx::Sections::value($block, $section);

    return if !defined $value;
    return grep { defined } @$value if ref $value eq 'ARRAY';
    return $value if ref $value;
    return grep { length } split /\n+/, $value;
}


sub matches {
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}


# Checks one log for the patterns of the sections $yes and $no.  What is
# expected may be written a moment after the response: it is waited for.
sub check_log {
    my ($block, $log, $yes, $no, $repeat) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = $block->name;
    my @wanted = patterns($block, $yes);
    my $until = time + Test::Nginx::Client::timeout_of($block);
    my $missing;

    while (1) {
        my $lines = look($log);
        $missing = grep { my $p = $_; !grep { matches($_, $p) } @$lines }
            @wanted;
        last if !$missing || time > $until;
        sleep 0.01;
    }

    for my $pattern (@wanted) {
        $test->ok(scalar(grep { matches($_, $pattern) } @{ $log->{lines} }),
            "$name - $yes: \"$pattern\" (repetition $repeat)");
    }
    $test->diag("the log ends:\n", tail($log->{lines})) if $missing;

    for my $pattern (patterns($block, $no)) {
        check_absent($log->{lines}, $pattern,
            "$name - $no: \"$pattern\" (repetition $repeat)");
    }
}


sub check_absent {
    my ($lines, $pattern, $name) = @_;

    my ($first) = grep { matches($lines->[$_], $pattern) } 0 .. $#$lines;

    $test->ok(!defined $first, $name);
    return if !defined $first;
    my $last = $first + 9 < $#$lines ? $first + 9 : $#$lines;
    $test->diag(@$lines[$first .. $last]);
}


sub tail {
    my ($lines) = @_;

    my $from = @$lines > 20 ? @$lines - 20 : 0;
    return @$lines[$from .. $#$lines];
}


# grep_error_log against grep_error_log_out
sub check_grep {
    my ($block, $log, $repeat) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $pattern = Test::Nginx::Sections::value($block, 'grep_error_log');
    my $out = Test::Nginx::Sections::value($block, 'grep_error_log_out');

    $pattern = $pattern->[$repeat] if ref $pattern eq 'ARRAY';
    $out = $out->[$repeat] if ref $out eq 'ARRAY';
    return if !defined $pattern;

    if (!ref $pattern) {
        chomp $pattern;
        $pattern = qr/\Q$pattern\E/;
    }

    my $until = time + Test::Nginx::Client::timeout_of($block);
    my $got;

    while (1) {
        $got = join '', map { $_ =~ $pattern && $& !~ /\n/ ? "$&\n" : () }
            @{ look($log) };
        last if ref $out ? $got =~ $out : $got eq ($out // '');
        last if time > $until;
        sleep 0.01;
    }

    same_text($got, $out // '',
        $block->name . " - grep_error_log (repetition $repeat)");
}


# An assertion that failed is a failure whatever the block expects.
sub check_assertions {
    my ($block, $log) = @_;

    for my $line (grep { /\bAssertion .*?failed\b/ } @{ $log->{lines} }) {
        $test->ok(0, $block->name . " - $line");
    }
}


# Lines of error.log that are grave and that the block does not list.
sub unlisted {
    my ($block, $text) = @_;

    my @listed = map { patterns($block, $_) }
        qw(error_log shutdown_error_log grep_error_log);
    my $dies = defined Test::Nginx::Sections::value($block, 'must_die');

    return grep { my $line = $_; !grep { matches($line, $_) } @listed }
        grep { !$dies || !/\[emerg\]/ }
        $text =~ /^[\d\/]+ [\d:]+ \[(?:alert|emerg)\] .*\n?/mg;
}


1;
