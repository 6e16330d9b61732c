# setter_api job: what became of a job, told by a worker.  Here the test plays
# the worker, t/315-send.t has a real one.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Http;
use Setter::Keys;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

use JSON::XS;
use Time::HiRes qw(sleep time);

our $acme = Setter::Keys::bearer('acme');
our $other = Setter::Keys::bearer('other');
our $id = '019ab000-0000-7000-8000-000000000001';
our $inbox = 'setter:{mm}:inbox';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', <<'EOC') if !defined $block->config;
    setter_verify key;
    location ~ ^/api/jobs/(?<job>[^/]+)$ { setter_api job id=$job timeout=5s; }
    location ~ ^/hasty/(?<job>[^/]+)$ { setter_api job id=$job timeout=100ms; }
    location /health { setter_api health; }
EOC
    $block->set_value('request', 'GET /health') if !defined $block->request;
    $block->set_value('post_setup_server_root', 'Setter::Keys::grant('
        . "Setter::Suite::redis(), [qw(acme other)]);\n")
        if !defined $block->fake;
});

sub until_true {
    my ($condition) = @_;
    my $end = time + 15;

    while (time < $end) {
        my $result = $condition->();
        return $result if $result;
        sleep 0.005;
    }
    return;
}

sub redis { Setter::Suite::redis() }

sub ask {
    my ($path, @headers) = @_;
    return Setter::Http->new(server_port_for_client(), 'GET', $path, undef,
        @headers ? @headers : $acme);
}

# The n-th call that came to the inbox: { header fields, job => envelope }.
sub call_in {
    my ($n) = @_;
    my $entry = until_true(sub { (redis()->xrange($inbox, '-', '+'))[$n] })
        or return;
    my %fields = @{ $entry->[1] };
    my %call = (job => decode_json($fields{j}));

    @call{qw(version id tenant kind lane)} = split /\t/, $fields{h};
    return \%call;
}

# Answers it, as workers do.
sub reply {
    my ($call, $status, $body) = @_;
    my $stream = $call->{job}{data}{reply};

    redis()->xadd($stream, 'MAXLEN', '~', 1000, '*', id => $call->{id},
        status => $status, body => $body);
    redis()->pexpire($stream, 60000);
}

sub master {
    open my $file, '<', server_root() . '/logs/nginx.pid' or die "pid: $!";
    return <$file> + 0;
}

sub workers_of {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/task/$pid/children" or return;
    return split ' ', <$file> // '';
}

sub logged {
    my ($line) = @_;
    open my $log, '<', server_root() . '/logs/error.log' or return;
    return scalar grep { $_ =~ $line } <$log>;
}

sub connections {
    return scalar grep { /setter-nginx/ } redis()->client('LIST') =~ /^.*$/mg;
}

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a call is a job on a lane of its own, and its answer is the answer
--- response_body_filters eval
sub {
    my $request = main::ask("/api/jobs/$main::id");
    my $call = main::call_in(0);
    main::reply($call, 200, '{"id":"x","status":"done"}');
    my $answer = $request->answer;
    my $job = $call->{job};

    return CORE::join "\n", "$answer->{status} $answer->{text}",
        $answer->{head} =~ /application\/json/ ? 'JSON' : $answer->{head},
        "$call->{kind} $job->{data}{tenant} "
            . ($call->{lane} eq "setter/call/$call->{id}" ? 'own lane' : ''),
        "$job->{id}" eq $call->{id} ? 'same id' : 'another id',
        "$job->{data}{call} $job->{data}{args}{id}",
        $job->{data}{reply} =~ /^setter:\{mm\}:reply:[0-9a-f-]{36}$/
            ? 'a stream' : $job->{data}{reply},
        $job->{data}{deadline} - 1000 * Time::HiRes::time() > 3000
            ? "in time\n" : "late\n";
}
--- response_body
200 {"id":"x","status":"done"}
JSON
call acme own lane
same id
job 019ab000-0000-7000-8000-000000000001
a stream
in time
--- no_error_log
[error]



=== TEST 2: many at once, answered in another order, each with its own
--- response_body_filters eval
sub {
    my @requests = map { main::ask("/api/jobs/$main::id") } 1 .. 30;
    my @calls = map { main::call_in($_) } 0 .. 29;
    my %stream = map { $_->{job}{data}{reply} => 1 } @calls;
    main::reply($_, 200, qq({"n":"$_->{id}"})) for CORE::reverse(@calls);
    my %seen = map { $_->answer->{json}{n} => 1 } @requests;

    return scalar(keys %stream) . ' stream, '
        . grep({ $seen{ $_->{id} } } @calls) . ' answers, '
        . main::connections() . ' connections';
}
--- response_body chomp
1 stream, 30 answers, 2 connections



=== TEST 3: no second connection for who does not need it
--- request
GET /health
--- response_body_filters eval
sub { main::connections() . ' connection' }
--- response_body chomp
1 connection



=== TEST 4: errors are the worker's to tell, with its status
--- response_body_filters eval
sub {
    my @requests = map { main::ask("/api/jobs/$main::id") } 1 .. 3;
    main::reply(main::call_in(0), 404, '{"status":"ERROR"}');
    main::reply(main::call_in(1), 503, '{"status":"ERROR"}');
    main::reply(main::call_in(2), 'x', '{}');
    return CORE::join ',', sort map { $_->answer->{status} } @requests;
}
--- response_body chomp
404,500,503
--- error_log
a worker answered with status "x"



=== TEST 5: no worker answers in time
--- request eval
"GET /hasty/$::id"
--- more_headers eval
$::acme
--- error_code: 504
--- response_body chomp
{"id":null,"status":"ERROR","message":"No worker answered in time"}
--- queued: 1



