package Test::Nginx::Socket;

# Runs test files in the format of openresty's Test::Nginx::Socket on
# Debian's Test::Base: one nginx a block, requests over plain sockets.
#
# Where the original lets things pass, this one is strict: an unknown
# section, an expectation that would be ignored, a value that does not
# compile end the run; an unlisted [alert] or [emerg] line, a sanitizer's
# report, an nginx that does not quit fail it (two tests more a file).

use strict;
use warnings;

use List::Util ();
use Test::Base ();
use Test::Builder;
use Time::HiRes qw(sleep);

use Test::Nginx::Client;
use Test::Nginx::Expect;
use Test::Nginx::Filter;
use Test::Nginx::Mock;
use Test::Nginx::Request;
use Test::Nginx::Sections;
use Test::Nginx::Skip;
use Test::Nginx::Util;

our @ISA = ('Test::Base');
our @EXPORT = qw(
    run_tests plan repeat_each no_shuffle no_long_string is_str
    master_on master_off master_process_enabled workers worker_connections
    log_level timeout no_root_location config_preamble server_name
    server_addr server_port server_port_for_client server_root html_dir
    env_to_nginx use_hup no_nginx_manager check_accum_error_log bail_out
    add_block_preprocessor add_response_body_check add_cleanup_handler
    add_test_cleanup_handler
);

our $VERSION = '1.0';
our $EXTRA_TESTS = 2;

my $test = Test::Builder->new;
my $owner = $$;
my $repeat_each = 1;
my $shuffle = !$ENV{TEST_NGINX_NO_SHUFFLE};
my $accumulate;
my (@preprocessors, @cleanups, @test_cleanups);

my %running;            # the block whose nginx runs, and its logs
my %last;               # configuration sections that a later block reuses
my (@alerts, @reports);

for my $name (qw(USE_HUP USE_VALGRIND CHECK_LEAK BENCHMARK USE_HTTP2
                 USE_HTTP3 NO_NGINX_MANAGER USE_STAP))
{
    die "TEST_NGINX_$name is not supported here\n"
        if $ENV{"TEST_NGINX_$name"};
}


sub import {
    my ($class, @args) = @_;

    if (@args == 2 && $args[0] eq 'tests') {
        $args[1] += $EXTRA_TESTS;
    }
    @_ = ($class, @args);
    goto &Test::Base::import;
}


sub plan {
    my (@args) = @_;

    if (@args == 2 && $args[0] eq 'tests') {
        $args[1] += $EXTRA_TESTS;
    }
    Test::Base::plan(@args);
}


sub repeat_each {
    $repeat_each = $_[0] if @_;
    return $repeat_each;
}


sub no_shuffle { $shuffle = 0 }
sub no_long_string { $Test::Nginx::Expect::NoLongString = 1 }
sub check_accum_error_log { $accumulate = 1 }
sub master_on { $Test::Nginx::Util::MasterProcess = 1 }
sub master_off { $Test::Nginx::Util::MasterProcess = 0 }
sub master_process_enabled { return $Test::Nginx::Util::MasterProcess }
sub no_root_location { $Test::Nginx::Util::RootLocation = 0 }
sub config_preamble { $Test::Nginx::Util::Preamble = $_[0] }
sub server_addr { return setting(\$Test::Nginx::Util::ServerAddr, @_) }
sub server_name { return setting(\$Test::Nginx::Util::ServerName, @_) }
sub log_level { return setting(\$Test::Nginx::Util::LogLevel, @_) }
sub workers { return setting(\$Test::Nginx::Util::Workers, @_) }
sub timeout { return setting(\$Test::Nginx::Util::Timeout, @_) }
sub worker_connections {
    return setting(\$Test::Nginx::Util::WorkerConnections, @_);
}
sub server_port { return Test::Nginx::Util::server_port() }
sub server_port_for_client {
    return Test::Nginx::Util::server_port_for_client();
}
sub server_root { return Test::Nginx::Util::server_root() }
sub html_dir { return Test::Nginx::Util::html_dir() }
sub env_to_nginx { push @Test::Nginx::Util::Env, @_ }
sub add_block_preprocessor { unshift @preprocessors, $_[0] }
sub add_response_body_check { push @Test::Nginx::Expect::BodyChecks, $_[0] }
sub add_cleanup_handler { push @cleanups, $_[0] }
sub add_test_cleanup_handler { push @test_cleanups, $_[0] }
sub use_hup { die "use_hup is not supported here\n" }
sub no_nginx_manager { die "no_nginx_manager is not supported here\n" }


# What the original has not: names of a suite's own sections.
sub allow_sections { Test::Nginx::Sections::allow(@_) }


sub setting {
    my ($variable, @value) = @_;

    $$variable = $value[0] if @value;
    return $$variable;
}


