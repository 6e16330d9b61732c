# setter_api next_job, complete, fail and extend: turns for outside workers,
# on the queue's real functions.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Polls;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

use IO::Socket::INET;
use JSON::XS;
use POSIX ();
use Time::HiRes qw(sleep time);

our $acme = Setter::Keys::bearer('acme');
our $other = Setter::Keys::bearer('other');

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $routes) if !defined $block->config;
    $block->set_value('request', 'GET /health') if !defined $block->request;
    $block->set_value('post_setup_server_root',
        "Setter::Polls::outside_tenants(qw(acme other));\n")
        if !defined $block->post_setup_server_root && !defined $block->fake;
});

sub redis { Setter::Suite::redis() }

# Polls wait in Redis: nothing is under way but the bell's read.
sub settled {
    return until_true(sub { redis()->info('clients')->{blocked_clients} });
}

# How often the queue was asked.
sub takes {
    return ((redis()->info('commandstats')->{cmdstat_fcall} // '')
        =~ /calls=(\d+)/)[0] // 0;
}

sub brief {
    my ($answer) = @_;
    my $j = $answer->{json};

    return "$answer->{status} " . ($j ? $j->{payload}{text} : '');
}

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a job, its turn, and its completion
--- response_body_filters eval
sub {
    my $id = main::say('acme', 'x:-:1', 'Hello');
    my $answer = main::poll('acme')->answer;
    my $job = $answer->{json};
    my $form = CORE::join ',', sort { $a cmp $b } keys %$job;
    my $done = main::order('acme', $id, 'complete', { token => $job->{token} });
    my $again = main::order('acme', $id, 'complete', { token => $job->{token} });

    return CORE::join "\n", $answer->{status}, $form,
        ($job->{job_id} eq $id ? 'its id' : $job->{job_id})
            . " $job->{status} $job->{lease_ms} $job->{lane}",
        "$job->{payload}{text} $job->{payload}{kind}",
        scalar(@{ $job->{jobs} }) . ' job: '
            . ($job->{jobs}[0]{id} eq $id ? 'its id' : 'another') . ' '
            . $job->{jobs}[0]{payload}{text},
        $job->{token} =~ /^\d+$/ ? 'a token' : $job->{token},
        $answer->{head} =~ /\r\nCache-Control: no-store\b/ ? 'not stored'
            : $answer->{head},
        "$done->{status} $done->{json}{job_id}" eq "200 $id"
            ? "done: $done->{json}{status}" : $done->{text},
        "$again->{status} $again->{text}",
        main::queue()->depth->{leased} . " leased\n";
}
--- response_body
200
job_id,jobs,lane,lease_ms,payload,status,token
its id processing 30000 acme/conv/x:-:1
Hello message
1 job: its id Hello
a token
not stored
done: done
409 {"id":null,"status":"ERROR","message":"The job is not in the hands of who has this token"}
0 leased
--- no_error_log
[error]



=== TEST 2: what was handled elsewhere goes on record
--- response_body_filters eval
sub {
    my $id = main::say('acme', 'x:-:1', 'Hello');
    my $job = main::poll('acme')->answer->{json};
    main::order('acme', $id, 'complete', { token => $job->{token} });
    my ($turn) = @{ main::queue()->claim->{turns} };
    return "$turn->{jobs}[0]{kind} " . ($turn->{jobs}[0]{id} eq "$id-r"
        ? 'of it' : $turn->{jobs}[0]{id});
}
--- response_body chomp
record of it



=== TEST 3: nothing to do
--- request eval
["GET /queue/next-job", "GET /queue/next-job?wait=0", "GET /queue/brief?wait=9"]
--- more_headers eval
[($::acme) x 3]
--- error_code eval
[204, 204, 204]
--- response_body eval
["", "", ""]



=== TEST 4: a poll waits, and is told when a message comes
--- response_body_filters eval
sub {
    my $poll = main::poll('acme');
    main::settled();
    my $early = $poll->answered;
    main::say('acme', 'x:-:1', 'Hello');
    my $answer = $poll->answer;
    return "$early " . main::brief($answer)
        . ($answer->{ms} < 4500 ? '' : ", late: $answer->{ms} ms");
}
--- response_body chomp
0 200 Hello
--- no_error_log
[error]



=== TEST 5: one is told when the quiet after the last message has lasted
--- response_body_filters eval
sub {
    my $poll = main::poll('acme');
    main::settled();
    main::say('acme', 'x:-:1', $_, debounce_ms => 1500, debounce_max_ms => 6000)
        for 1 .. 3;
    my $answer = $poll->answer;
    return CORE::join ' ', scalar(@{ $answer->{json}{jobs} }),
        map { $_->{payload}{text} } @{ $answer->{json}{jobs} };
}
--- response_body chomp
3 1 2 3



=== TEST 6: a turn has all that waits, or as many jobs as are asked for
--- response_body_filters eval
sub {
    my @ids = map { main::say('acme', 'x:-:1', $_) } 1 .. 3;
    my $one = main::poll('acme', '/queue/one')->answer->{json};
    my $left = main::poll('acme', '/queue/one')->answer->{status};
    main::order('acme', $ids[0], 'complete', { token => $one->{token} });
    main::record_all();
    my $rest = main::poll('acme')->answer->{json};
    # any job of the turn names it
    my $done = main::order('acme', $ids[2], 'complete',
        { token => $rest->{token} });
    return scalar(@{ $one->{jobs} }) . ", $left, "
        . CORE::join(' ', map { $_->{payload}{text} } @{ $rest->{jobs} })
        . ", $done->{status}, " . main::queue()->depth->{leased};
}
--- response_body chomp
1, 204, 2 3, 200, 0



=== TEST 7: many polls, one bell: each message wakes one of them
--- response_body_filters eval
sub {
    my @polls = map { main::poll('acme') } 1 .. 20;
    main::until_true(sub { main::takes() >= 1 });
    main::settled();
    main::say('acme', 'x:-:first', 'first');
    my $first = main::until_true(sub {
        my @done = grep { $_->answered } @polls;
        return @done ? \@done : undef;
    });
    my $alone = @$first;
    main::say('acme', "x:-:$_", "m$_") for 2 .. 20;
    my @answers = map { $_->answer } @polls;
    my %texts = map { main::brief($_) => 1 } @answers;
    return "$alone, " . grep({ $_->{status} == 200 } @answers) . ' answered, '
        . keys(%texts) . ' messages, ' . main::connections() . ' connections';
}
--- response_body chomp
1, 20 answered, 20 messages, 2 connections



=== TEST 8: tenants do not see each other's
--- response_body_filters eval
sub {
    my $others = main::poll('other');
    my $poll = main::poll('acme');
    main::settled();
    my $id = main::say('acme', 'x:-:1', 'for acme');
    my $job = $poll->answer->{json};
    my %token = (token => $job->{token});
    my @foreign = map { main::order('other', $id, $_, \%token)->{status} }
        qw(complete fail extend);
    my $waits = $others->answered ? 'answered' : 'waits';
    main::say('other', 'x:-:1', 'for other');
    my $theirs = $others->answer->{json};
    my @mixed = (
        main::order('acme', $theirs->{job_id}, 'complete', \%token),
        main::order('other', $theirs->{job_id}, 'complete', \%token),
        main::order('acme', $id, 'complete', { token => $theirs->{token} }),
        main::order('acme', "../other/$id", 'complete', \%token),
        main::order('acme', $id, 'complete', \%token),
    );
    return "$job->{payload}{text}: @foreign, $waits, $theirs->{payload}{text}: "
        . CORE::join ' ', map { $_->{status} } @mixed;
}
--- response_body chomp
for acme: 409 409 409, waits, for other: 409 409 409 404 200



=== TEST 9: a lease that ran out, and one that was prolonged
--- response_body_filters eval
sub {
    my ($lost, $kept) = map { main::say('acme', "x:-:$_", $_) } 'lost', 'kept';
    my %job = map { $_->{json}{job_id} => $_->{json} }
        map { main::poll('acme', '/queue/brief')->answer } 1, 2;
    my $long = main::order('acme', $kept, 'extend',
        { token => $job{$kept}{token}, lease_ms => 60000 });
    my $again = main::poll('acme')->answer->{json};
    my $late = main::order('acme', $lost, 'complete',
        { token => $job{$lost}{token} });
    my $good = main::order('acme', $lost, 'complete',
        { token => $again->{token} });
    my $last = main::order('acme', $kept, 'complete',
        { token => $job{$kept}{token} });
    return "$job{$lost}{lease_ms}, $long->{status} $long->{json}{status} "
        . "$long->{json}{lease_ms}, $again->{payload}{text} again, "
        . "$late->{status} $good->{status} $last->{status}";
}
--- response_body chomp
2000, 200 processing 60000, lost again, 409 200 200



=== TEST 10: how long a lease is prolonged when nobody says, and at most
--- response_body_filters eval
sub {
    my $id = main::say('acme', 'x:-:1', 'a');
    my $token = main::poll('acme')->answer->{json}{token};
    return CORE::join ' ', map { main::order('acme', $id, 'extend',
        { token => $token, %$_ })->{json}{lease_ms} }
        {}, { lease_ms => undef }, { lease_ms => 1 },
        { lease_ms => 86400000 };
}
--- response_body chomp
40000 40000 1 3600000



=== TEST 11: failed: handed out again, and given up after so many
--- response_body_filters eval
sub {
    my $id = main::say('acme', 'x:-:1', 'a');
    my @seen;
    for my $reason ('first', 'second') {
        my $job = main::poll('acme', '/queue/brief')->answer->{json};
        push @seen, main::order('acme', $id, 'fail', { token => $job->{token},
            delay_ms => 0, reason => $reason });
    }
    my $none = main::poll('acme', '/queue/brief?wait=0')->answer->{status};
    my ($turn) = @{ main::queue()->claim->{turns} };
    my ($header) = main::redis()->lindex(
        main::queue()->key("lane:$turn->{lane}"), 0) =~ /^([^\n]*)/;
    return CORE::join(', ', map { "$_->{status} $_->{json}{status}" } @seen)
        . ", $none, $turn->{jobs}[0]{kind} "
        . ($header =~ /\t(status=\S*)/ ? $1 : $header);
}
--- response_body chomp
200 queued, 200 queued, 204, record status=dead,reason=second



=== TEST 12: failed: not before its delay
--- response_body_filters eval
sub {
    my $id = main::say('acme', 'x:-:1', 'a');
    my $job = main::poll('acme')->answer->{json};
    main::order('acme', $id, 'fail', { token => $job->{token},
        delay_ms => 2000 });
    my $poll = main::poll('acme');
    main::settled();
    my $early = $poll->answered;
    my $again = $poll->answer->{json};
    return "$early $again->{payload}{text} "
        . ($again->{token} ne $job->{token} ? 'another token' : 'the same');
}
--- response_body chomp
0 a another token



=== TEST 13: orders that are none
--- request eval
[map { "POST /queue/jobs/$_" } "a/complete\n{}", "a/complete\n[1]",
 "a/complete\n{\"token\":", "a/complete", "a/complete\n{\"token\":{}}",
 "a/complete\n{\"token\":\" \"}", "a/extend\n{\"token\":1,\"lease_ms\":\"5\"}",
 "a/extend\n{\"token\":1,\"lease_ms\":0}",
 "a/fail\n{\"delay_ms\":-1,\"reason\":7}", "a/fail\n{\"token\":1,\"delay_ms\":1.5}",
 "%00/complete\n{\"token\":\"1\"}", "a%20b/complete\n{\"token\":\"1\"}",
 ('a' x 300) . "/complete\n{\"token\":\"1\"}", "a/complete\n{\"token\":\"1\"}",
 "a/complete\n{\"token\":1}"]
--- more_headers eval
[($::acme) x 15]
--- error_code eval
[422, 400, 400, 400, 422, 422, 422, 422, 422, 422, 400, 404, 404, 409, 409]
--- response_body_like eval
[
'"errors":\[\{"field":"token","error":"required"\}\]', '"field":"body"',
'"field":"body"', '"field":"body"', '"field":"token","error":"type"',
'"field":"token","error":"empty"', '"field":"lease_ms","error":"type"',
'"field":"lease_ms","error":"type"',
'"token","error":"required".*"delay_ms","error":"type".*"reason","error":"type"',
'"field":"delay_ms","error":"type"', '', '"No such job"', '"No such job"',
'"ERROR"', '"ERROR"']



=== TEST 14: polls that are none, and who may not
--- request eval
["GET /queue/next-job?wait=soon", "GET /queue/next-job?wait=-1",
 "POST /queue/next-job\n{}", "HEAD /queue/next-job",
 "GET /queue/jobs/a/complete", "GET /queue/next-job", "GET /queue/next-job",
 "POST /queue/jobs/a/complete\n{\"token\":1}"]
--- more_headers eval
[($::acme) x 5, "", Setter::Keys::bearer('third'), ""]
--- error_code eval
[422, 422, 405, 405, 405, 401, 401, 401]
--- response_headers eval
["Content-Type: application/json", "Content-Type: application/json",
 "Allow: GET", "Allow: GET", "Allow: POST", "WWW-Authenticate: Bearer",
 "WWW-Authenticate: Bearer", "WWW-Authenticate: Bearer"]



=== TEST 15: a tenant whose messages are ours gets none, until it is switched
--- response_body_filters eval
sub {
    Setter::Keys::grant(main::redis(), 'third');
    main::say('third', 'x:-:1', 'mine');
    my $poll = main::poll('third');
    main::settled();
    my $early = $poll->answered;
    main::queue()->tenant('third', outside => 1);
    my $job = $poll->answer;
    return "$early " . main::brief($job)
        . ($job->{ms} < 4500 ? '' : ", late: $job->{ms} ms");
}
--- response_body chomp
0 200 mine



=== TEST 16: held and released: lane, tenant, cap
--- response_body_filters eval
sub {
    my @seen;
    for my $way (
        [sub { main::queue()->hold('acme/conv/x:-:1') },
         sub { main::queue()->release('acme/conv/x:-:1') }],
        [sub { main::queue()->tenant('acme', held => 1) },
         sub { main::queue()->tenant('acme', held => '') }])
    {
        $way->[0]->();
        my $id = main::say('acme', 'x:-:1', 'a');
        my $poll = main::poll('acme');
        main::settled();
        push @seen, $poll->answered;
        $way->[1]->();
        my $answer = $poll->answer;
        push @seen, $answer->{status}, $answer->{ms} < 4500 ? () : 'late';
        main::order('acme', $id, 'complete',
            { token => $answer->{json}{token} });
        main::record_all();
    }

    main::queue()->tenant('acme', cap => 1);
    main::say('acme', "x:-:$_", "m$_") for 1, 2;
    my $first = main::poll('acme')->answer->{json};
    my $poll = main::poll('acme');
    main::settled();
    push @seen, $poll->answered;
    main::order('acme', $first->{job_id}, 'complete',
        { token => $first->{token} });
    my $second = $poll->answer;
    return "@seen " . main::brief($second)
        . ($second->{ms} < 4500 ? '' : ' late');
}
--- response_body chomp
0 200 0 200 0 200 m2



=== TEST 17: another's call sorts the message: its poll is told all the same
--- response_body_filters eval
sub {
    my $poll = main::poll('acme');
    main::settled();
    for my $n (1 .. 20) {
        # in one go, so that the entry is gone when nginx looks
        main::redis()->multi;
        main::say('acme', "x:-:$n", "m$n");
        main::redis()->fcall('setter_claim', 1, main::queue()->key('inbox'),
            'w', '1.1', 100, 0, 5000, 20, 262144, 8, 3);
        main::redis()->exec;
        my $answer = $poll->answer;
        return "$n: " . main::brief($answer) . " $answer->{ms}"
            if $answer->{status} != 200 || $answer->{ms} > 4500;
        $poll = main::poll('acme');
    }
    return 'all';
}
--- response_body chomp
all



=== TEST 18: an envelope that is no JSON
--- response_body_filters eval
sub {
    main::say('acme', 'x:-:1', '', envelope => qq(not "JSON" \xff\n\t));
    my $job = main::poll('acme')->answer->{json};
    return JSON::XS->new->ascii->encode([$job->{payload},
        $job->{jobs}[0]{payload}]);
}
--- response_body chomp
["not \"JSON\" \ufffd\n\t","not \"JSON\" \ufffd\n\t"]



=== TEST 19: no worker has ever run
--- post_setup_server_root
Setter::Suite::redis()->function('FLUSH');
Setter::Keys::grant(Setter::Suite::redis(), 'acme');
--- request eval
["GET /queue/next-job?wait=5", "POST /queue/jobs/a/complete\n{\"token\":1}"]
--- more_headers eval
[($::acme) x 2]
--- error_code eval
[503, 503]
--- response_headers eval
["Retry-After: 1", "Retry-After: 1"]
--- response_body eval
[('{"id":null,"status":"ERROR","message":"No worker has run yet"}') x 2]



=== TEST 20: Redis is away
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- request eval
["GET /queue/next-job?wait=5", "POST /queue/jobs/a/complete\n{\"token\":1}"]
--- more_headers eval
[($::acme) x 2]
--- error_code eval
[503, 503]
--- raw_response_headers_like eval
[("\r\nRetry-After: \\d") x 2]



=== TEST 21: Redis does not answer an order: perhaps it was carried out
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=200ms;
    setter_tenants any;
--- fake
SISMEMBER: :1
FCALL: silence
--- request
POST /queue/jobs/a/complete
{"token":1}
--- more_headers eval
$::acme
--- error_code: 504
--- response_body chomp
{"id":null,"status":"ERROR","message":"Not acknowledged in time and perhaps done"}



=== TEST 22: several partitions: each tenant's poll hears its own
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_partitions 4;
    setter_tenants any;
--- config eval
$Setter::Polls::routes . "location /send { setter_api send; }"
--- post_setup_server_root
Setter::Polls::outside_tenants();
for my $tag (qw(mm cs si bk)) {
    my $redis = Setter::Suite::redis();
    Setter::Keys::grant($redis, ['a' .. 'j'], $tag);
}
--- response_body_filters eval
sub {
    my (%tag, @said);
    for my $tenant ('a' .. 'j') {
        Setter::Http->new(main::server_port_for_client(), 'POST', '/send',
            '{"to":"1","message":"x"}', Setter::Keys::bearer($tenant))->answer;
        for my $tag (qw(mm cs si bk)) {
            my $key = "setter:{$tag}:inbox";
            $tag{$tenant} = $tag if main::redis()->xlen($key);
            main::redis()->del($key);
        }
    }
    my %queue = map { $_ => Setter::Queue->new(main::redis(), tag => $_) }
        values %tag;
    $queue{ $tag{$_} }->tenant($_, outside => 1) for 'a' .. 'j';
    my %poll = map { $_ => main::poll($_) } 'a' .. 'j';
    main::settled();
    for my $tenant ('a' .. 'j') {
        $queue{ $tag{$tenant} }->append(id => "id-$tenant",
            lane => "$tenant/conv/x", envelope => qq({"text":"$tenant"}));
    }
    my @answers = map { $poll{$_}->answer } 'a' .. 'j';
    my $done = main::order('c', 'id-c', 'complete',
        { token => $answers[2]{json}{token} });
    return (keys %queue > 1 ? 'several' : 'one') . ', '
        . CORE::join('', map { $_->{json}{payload}{text} } @answers)
        . (grep({ $_->{ms} > 4500 } @answers) ? ' late' : '')
        . " $done->{status}";
}
--- response_body chomp
several, abcdefghij 200
