# setter_call: requests that workers answer.  Here the test plays the worker,
# t/316-call.t has a real one.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Http;
use Setter::Keys;
use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use JSON::XS;
use Time::HiRes qw(sleep time);

our $acme = Setter::Keys::bearer('acme');
our $inbox = 'setter:{mm}:inbox';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', <<'EOC') if !defined $block->config;
    location ~ ^/api/things(?:/(?<rest>.*))?$ {
        setter_verify key;
        setter_call   things path=$rest timeout=5s;
    }
    location /plain {
        setter_verify key;
        setter_call   plain;
    }
    location /hasty {
        setter_verify key;
        setter_call   hasty timeout=100ms;
    }
    location /health { setter_api health; }
EOC
    $block->set_value('request', 'GET /health') if !defined $block->request;
    $block->set_value('post_setup_server_root', 'Setter::Keys::grant('
        . "Setter::Suite::redis(), [qw(acme other)]);\n");
});

sub redis { Setter::Suite::redis() }

sub ask {
    my ($method, $path, $body, @headers) = @_;
    return Setter::Http->new(server_port_for_client(), $method, $path, $body,
        @headers ? @headers : $acme);
}

# The n-th call that came to the inbox.
sub call_in {
    my ($n) = @_;
    my $end = time + 15;
    my $entry;

    sleep 0.005 while !($entry = (redis()->xrange($inbox, '-', '+'))[$n])
        && time < $end;
    return $entry && decode_json({ @{ $entry->[1] } }->{j});
}

# Answers it, as workers do.
sub reply {
    my ($call, %fields) = @_;
    redis()->xadd($call->{data}{reply}, '*', id => $call->{id}, %fields);
}

# Status, type and body of an answer.
sub told {
    my ($answer) = @_;
    my ($type) = $answer->{head} =~ /^Content-Type: (\S+)/mi;
    return "$answer->{status} $type $answer->{text}\n";
}

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: method, path and query go to the worker, its answer comes back
--- response_body_filters eval
sub {
    my $request = main::ask('GET', '/api/things/a%20b/c?limit=2&x=%22');
    my $call = main::call_in(0);
    main::reply($call, status => 200, body => '{"n":1}');
    my $data = $call->{data};
    return "$call->{kind} $call->{tenant} $data->{call} "
        . CORE::join('|', map { "$_=$data->{args}{$_}" }
            sort keys %{ $data->{args} }) . "\n"
        . main::told($request->answer);
}
--- response_body
call acme things method=GET|path=a b/c|query=limit=2&x=%22
200 application/json {"n":1}



=== TEST 2: without a path; a POST, whose body is nobody's
--- response_body_filters eval
sub {
    my $request = main::ask('POST', '/plain', '{"a":1}');
    my $call = main::call_in(0);
    main::reply($call, status => 200, body => '{}');
    return CORE::join('|', map { "$_=$call->{data}{args}{$_}" }
        sort keys %{ $call->{data}{args} }) . "\n"
        . main::told($request->answer);
}
--- response_body
method=POST
200 application/json {}



=== TEST 3: a worker's problem is one, and no other type is taken
--- response_body_filters eval
sub {
    my $text = '';
    for my $case ([404, 'application/problem+json'], [200, 'text/html']) {
        my $request = main::ask('GET', '/plain');
        my $call = main::call_in($text ? 1 : 0);
        main::reply($call, status => $case->[0], type => $case->[1],
            body => '{}');
        $text .= main::told($request->answer);
    }
    return $text;
}
--- response_body
404 application/problem+json {}
200 application/json {}



=== TEST 4: errors of nginx's own are problems, too
--- response_body_filters eval
sub {
    return CORE::join '', map { main::told(main::ask(@$_)->answer) }
        ['GET', '/plain', undef, 'X-Nothing: 1'],
        ['GET', '/plain', undef, 'Authorization: Bearer stk_acme_x'],
        ['DELETE', '/plain'],
        ['GET', '/hasty'],
        ['GET', '/api/things/' . 'x' x 600];
}
--- response_body
401 application/problem+json {"type":"about:blank","title":"Unauthorized","status":401}
401 application/problem+json {"type":"about:blank","title":"Unauthorized","status":401}
405 application/problem+json {"type":"about:blank","title":"Method not allowed","status":405}
504 application/problem+json {"type":"about:blank","title":"No worker answered in time","status":504}
413 application/problem+json {"type":"about:blank","title":"Payload too large","status":413}



=== TEST 5: who leaves is forgotten, and the answer that comes then is nobody's
--- response_body_filters eval
sub {
    my $request = main::ask('GET', '/plain');
    my $call = main::call_in(0);
    undef $request;
    main::reply($call, status => 200, body => '{"old":1}');
    my $next = main::ask('GET', '/plain');
    main::reply(main::call_in(1), status => 200, body => '{"new":1}');
    return main::told($next->answer);
}
--- response_body
200 application/json {"new":1}