=== TEST 6: an answer that is late, or to nobody, harms nobody
--- response_body_filters eval
sub {
    my $late = main::ask("/hasty/$main::id");
    my $status = $late->answer->{status};
    my $call = main::call_in(0);
    my $request = main::ask("/api/jobs/$main::id");
    my $next = main::call_in(1);

    main::reply($call, 200, '{"late":1}');
    main::redis()->xadd($call->{job}{data}{reply}, '*', 'odd', 'x');
    main::redis()->xadd($call->{job}{data}{reply}, '*', 'id', 'x', 'body', 'y');
    main::reply($next, 200, '{"next":1}');
    return "$status, $next->{job}{data}{reply}" ne
        "$status, $call->{job}{data}{reply}" ? 'two streams'
        : "$status, " . $request->answer->{text};
}
--- response_body chomp
504, {"next":1}
--- no_error_log
[error]



=== TEST 7: ids that are none
--- request eval
[map { "GET /api/jobs/$_" } 'x', '019AB000-0000-7000-8000-000000000001',
 '019ab000-0000-7000-8000-00000000000', '%0a', $::id . '%0a', 'a' x 300,
 '%ff%fe']
--- more_headers eval
[($::acme) x 7]
--- error_code eval
[(404) x 7]
--- response_body eval
[('{"id":null,"status":"ERROR","message":"No such job"}') x 7]
--- queued eval
[(0) x 7]



=== TEST 8: who may ask
--- request eval
[("GET /api/jobs/$::id") x 2, "POST /api/jobs/$::id", "HEAD /api/jobs/$::id"]
--- more_headers eval
["", Setter::Keys::bearer('third'), $::acme, $::acme]
--- error_code eval
[401, 401, 405, 405]
--- response_headers eval
["WWW-Authenticate: Bearer", "WWW-Authenticate: Bearer", "Allow: GET",
 "Allow: GET"]
--- queued eval
[0, 0, 0, 0]



=== TEST 9: the tenant is the key's
--- response_body_filters eval
sub {
    my $request = main::ask("/api/jobs/$main::id", $main::other,
        'Host: acme.example.com');
    my $call = main::call_in(0);
    main::reply($call, 200, '{}');
    return "$call->{job}{data}{tenant} $call->{job}{tenant} "
        . $request->answer->{status};
}
--- response_body chomp
other setter 200



=== TEST 10: a caller that left
--- response_body_filters eval
sub {
    my $request = main::ask("/api/jobs/$main::id");
    my $call = main::call_in(0);
    $request->close;
    my $noticed = main::until_true(sub {
        open my $log, '<', main::server_root() . '/logs/access.log' or return;
        grep { / 499 / } <$log>;
    });
    main::reply($call, 200, '{}');
    my $next = main::ask("/api/jobs/$main::id");
    main::reply(main::call_in(1), 200, '{"next":1}');
    return ($noticed ? 499 : 0) . ' ' . $next->answer->{text};
}
--- response_body chomp
499 {"next":1}



=== TEST 11: Redis cuts both connections while a worker thinks
--- response_body_filters eval
sub {
    my $request = main::ask("/api/jobs/$main::id");
    my $call = main::call_in(0);
    main::until_true(sub { main::redis()->info('clients')->{blocked_clients} });
    main::redis()->client(KILL => TYPE => 'normal', SKIPME => 'yes');
    main::reply($call, 200, '{"kept":1}');
    return $request->answer->{text};
}
--- response_body chomp
{"kept":1}
--- error_log
(bell) is away: connection closed by Redis



=== TEST 12: the answer was there before the bell could listen
--- response_body_filters eval
sub {
    my $redis = main::redis();
    $redis->config(SET => 'maxclients', 2);
    my $request = main::ask("/api/jobs/$main::id");
    my $call = main::call_in(0);
    main::reply($call, 200, '{"kept":1}');
    my $early = $request->answered ? 'early' : 'waits';
    main::until_true(sub { main::logged(qr/bell\) is away/) });
    $redis->config(SET => 'maxclients', 1000);
    return "$early " . $request->answer->{text};
}
--- response_body chomp
waits {"kept":1}
--- error_log
(bell) is away



=== TEST 13: reload and quit while a call waits: it is answered
--- response_body_filters eval
sub {
    my @seen;
    for my $signal (qw(HUP QUIT)) {
        my ($old) = main::workers_of(main::master());
        my $request = main::ask("/api/jobs/$main::id");
        my $call = main::call_in(scalar @seen);
        kill $signal, $signal eq 'HUP' ? main::master() : $old;
        main::until_true(sub { main::logged(qr/#$old: gracefully shutting/) });
        main::reply($call, 200, '{}');
        push @seen, $request->answer->{status};
        main::until_true(sub {
            !grep { $_ == $old } main::workers_of(main::master())
        }) or push @seen, 'stayed';
    }
    return "@seen";
}
--- response_body chomp
200 200
--- no_error_log
[alert]
[error]



=== TEST 14: an idle bell does not keep a process
--- response_body_filters eval
sub {
    my ($old) = main::workers_of(main::master());
    my $request = main::ask("/api/jobs/$main::id");
    main::reply(main::call_in(0), 200, '{}');
    my $status = $request->answer->{status};
    my $start = Time::HiRes::time();
    kill 'HUP', main::master();
    my $left = main::until_true(sub {
        !grep { $_ == $old } main::workers_of(main::master()) });
    return "$status " . ($left ? 'left' : 'stayed');
}
--- response_body chomp
200 left
--- no_error_log
[alert]



=== TEST 15: Redis is away
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- request eval
"GET /api/jobs/$::id"
--- more_headers eval
$::acme
--- error_code: 503
--- raw_response_headers_like: Retry-After: \d
