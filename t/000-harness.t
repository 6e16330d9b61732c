# The harness itself: good blocks pass, and each kind of bad block fails.
# Small test files are written to a private directory and run from there.

use strict;
use warnings;

use FindBin;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

use lib "$FindBin::Bin/lib/harness";

use Test::Nginx::Util;

my $dir = tempdir('setter-harness-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $lib = "$FindBin::Bin/lib/harness";
my $count = 0;
our $env = '';

delete @ENV{grep { /^TEST_NGINX_/ && $_ ne 'TEST_NGINX_BINARY' } keys %ENV};

make_path("$dir/t");


# Runs blocks as a file of their own; returns its exit status and output.
sub run_file {
    my ($blocks, $preamble) = @_;

    my $file = sprintf 't/f%03d.t', ++$count;

    open my $out, '>', "$dir/$file" or die "$file: $!";
    my $plan = ($preamble // '') =~ /^plan / ? '' : "'no_plan'";
    print $out "use Test::Nginx::Socket $plan;\n", $preamble // '',
        "\nrun_tests();\n\n__DATA__\n\n$blocks";
    close $out;

    my $output = `cd '$dir' && $env '$^X' -I'$lib' $file 2>&1 < /dev/null`;
    return ($? >> 8, $output);
}


# The blocks of a file all fail, each by exactly the one test named.
sub fails {
    my ($preamble, @cases) = @_;

    my $n = 0;
    my (undef, $output) = run_file(join("\n\n\n",
        map { $n++; "=== CASE $n.\n$_->[1]" } @cases), $preamble);
    my %failed;

    push @{ $failed{$1} }, $2
        while $output =~ /^not ok \d+ - \S+ CASE (\d+)\. - (.*)$/mg;

    for my $i (1 .. $n) {
        my ($what, undef, $test) = @{ $cases[$i - 1] };
        my @found = @{ delete $failed{$i} || [] };
        ok(@found == 1 && $found[0] =~ $test, "$what fails")
            or diag(@found ? map { "$_\n" } @found : $output);
    }
    is_deeply(\%failed, {}, 'nothing else failed');
}


# The file ends with this message before it has tested anything.
sub dies {
    my ($what, $blocks, $message, $preamble) = @_;

    my ($status, $output) = run_file($blocks, $preamble);

    ok($status != 0 && $output =~ $message && $output !~ /^ok /m,
        "$what ends the run") or diag($output);
}


my $config = <<'EOC';
--- config
    location /t { return 200 "hello\n"; }
    location /201 { return 201 "made"; }
    location /json { return 200 '{"b": 1, "a": [2]}'; }
    location /port {
        add_header X-Port $server_port;
        return 200 "$server_port $TEST_NGINX_SERVER_PORT";
    }
    location /echo { return 200 "$request_method $http_x $content_length"; }
    location /two { add_header X-A 1; add_header X-A 2; return 200 ""; }
    location /hang { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_9; }
EOC
my $get = "$config--- request\nGET /t\n";


my ($status, $output) = run_file(<<"EOB", <<'EOP');
=== good 1: equal body, headers, logs
$config--- request
    GET /t
--- response_body
hello
--- response_headers
Content-Type: text/plain
! X-Absent
--- error_log eval
[qr/http (\\w+) line/, 'GET /t']
--- no_error_log
[error]
--- access_log
GET /t HTTP/1.1
--- no_access_log
POST
--- grep_error_log eval: qr/http request line: "\\w+/
--- grep_error_log_out
http request line: "GET



=== good 2: several requests, each on a connection, one cut into packets
$config--- request eval
["POST /echo\\nabc", [["PUT", " /echo\\nab", {value => "cd",
  delay_before => 0.05}]]->[0], "GET /201"]
--- more_headers eval
["X: 1", "X: 2", ""]
--- error_code eval
[200, 200, 201]
--- response_body eval
["POST 1 3", "PUT 2 4", qr/^ma/]



=== good 3: pipelined
$config--- pipelined_requests eval
["GET /echo", "GET /201"]
--- error_code_like eval
['^200\$', '^201\$']
--- response_body eval
["GET  ", "made"]



=== good 4: raw request, half-closed
$config--- raw_request eval
["GET /echo HTTP/1.0\\r\\nX: r", "aw\\r\\n\\r\\n"]
--- raw_request_middle_delay: 0.05
--- shutdown
--- response_body chomp
GET raw 
--- raw_response_headers_like: ^HTTP/1\\.1 200 OK\\r\\n.*Content-Length: 8
--- raw_response_headers_unlike: X-Port



=== good 5: HTTP/2
--- config
    location /h { return 200 "\$server_protocol"; }
--- http2
--- request
GET /h
--- response_body: HTTP/2.0
--- response_headers_like
Content-Type: text/p.*n



=== good 6: nginx refuses its configuration
--- config
    no_such_directive;
--- must_die: 1
--- suppress_stderr
--- error_log
unknown directive "no_such_directive"



=== good 7: keep-alive and abort
$config--- more_headers
Connection: keep-alive
--- request
GET /t
--- timeout: 100ms
--- abort
--- response_body
hello



=== good 8: mock servers, ports, files
--- config
    location /proxy { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1/; }
--- tcp_listen: \$TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
["HTTP/1.0 200 OK\\r\\n", "\\r\\nmock"]
--- tcp_query eval
qr{^GET / HTTP/1.0}
--- user_files
>>> sub/a.txt 202601010000
file a
>>> b.txt
--- request eval
["GET /proxy", "GET /sub/a.txt"]
--- response_body eval
["mock", "file a\\n"]



=== good 9: a configuration used again, body filters
--- request
GET /b.txt
--- error_code: 404
--- response_body_filters: lc length
--- response_body_like: ^\\d+\$



=== good 10: JSON sorted, several header values, server port
$config--- response_body_json_sort
--- request eval
["GET /json", "GET /two", "GET /port"]
--- response_headers eval
["Content-Type: text/plain", "X-A: 1, 2", "X-Port: \\\$ServerPort"]
--- response_body_like eval
['"a":.2.,"b":1', '\\A\\n?\\z', '"?(\\d+) \\1"?']



=== good 11: what nginx logs when it ends; a hook before its start
$config--- post_setup_server_root
Test::Nginx::Util::write_file(Test::Nginx::Util::html_dir() . '/p', 'post');
--- request
GET /p
--- response_body: post
--- shutdown_error_log
exit
--- no_shutdown_error_log
unheard of



=== good 12: a block that is not there
--- SKIP
--- nonsense



=== good 13: not for this nginx
--- skip_nginx: 2: >= 0.1.0: too new
$get--- error_code: 999



=== good 14: a chunked body is sent as it stands
$config--- more_headers
Transfer-Encoding: chunked
--- request eval
"POST /echo\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n"
--- response_body_like: ^POST 
EOB
repeat_each(2);
no_shuffle();
add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('timeout', '5s') if !defined $block->timeout;
});
EOP