sub is_str {
    my ($got, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::Nginx::Expect::same_text($got, $expected, $name);
}


sub bail_out {
    my ($reason) = @_;

    Test::Nginx::Util::stop();
    clean_up();
    $test->BAIL_OUT($reason);
}


sub clean_up {
    $_->() for splice @cleanups;
}


sub run_tests {
    my @blocks = Test::Base::blocks();

    Test::Nginx::Util::settle();
    Test::Nginx::Sections::check_written($_) for @blocks;
    @blocks = List::Util::shuffle(@blocks) if $shuffle;

    run_block($_) for @blocks;
    stop_nginx();

    $test->ok(!@alerts, 'no unlisted [alert] or [emerg], every nginx quit');
    $test->diag($_) for @alerts;
    $test->ok(!@reports, 'no report of a sanitizer');
    $test->diag($_) for @reports;

    clean_up();
    return if $ENV{TEST_NGINX_NO_CLEAN};

    if ($test->is_passing) {
        Test::Nginx::Util::remove_root();
    } else {
        $test->diag('the last block\'s files are in ', server_root());
    }
}


sub run_block {
    my ($block) = @_;

    $block->set_value(name => "$0 " . $block->name);

    my ($tests, $reason) = Test::Nginx::Skip::wanted($block);
    if (defined $tests) {
        Test::Nginx::Skip::skip($block, $tests * $repeat_each, $reason);
        return;
    }

    $_->($block) for @preprocessors;
    Test::Nginx::Sections::check_together($block);
    Test::Nginx::Util::note($block->name);

    (undef, my $todo) = Test::Nginx::Skip::todo($block);
    $test->todo_start($todo) if defined $todo;
    run_expectations($block) if bring_up($block);
    $test->todo_end if defined $todo;
    $_->() for splice @test_cleanups;
}


# The block's configuration, names replaced; the parts that a block does
# not give come from the block before it.
sub configuration {
    my ($block) = @_;

    my %rand_ports;
    my %conf;

    my @shared = qw(config http_config main_config post_main_config);

    if (defined Test::Nginx::Sections::value($block, 'config')) {
        %last = map { $_ => scalar Test::Nginx::Sections::value($block, $_) }
            @shared;
    } elsif (!defined $last{config}) {
        die $block->name, ": no config, and no block before had one\n";
    }

    for my $section (qw(server_name log_level error_log_file user_files
        tcp_listen udp_listen response_body grep_error_log_out
        pipelined_requests))
    {
        my $value = Test::Nginx::Sections::value($block, $section);
        next if !defined $value;
        $value = Test::Nginx::Util::expand($value, \%rand_ports,
            $block->name);
        $block->set_value($section, $value);
        chomp($conf{$section} = $value) if !ref $value;
    }

    for my $section (@shared) {
        $conf{$section} = Test::Nginx::Util::expand($last{$section},
            \%rand_ports, $block->name);
    }

    $conf{http2} = defined Test::Nginx::Sections::value($block, 'http2');
    return %conf;
}


# Starts the block's nginx; true when there is something to send it.
sub bring_up {
    my ($block) = @_;

    my %conf = configuration($block);

    stop_nginx();
    Test::Nginx::Util::make_root();
    run_code($block, 'post_setup_server_root');
    my $files = Test::Nginx::Sections::value($block, 'user_files');
    Test::Nginx::Util::write_user_files($files) if defined $files;

    my $error_log = $conf{error_log_file} // server_root()
        . '/logs/error.log';
    %running = (
        block => $block,
        error => Test::Nginx::Expect::open_log($error_log),
        access => Test::Nginx::Expect::open_log(server_root()
            . '/logs/access.log'),
    );

    my ($status, $said) = Test::Nginx::Util::start(
        Test::Nginx::Util::configuration(%conf));

    if (defined Test::Nginx::Sections::value($block, 'must_die')) {
        check_death($block, $status, $said);
        return 0;
    }

    return run_code($block, 'init') if $status == 0;
    cannot_start($block, $status, $said);
    return 0;
}


sub run_code {
    my ($block, $section) = @_;

    my $code = Test::Nginx::Sections::value($block, $section);

    Test::Nginx::Filter::run($code, 'Test::Nginx::Util',
        $block->name . ": $section") if defined $code;
    return 1;
}


sub check_death {
    my ($block, $status, $said) = @_;

    my $name = $block->name;
    my $wanted = Test::Nginx::Sections::value($block, 'must_die');
    my $code = $status & 127 ? "signal " . ($status & 127) : $status >> 8;

    if ($wanted =~ /(\d+)/) {
        $test->is_eq($code, $1, "$name - nginx does not start");
    } else {
        $test->ok($code ne 0, "$name - nginx does not start");
    }
    $test->diag($said) if $said ne ''
        && !defined Test::Nginx::Sections::value($block, 'suppress_stderr');

    check_error_log($block, 0);
}


sub cannot_start {
    my ($block, $status, $said) = @_;

    my $log = Test::Nginx::Util::read_file($running{error}{path});

    if ($ENV{TEST_NGINX_IGNORE_MISSING_DIRECTIVES}
        && $log =~ /unknown directive "(\w+)"/)
    {
        Test::Nginx::Skip::skip($block, 1, "there is no directive $1");
        %running = ();
        return;
    }

    $test->ok(0, $block->name . ' - nginx starts');
    $test->diag("exit status $status\n$said");
}


sub run_expectations {
    my ($block) = @_;

    for my $repeat (0 .. $repeat_each - 1) {
        my @mocks = Test::Nginx::Mock::start($block);
        run_once($block, $repeat);
        Test::Nginx::Mock::finish($block, $_) for @mocks;
    }
}


sub run_once {
    my ($block, $repeat) = @_;

    my @requests = Test::Nginx::Request::from_block($block);
    my $ignored = defined Test::Nginx::Sections::value($block,
        'ignore_response');
    my $many = @requests > 1 || $requests[0]{answers} > 1;
    my $i = 0;

    for my $request (@requests) {
        my $got = Test::Nginx::Client::send_request($block, $request);
        my $left = $got->{bytes};

        Test::Nginx::Util::note("sent:\n", map { $_->{value} }
            @{ $request->{packets} });
        Test::Nginx::Util::note("received:\n$left\n");
        check_connection($block, $got);

        for (1 .. $request->{answers}) {
            if (!$ignored) {
                my $response = response($block, $left, $request);
                Test::Nginx::Expect::check_response($block, $response, $i,
                    $many, $repeat);
                $left = $response->{left};
            }
            check_logs($block, $repeat, $ignored);
            $i++;
        }

        $test->diag($block->name, ' - ', length $left,
            ' bytes more than a response') if !$ignored && $left ne '';
    }
}


sub check_connection {
    my ($block, $got) = @_;

    my $expected = Test::Nginx::Sections::value($block, 'curl_error');

    if (defined $expected) {
        chomp $expected if !ref $expected;
        $test->ok(Test::Nginx::Expect::matches($got->{curl_error},
            $expected), $block->name . ' - curl_error');
    }

    return if !defined $got->{problem}
              || defined Test::Nginx::Sections::value($block, 'abort');
    $test->ok(0, $block->name . " - $got->{problem}");
}


sub response {
    my ($block, $bytes, $request) = @_;

    return { code => 200, raw_headers => '', headers => {}, body => $bytes,
             left => '', problems => [] }
        if defined Test::Nginx::Sections::value($block, 'http09');

    return Test::Nginx::Client::parse($bytes, $request->{method});
}


sub check_logs {
    my ($block, $repeat, $ignored) = @_;

    my $wait = Test::Nginx::Sections::value($block, 'wait');

    sleep $wait if defined $wait;
    check_error_log($block, $repeat);
    return if $ignored;
    Test::Nginx::Expect::check_log($block, $running{access}, 'access_log',
        'no_access_log', $repeat);
    Test::Nginx::Expect::move_on($running{access});
}


sub check_error_log {
    my ($block, $repeat) = @_;

    my $log = $running{error};

    Test::Nginx::Expect::check_grep($block, $log, $repeat);
    Test::Nginx::Expect::check_log($block, $log, 'error_log',
        'no_error_log', $repeat);
    Test::Nginx::Expect::check_assertions($block, $log);
    Test::Nginx::Expect::move_on($log) if !$accumulate;
}


# Ends the nginx of the block before and looks at all that it left.
sub stop_nginx {
    my $problem = Test::Nginx::Util::stop();
    return if !%running;

    my $block = $running{block};
    my $name = $block->name;

    push @alerts, "$name: $problem" if defined $problem;
    if (!defined Test::Nginx::Sections::value($block, 'must_die')) {
        Test::Nginx::Expect::check_log($block, $running{error},
            'shutdown_error_log', 'no_shutdown_error_log', 0);
    }

    my $log = Test::Nginx::Util::read_file($running{error}{path});
    push @alerts, map { "$name: $_" }
        Test::Nginx::Expect::unlisted($block, $log);
    push @reports, map { "$name:\n$_" } sanitizer_reports();

    keep_log($name, $log);
    %running = ();
}


sub sanitizer_reports {
    return grep { /^==\d+==\s*(?:ERROR|WARNING): \w+Sanitizer/m
                  || index($_, 'WARNING: ThreadSanitizer') >= 0
                  || index($_, ' runtime error: ') >= 0 }
        map { Test::Nginx::Util::read_file($_) }
            glob(server_root() . '/logs/sanitizer*'),
            server_root() . '/logs/stderr.log', $running{error}{path};
}


sub keep_log {
    my ($name, $log) = @_;

    my $path = $ENV{TEST_NGINX_ERROR_LOG};
    return if !defined $path;

    open my $file, '>>:raw', $path or die "$path: $!\n";
    print $file "=== $name\n$log";
    close $file;
}


END {
    if ($$ == $owner) {
        my $status = $?;
        clean_up();
        $? = $status;
    }
}


1;
