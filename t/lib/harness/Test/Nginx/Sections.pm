package Test::Nginx::Sections;

# Which sections a block may have, and which of them mean nothing together:
# a typing error or an expectation that nobody looks at must not pass.

use strict;
use warnings;

my %known = map { $_ => 1 } qw(
    SKIP ONLY LAST

    config http_config main_config post_main_config server_name log_level
    error_log_file server_addr_for_client user_files init
    post_setup_server_root must_die suppress_stderr

    request more_headers pipelined_requests raw_request
    raw_request_middle_delay shutdown timeout abort http2 curl_options
    curl_error curl_protocol http09 ignore_response

    error_code error_code_like response_headers response_headers_like
    raw_response_headers_like raw_response_headers_unlike response_body
    response_body_like response_body_unlike response_body_filters
    response_body_json_sort charset error_log no_error_log grep_error_log
    grep_error_log_out access_log no_access_log shutdown_error_log
    no_shutdown_error_log wait

    tcp_listen tcp_reply tcp_query tcp_query_len tcp_reply_delay
    tcp_query_auto_timeout tcp_no_close tcp_shutdown tcp_shutdown_delay
    udp_listen udp_reply udp_query udp_reply_delay

    skip_nginx skip_nginx2 skip_openssl skip_eval todo todo_nginx

    stap stap_out stap_out_like stap_out_unlike no_check_leak
    no_mockeagain
);

my @response = qw(
    error_code error_code_like response_headers response_headers_like
    raw_response_headers_like raw_response_headers_unlike response_body
    response_body_like response_body_unlike response_body_filters
    response_body_json_sort charset
);

my @requests = qw(request raw_request pipelined_requests);

# of each pair only the first would be looked at
my @pairs = (
    [qw(error_code_like error_code)],
    [qw(response_headers response_headers_like)],
    [qw(response_body response_body_like)],
    [qw(response_body response_body_unlike)],
    [qw(response_body_like response_body_unlike)],
    [qw(raw_request request)],
    [qw(raw_request pipelined_requests)],
    [qw(raw_request more_headers)],
    [qw(pipelined_requests request)],
    [qw(http2 raw_request)],
    [qw(http2 pipelined_requests)],
    [qw(http2 shutdown)],
    (map { ['ignore_response', $_] } @response, 'access_log',
        'no_access_log'),
    (map { ['must_die', $_] } @response, @requests, 'more_headers', 'init',
        'access_log', 'no_access_log', 'shutdown_error_log',
        'no_shutdown_error_log'),
);

# the first means nothing without one of the others
my @needs = (
    [qw(grep_error_log grep_error_log_out)],
    [qw(grep_error_log_out grep_error_log)],
    [qw(tcp_listen tcp_reply tcp_shutdown)],
    (map { [$_, 'tcp_listen'] } grep { /^tcp_/ && $_ ne 'tcp_listen' }
        sort keys %known),
    [qw(udp_listen udp_reply)],
    (map { [$_, 'udp_listen'] } qw(udp_reply udp_query udp_reply_delay)),
    (map { [$_, 'http2'] } qw(curl_options curl_error curl_protocol)),
    [qw(raw_request_middle_delay raw_request)],
    [qw(charset response_body)],
    (map { [$_, qw(response_body response_body_like response_body_unlike)] }
        qw(response_body_filters response_body_json_sort)),
);


# A suite's own sections, which its checks and preprocessors read.
sub allow { $known{$_} = 1 for @_ }


# Dies of what can be told from the file alone.
sub check_written {
    my ($block) = @_;

    my %seen;

    for my $section (@{ ($block->_section_order)[0] || [] }) {
        die where($block), "unknown section \"$section\"\n"
            if !$known{$section} && $section !~ /^quic_/;
        die where($block), "section \"$section\" stands twice\n"
            if $seen{$section}++;
    }

    for my $refused (qw(http3 reload_fails)) {
        die where($block), "section \"$refused\" is not supported here\n"
            if $seen{$refused};
    }
}


# Dies of sections that would be ignored; the preprocessors have run.
sub check_together {
    my ($block) = @_;

    for my $pair (@pairs) {
        my ($winner, $ignored) = @$pair;
        die where($block), "\"$ignored\" is ignored beside \"$winner\"\n"
            if defined value($block, $winner)
               && defined value($block, $ignored);
    }

    for my $need (@needs) {
        my ($section, @others) = @$need;
        next if !defined value($block, $section);
        next if grep { defined value($block, $_) } @others;
        die where($block), "\"$section\" needs \"",
            join('" or "', @others), "\"\n";
    }

    my $wait = value($block, 'wait');
    die where($block), "wait takes a plain number of seconds\n"
        if defined $wait && $wait !~ /^\s*[\d.]+\s*\z/;

    return if defined value($block, 'must_die')
              || grep { defined value($block, $_) } @requests;
    die where($block), "neither a request nor must_die\n";
}


# The value of a section; a list has passed its filters as one element.
sub value {
    my ($block, $section) = @_;

    my ($value) = @{ $block->{$section} || [] };
    return $value;
}


sub where { return $_[0]->name . ': ' }


1;