is($status, 0, 'good blocks pass') or diag($output);
ok($output !~ /^not ok/m, 'none of their tests fails');
ok($output =~ /^ok \d+ # skip .* - too new$/m, 'a skipped block says why');

# twice what a repetition counts by block, then the refused configuration,
# the log at the end, and the file's own
like($output, qr/^1\.\.@{[ 2 * (10 + 6 + 4 + 4 + 3 + 2 + 5 + 2 + 9 + 2 + 2 + 2)
    + 2 + 2 + 2 ]}$/m, 'as many tests as the format counts, and the two');


($status, $output) = run_file(<<"EOB");
=== todo 1: a failure that is known
$get--- todo: 1: not made yet
--- error_code: 404



=== udp 2: a resolver asks, and is answered nonsense
--- config
    resolver 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 ipv6=off;
    resolver_timeout 200ms;
    location /u {
        set \$name name.example;
        proxy_pass http://\$name;
    }
--- udp_listen: \$TEST_NGINX_RAND_PORT_1
--- udp_reply: nonsense
--- udp_query eval
qr/\\x04name\\x07example/
--- request
GET /u
--- error_code: 502



=== skip 3: between two versions
--- skip_nginx2: 1: >= 0.1.0 and < 99.0.0: in between
$get--- error_code: 999
EOB
ok($status == 0 && $output =~ /^not ok \d+ .*# TODO not made yet$/m
    && $output =~ /^ok \d+ - .* - udp_query$/m
    && $output =~ /^ok \d+ # skip .* - in between$/m,
    'todo, udp, two conditions') or diag($output);


fails('no_shuffle(); timeout(0.3);',
    ['a wrong status', "$get--- error_code: 404\n", qr/^status/],
    ['a 201 with no error_code', "$config--- request\nGET /201\n",
     qr/^status/],
    ['a status unlike the pattern', "$get--- error_code_like: ^[45]\n",
     qr/^status/],
    ['a wrong header', "$get--- response_headers\nContent-Type: a/b\n",
     qr/^header Content-Type/],
    ['a missing header', "$get--- response_headers\nX-Not: there\n",
     qr/^header X-Not/],
    ['a header that must not be',
     "$get--- response_headers\n! Content-Type\n", qr/^no header/],
    ['a header that is only partly like',
     "$get--- response_headers_like\nContent-Type: text\n", qr/^header/],
    ['raw headers unlike', "$get--- raw_response_headers_like: X-Not\n",
     qr/^raw headers/],
    ['raw headers like', "$get--- raw_response_headers_unlike: text\n",
     qr/^raw headers/],
    ['a wrong body', "$get--- response_body chomp\nhello\n", qr/^body/],
    ['a body unlike a regex', "$get--- response_body eval\nqr/^h\$/\n",
     qr/^body/],
    ['a body unlike', "$get--- response_body_like: ^h\$\n", qr/^body/],
    ['a body like', "$get--- response_body_unlike: ll\n", qr/^body/],
    ['a filtered body',
     "$get--- response_body_filters: uc\n--- response_body\nhello\n",
     qr/^body/],
    ['a sorted body', "$config--- request\nGET /json\n"
     . "--- response_body_json_sort\n--- response_body\n{\"b\":1}\n",
     qr/^body/],
    ['a missing log line', "$get--- error_log\nno such line\n",
     qr/^error_log: "no such line"/],
    ['an unwanted log line', "$get--- no_error_log\nGET /t\n",
     qr/^no_error_log: "GET/],
    ['other grepped lines', "$get--- grep_error_log: GET /t\n"
     . "--- grep_error_log_out\nGET /u\n", qr/^grep_error_log/],
    ['a missing access log line', "$get--- access_log\nPOST\n",
     qr/^access_log/],
    ['an unwanted access log line', "$get--- no_access_log\nGET\n",
     qr/^no_access_log/],
    ['a missing line at the end', "$get--- shutdown_error_log\nunheard\n",
     qr/^shutdown_error_log/],
    ['an unwanted line at the end',
     "$get--- no_shutdown_error_log\nexit\n", qr/^no_shutdown_error_log/],
    ['the second of several', "$config--- request eval\n"
     . "['GET /t', 'GET /t']\n--- response_body eval\n"
     . "[\"hello\\n\", 'x']\n", qr/^body \(repetition 0, response 1/],
    ['the second of a pipeline', "$config--- pipelined_requests eval\n"
     . "['GET /t', 'GET /t']\n--- error_code eval\n[200, 404]\n",
     qr/^status/],
    ['a server that stays silent', "$get--- more_headers\n"
     . "Connection: keep-alive\n", qr/^timed out after/],
    ['a start that should fail', "$config--- must_die\n",
     qr/^nginx does not start/],
    ['another exit code', "--- config\n    nonsense;\n--- must_die: 7\n"
     . "--- suppress_stderr\n", qr/^nginx does not start/],
    ['a configuration that fails', "--- config\n    nonsense;\n"
     . "--- request\nGET /\n--- error_log\nnonsense\n", qr/^nginx starts/],
    ['another query', "--- config\n    location /p {"
     . " proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; }\n"
     . "--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply eval\n"
     . "\"HTTP/1.0 200 OK\\r\\n\\r\\n\"\n--- tcp_query eval\nqr/POST/\n"
     . "--- request\nGET /p\n", qr/^tcp_query/],
    ['a mock that nobody calls', "$get--- tcp_listen:"
     . " \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply: x\n--- tcp_query_len: 5\n",
     qr/^tcp_query_len/],
    ['another curl error', "$config--- http2\n--- request\nGET /t\n"
     . "--- curl_error: refused\n", qr/^curl_error/],
);


my $append = <<'EOC';
--- init
open my $log, '>>', Test::Nginx::Util::server_root() . '/logs/FILE';
print $log "LINE\n";
close $log;
EOC
my $now = '2026/11/20 10:30:00';
my $end = 'no unlisted \[alert\] or \[emerg\], every nginx quit';

for my $case (
    ['an unlisted alert', 'error.log', "$now [alert] 1#1: odd", $end],
    ['an unlisted emerg', 'error.log', "$now [emerg] 1#1: odd", $end],
    ['a sanitizer\'s report', 'sanitizer.1',
     '==9==ERROR: AddressSanitizer: heap-use-after-free', 'no report'],
    ['undefined behaviour', 'error.log', 'a.c:1:2: runtime error: shift',
     'no report'])
{
    my ($what, $file, $line, $test) = @$case;
    my $init = $append =~ s/FILE/$file/r =~ s{LINE}{$line}r;
    ($status, $output) = run_file("=== TEST\n$get$init");
    my @failed = $output =~ /^not ok \d+ - (.*)$/mg;
    ok($status != 0 && @failed == 1 && $failed[0] =~ $test,
        "$what fails the file") or diag($output);
}

my $listed = $append =~ s/FILE/error.log/r
    =~ s{LINE}{$now [alert] 1#1: listed}r;
($status, $output) = run_file("=== T\n$get$listed--- error_log\nlisted\n");
is($status, 0, 'an alert that is listed passes') or diag($output);

($status, $output) = run_file("=== TEST\n$get", <<'EOP');
$Test::Nginx::Util::QUIT_TIME = 0.3;
add_response_body_check(sub { kill 'STOP', Test::Nginx::Util::pid() });
EOP
like($output, qr/^not ok \d+ - $end$/m, 'an nginx that does not quit fails');
ok($output =~ /nginx (\d+) did not quit/ && Test::Nginx::Util::gone($1),
    'and is killed') or diag($output);

($status, $output) = run_file("=== TEST\n$get", 'plan tests => 1;');
ok($status == 0 && $output =~ /^1\.\.3$/m, 'a plan has two tests more')
    or diag($output);


# environment: [what, variables, blocks, preamble, exit status, output]
my $free = Test::Nginx::Util::free_port();

for my $case (
    ['a port and a server root of one\'s own',
     "TEST_NGINX_PORT=$free TEST_NGINX_SERVROOT='$dir/own'",
     "$config--- request\nGET /port\n--- response_body: $free $free\n"
     . "--- init\n-d '$dir/own/logs' or die 'not there'\n", '', 0,
     qr/^1\.\.4$/m],
    ['blocks in their order', 'TEST_NGINX_NO_SHUFFLE=1',
     join("\n=== T\n", map { "$config--- request\nGET /201\n"
         . "--- error_code: 20$_\n" } 1 .. 9), '', 8,
     qr/^ok 1 .*^not ok 2 .*^not ok 9 /ms],
    ['a directive that is not there', 'TEST_NGINX_IGNORE_MISSING_DIRECTIVES=1',
     "--- config\n    nonsense;\n--- request\nGET /\n", '', 0,
     qr/^ok 1 # skip .*there is no directive nonsense$/m],
    ['a time-out', 'TEST_NGINX_TIMEOUT=0.2',
     "$get--- more_headers\nConnection: keep-alive\n", '', 1,
     qr/timed out after 0\.2 s/],
    ['a log level', 'TEST_NGINX_LOG_LEVEL=notice',
     "$get--- no_error_log\n[debug]\n", '', 0, qr/^1\.\.4$/m],
    ['all logs in one file', "TEST_NGINX_ERROR_LOG='$dir/all.log'",
     "$get--- shutdown_error_log\nexit\n", '', 0, qr/^1\.\.4$/m],
    ['another program', 'TEST_NGINX_BINARY=/bin/false', $get, '', 1,
     qr/^not ok 1 - .* - nginx starts$/m],
    ['a module', 'TEST_NGINX_LOAD_MODULES=/none/such.so', $get, '', 2,
     qr{dlopen\(\) "/none/such.so" failed}],
    ['what is not supported', 'TEST_NGINX_USE_HUP=1', $get, '', 255,
     qr/TEST_NGINX_USE_HUP is not supported/])
{
    my ($what, $variables, $blocks, $preamble, $wanted, $says) = @$case;
    local $env = $variables;
    ($status, $output) = run_file("=== T\n$blocks", $preamble);
    ok($status == $wanted && $output =~ $says, "$what by the environment")
        or diag("exit status $status\n$output");
}
ok(-s "$dir/all.log", 'the one file has the logs');


# two at the same time, each with its port and its root
my @both = map {
    open my $pipe, '-|', "cd '$dir' && '$^X' -I'$lib' t/f001.t 2>&1"
        or die "fork: $!";
    $pipe;
} 1 .. 2;
local $/;
is(scalar(grep { my $text = <$_>; close $_ && $text !~ /^not ok/m } @both), 2,
    'two runs side by side do not meet');
$/ = "\n";


dies('an unknown section', "=== T\n$get--- eror_code: 200\n",
    qr/unknown section "eror_code"/);
dies('a section that stands twice', "=== T\n$get--- wait: 0\n--- wait: 0\n",
    qr/"wait" stands twice/);
dies('eval that does not compile', "=== T\n$get--- error_code eval\n[200\n",
    qr/T: eval: .*syntax error/s);
dies('an undefined name', "=== T\n--- config\n    \$TEST_NGINX_NONE;\n"
    . "--- request\nGET /\n", qr/\$TEST_NGINX_NONE is not in/);
dies('init that dies', "=== T\n$get--- init\ndie 'of init'\n",
    qr/T: init: of init/);
dies('wait with a unit', "=== T\n$get--- wait: 1s\n", qr/plain number/);
dies('a time-out in no unit', "=== T\n$get--- timeout: 1x\n",
    qr/"1x" is no time/);
dies('scalars for several requests', "=== T\n$config--- request eval\n"
    . "['GET /t', 'GET /t']\n--- error_code: 200\n", qr/must be an array/);
dies('no configuration', "=== T\n--- request\nGET /\n", qr/no config/);
dies('no request', "=== T\n$config", qr/neither a request nor must_die/);
dies('use_hup', "=== T\n$get", qr/use_hup is not supported/, 'use_hup();');

for my $section (qw(http3 reload_fails)) {
    dies($section, "=== T\n$get--- $section\n", qr/unknown section/);
}

for my $pair (
    ['response_body: a', 'response_body_like: b'],
    ['response_body: a', 'response_body_unlike: b'],
    ['response_body_like: a', 'response_body_unlike: b'],
    ['error_code_like: 2', 'error_code: 200'],
    ['response_headers: A: b', 'response_headers_like: A: b'],
    ['ignore_response', 'error_code: 200'],
    ['ignore_response', 'access_log: x'],
    ['must_die', 'request: GET /'],
    ['http2', 'shutdown'])
{
    my ($winner, $ignored) = map { /^(\w+)/ } @$pair;
    my $request = $winner eq 'must_die' ? '' : "--- request: GET /\n";
    dies("\"$ignored\" beside \"$winner\"",
        "=== T\n$config$request" . join('', map { "--- $_\n" } @$pair),
        qr/"$ignored" is ignored beside "$winner"/);
}

for my $section ('grep_error_log: a', 'grep_error_log_out: a',
    'tcp_listen: 1', 'tcp_reply: a', 'udp_query: a', 'curl_options: -k',
    'raw_request_middle_delay: 1', 'response_body_filters: lc')
{
    my ($name) = $section =~ /^(\w+)/;
    dies("\"$name\" alone", "=== T\n$get--- $section\n",
        qr/"$name" needs "/);
}

my @left = grep { !Test::Nginx::Util::gone($_) }
    map { Test::Nginx::Util::read_file($_) =~ /(\d+)/ }
    glob "$dir/t/servroot_*/logs/nginx.pid";
is("@left", '', 'no nginx is left');

done_testing();
