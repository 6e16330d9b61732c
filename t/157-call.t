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
    location /admin {
        setter_verify key admin=first-token admin=second-token;
        setter_tenant $arg_tenant;
        setter_tenant setter;
        setter_call   admin;
    }
    location /few {
        setter_verify key admin=first-token;
        setter_tenant $arg_tenant;
        setter_call   few max=2;
    }
    location /health { setter_api health; }
EOC
    $block->set_value('request', 'GET /health')
        if !defined $block->request && !defined $block->must_die;
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

sub compact { JSON::XS->new->canonical->encode($_[0]) }

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
    return "$call->{kind} $data->{tenant} $data->{call} "
        . CORE::join('|', map { "$_=$data->{args}{$_}" }
            sort keys %{ $data->{args} }) . "\n"
        . main::told($request->answer);
}
--- response_body
call acme things method=GET|path=a b/c|principal=key|query=limit=2&x=%22
200 application/json {"n":1}



=== TEST 2: without a path; a body and a version go along
--- response_body_filters eval
sub {
    my $text = '';
    for my $method ('POST', 'PATCH', 'DELETE') {
        my $request = main::ask($method, '/plain',
            $method eq 'DELETE' ? undef : '{"a":[1, "x"]}',
            $main::acme, 'If-Match: "7"',
            'Content-Type: application/merge-patch+json');
        my $call = main::call_in($method eq 'POST' ? 0
            : $method eq 'PATCH' ? 1 : 2);
        my $args = $call->{data}{args};
        main::reply($call, status => 200, body => '{}');
        $args->{body} = main::compact($args->{body}) if $args->{body};
        $text .= CORE::join('|', map { "$_=$args->{$_}" } sort keys %$args)
            . "\n" . main::told($request->answer);
    }
    return $text;
}
--- response_body
body={"a":[1,"x"]}|if_match="7"|method=POST|principal=key
200 application/json {}
body={"a":[1,"x"]}|if_match="7"|method=PATCH|principal=key
200 application/json {}
if_match="7"|method=DELETE|principal=key
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
        ['PUT', '/plain', '{}'],
        ['POST', '/plain', '{"a":1'],
        ['POST', '/plain', '[1]'],
        ['POST', '/plain', '{}', $main::acme, 'Content-Type: text/plain'],
        ['GET', '/plain', undef, $main::acme, 'If-Match: ' . 'x' x 300],
        ['GET', '/hasty'],
        ['GET', '/api/things/' . 'x' x 600];
}
--- response_body
401 application/problem+json {"type":"about:blank","title":"Unauthorized","status":401}
401 application/problem+json {"type":"about:blank","title":"Unauthorized","status":401}
405 application/problem+json {"type":"about:blank","title":"Method not allowed","status":405}
400 application/problem+json {"type":"about:blank","title":"Body is not a JSON object","status":400,"detail":"not valid JSON"}
400 application/problem+json {"type":"about:blank","title":"Body is not a JSON object","status":400,"detail":"not a JSON object"}
415 application/problem+json {"type":"about:blank","title":"Content-Type must be application/json","status":415}
413 application/problem+json {"type":"about:blank","title":"Payload too large","status":413}
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



=== TEST 6: what a worker's answer has beside its body becomes headers
--- response_body_filters eval
sub {
    my $text = '';
    for my $case ([201, etag => '"7"', location => '/api/things/1'],
                  [405, allow => 'GET'], [422, type => 'x'], [503],
                  [200, etag => "a\nSet-Cookie: b"]) {
        my ($status, %fields) = @$case;
        my $request = main::ask('GET', '/plain');
        main::reply(main::call_in($main::n++), status => $status,
            body => '{}', %fields);
        my $head = $request->answer->{head};
        my ($line) = $head =~ /^HTTP\S+ (.*?)\r?$/m;
        $text .= CORE::join('|', $line, $head
            =~ /^((?:ETag|Location|Allow|Retry-After|Set-Cookie): .*?)\r?$/mg)
            . "\n";
    }
    return $text;
}
--- response_body
201 Created|ETag: "7"|Location: /api/things/1
405 Not Allowed|Allow: GET
422 Unprocessable Content
503 Service Temporarily Unavailable|Retry-After: 1
500 Internal Server Error



=== TEST 7: a method that no call has
--- response_body_filters eval
sub {
    my ($allow) = main::ask('PUT', '/plain', '{}')->answer->{head}
        =~ /^Allow: (.*?)\r?$/m;
    return "$allow\n";
}
--- response_body
GET, POST, PATCH, DELETE



=== TEST 8: an administrator's token speaks for any tenant, a key for its own
--- response_body_filters eval
sub {
    my ($text, $n) = ('', 0);
    for my $case (['first-token', ''], ['second-token', '?tenant=initech'],
                  [$main::acme =~ /(stk_\S+)/, '?tenant=initech']) {
        my $request = main::ask('GET', "/admin$case->[1]", undef,
            "Authorization: Bearer $case->[0]");
        my $call = main::call_in($n++);
        main::reply($call, status => 200, body => '{}');
        $request->answer;
        $text .= "$call->{data}{tenant} $call->{data}{args}{principal}\n";
    }
    return $text . CORE::join '', map { main::ask('GET', '/admin', undef,
        "Authorization: $_")->answer->{status} . "\n" } 'Bearer first-toke',
        'Bearer first-tokens', 'Bearer ', 'Basic first-token';
}
--- response_body
setter admin
initech admin
acme key
401
401
401
401



=== TEST 9: an administrator's token is good where it is named, nowhere else
--- response_body_filters eval
sub { main::ask('GET', '/plain', undef,
    'Authorization: Bearer first-token')->answer->{status} . "\n" }
--- response_body
401



=== TEST 10: where tenants are known, one that is not, or is suspended, is told so
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants known;
--- config
    location /plain { setter_verify key admin=first-token;
        setter_tenant acme; setter_call plain; }
    location /health { setter_api health; }
--- response_body_filters eval
sub {
    my $text = main::told(main::ask('GET', '/plain')->answer);
    my $request = main::ask('GET', '/plain', undef,
        'Authorization: Bearer first-token');
    main::reply(main::call_in(0), status => 200, body => '{}');
    $text .= main::told($request->answer);
    main::redis()->sadd('setter:{mm}:known', 'acme');
    CORE::sleep(2);
    $request = main::ask('GET', '/plain');
    main::reply(main::call_in(1), status => 200, body => '{}');
    return $text . main::told($request->answer);
}
--- response_body
404 application/problem+json {"type":"about:blank","title":"Unknown tenant","status":404}
200 application/json {}
200 application/json {}



=== TEST 11: refused: an administrator's token that is empty
--- config
    location /x { setter_verify key admin=; setter_call x; }
--- must_die
--- suppress_stderr
--- error_log
empty secret in "setter_verify"



=== TEST 12: refused: three of them
--- config
    location /x { setter_verify key admin=a admin=b admin=c; setter_call x; }
--- must_die
--- suppress_stderr
--- error_log
invalid parameter "admin=c"



=== TEST 13: refused: a file of it that is not there
--- config
    location /x { setter_verify key admin=file=nowhere.token; setter_call x; }
--- must_die
--- suppress_stderr
--- error_log
nowhere.token" failed



=== TEST 14: refused: what no key has
--- config
    location /x { setter_verify key admins=a; setter_call x; }
--- must_die
--- suppress_stderr
--- error_log
invalid parameter "admins=a"



=== TEST 15: refused: a call's name that is none
--- config
    location /x { setter_verify key; setter_call Things; }
--- must_die
--- suppress_stderr
--- error_log
invalid name "Things"



=== TEST 16: refused: a call without a key
--- config
    location /x { setter_call things; }
--- must_die
--- suppress_stderr
--- error_log
needs "setter_verify key"



=== TEST 17: refused: two calls in a location
--- config
    location /x { setter_verify key; setter_call a; setter_call b; }
--- must_die
--- suppress_stderr
--- error_log
"setter_call" directive is duplicate



=== TEST 18: refused: a parameter that no call has
--- config
    location /x { setter_verify key; setter_call a method=GET; }
--- must_die
--- suppress_stderr
--- error_log
invalid parameter "method=GET"



=== TEST 19: refused: a time that is none
--- config
    location /x { setter_verify key; setter_call a timeout=soon; }
--- must_die
--- suppress_stderr
--- error_log
invalid parameter "timeout=soon"



=== TEST 20: as many of a tenant's calls wait as "max" says, an administrator's beside
--- response_body_filters eval
sub {
    my @waiting = map { main::ask('GET', '/few') } 1, 2;
    main::call_in(1);
    my $refused = main::ask('GET', '/few')->answer;
    my $text = main::told($refused);
    push @waiting, main::ask('GET', '/few', undef,
        Setter::Keys::bearer('other'));
    push @waiting, main::ask('GET', '/few?tenant=acme', undef,
        'Authorization: Bearer first-token');
    $text .= "$_\n" for sort map { main::call_in($_)->{data}{tenant} } 2, 3;
    main::reply(main::call_in(0), status => 200, body => '{}');
    $text .= main::told($waiting[0]->answer);
    push @waiting, main::ask('GET', '/few');
    $text .= main::call_in(4)->{data}{tenant} . "\n";
    return $text;
}
--- response_body
429 application/problem+json {"type":"about:blank","title":"Quota exceeded","status":429,"detail":"as many calls as may wait do so"}
acme
other
200 application/json {}
acme



=== TEST 21: without a key to seal it under, no secret gets into Redis
--- response_body_filters eval
sub {
    my $text = CORE::join '', map { main::told(main::ask('POST', '/plain',
        "{\"address\":\"1\",\"$_\":\"very-secret\"}")->answer) }
        qw(credential signing);
    return $text . scalar(@{[main::redis()->xrange($main::inbox, '-', '+')]})
        . "\n";
}
--- response_body
422 application/problem+json {"type":"about:blank","title":"Not supported","status":422,"detail":"a secret is taken where setter_signing_key is set"}
422 application/problem+json {"type":"about:blank","title":"Not supported","status":422,"detail":"a secret is taken where setter_signing_key is set"}
0



=== TEST 22: the name that calls have in the queue is no tenant's
--- config
    location /t {
        setter_tenant setter;
        setter_webhook generic;
    }
    location /health { setter_api health; }
--- response_body_filters eval
sub {
    return main::told(main::ask('POST', '/t', '{"from":"1","to":"2","text":"x","provider":"meta"}')
        ->answer);
}
--- response_body
404 application/json {"id":null,"status":"ERROR","message":"Unknown tenant"}



=== TEST 23: refused: no call may wait
--- config
    location /x { setter_verify key; setter_call a max=0; }
--- must_die
--- suppress_stderr
--- error_log
invalid parameter "max=0"
