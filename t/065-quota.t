# How many messages a minute a tenant may send: setter_quota, and the setting
# "minute" of its own.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Master;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

our $webhook = <<'EOC';
        setter_webhook generic;
        setter_set provider meta;
EOC

our $message = '{"from":"15550100001","text":"hello"}';
our $post = "POST /w\n$message";

# A tenant's own quota, as its setting in Redis has it.
sub minute {
    my ($slug, $value) = @_;
    Setter::Suite::redis()->hset("setter:{mm}:tenant:$slug", 'minute', $value);
}

# Sends one message after another, from several processes at once, and returns
# the statuses of their answers.
sub many {
    my ($processes, $n) = @_;

    my @pipes = map {
        pipe my $reader, my $writer or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my @statuses = map {
                (Setter::Suite::post('/w', $message))[0]
            } 1 .. $n;
            syswrite $writer, "@statuses";
            POSIX::_exit(0);
        }
        close $writer;
        [$pid, $reader];
    } 1 .. $processes;

    my @statuses = map { my $r = $_->[1]; split ' ', <$r> } @pipes;
    waitpid $_->[0], 0 for @pipes;
    return @statuses;
}

sub tally {
    my %n;
    $n{$_}++ for @_;
    return join ', ', map { "$n{$_} x $_" } sort { $a <=> $b } keys %n;
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', "    setter_tenant \$http_x_tenant;\n"
        . "    setter_tenant acme;\n"
        . "    location /w {\n$webhook    }\n"
        . "    location /metrics { setter_api metrics; }\n")
        if !defined $block->config;
    $block->set_value('http_config', "setter_redis \$TEST_NGINX_FAKE"
        . " timeout=500ms backoff=10ms,50ms;\nsetter_tenants any;\n"
        . "setter_quota 1;\n")
        if defined $block->fake && !defined $block->http_config;
    $block->set_value('http_config', "setter_redis \$TEST_NGINX_REDIS;\n"
        . "setter_tenants any;\nsetter_quota 2;\n")
        if !defined $block->http_config;
});

master_on();
workers(2);
no_long_string();
run_tests();

__DATA__

=== TEST 1: off, as is the default
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
--- request eval
[($::post) x 20]
--- error_code eval
[(201) x 20]
--- queued eval
[(1) x 20]



=== TEST 2: what is over it is refused until the minute ends
--- request eval
[($::post) x 4, "GET /metrics"]
--- error_code eval
[201, 201, 429, 429, 200]
--- response_headers_like eval
["", "", ("Retry-After: (?:60|59|58|57|56|55)") x 2, ""]
--- response_body_like eval
my $no = qr/^\{"id":null,"status":"ERROR","message":"Quota exceeded"\}\s*$/;
[qr/SUCCESS/, qr/SUCCESS/, $no, $no,
 qr/setter_refused_total\{format="generic",reason="quota"\} 2\n/]
--- queued eval
[1, 1, 0, 0, 0]



=== TEST 3: compat hides the status, not the refusal
--- config
    setter_tenant acme;
    location /w {
        setter_webhook generic;
        setter_set provider meta;
        setter_status compat;
    }
--- request eval
[($::post) x 3]
--- error_code eval
[201, 201, 201]
--- response_body_like eval
[qr/SUCCESS/, qr/SUCCESS/,
 qr/^\{"id":null,"status":"ERROR","message":"Quota exceeded"\}/]
--- queued eval
[1, 1, 0]



=== TEST 4: inherited, replaced, turned off; one count for all locations
--- config eval
"    setter_tenant acme;
    location /inherits {
$::webhook    }
    location /own {
        setter_quota 3;
$::webhook    }
    location /off {
        setter_quota off;
$::webhook    }"
--- request eval
[map { "POST /$_\n$::message" } qw(inherits inherits inherits own own off)]
--- error_code eval
[201, 201, 429, 201, 429, 201]
--- queued eval
[1, 1, 0, 1, 0, 1]



=== TEST 5: each tenant has its own
--- request eval
[($::post) x 5]
--- more_headers eval
["", "", "X-Tenant: other", "", "X-Tenant: other"]
--- error_code eval
[201, 201, 201, 429, 201]
--- queued eval
[1, 1, 1, 0, 1]



=== TEST 6: a quota of its own wins, higher or lower; none is the directive's
--- post_setup_server_root
main::minute(more => 3);
main::minute(less => 1);
main::minute(zero => 0);
main::minute(words => 'many');
main::minute(huge => '99999999999');
--- request eval
[($::post) x 16]
--- more_headers eval
[map { "X-Tenant: $_" } ('more') x 4, ('less') x 2, ('zero') x 3,
 ('words') x 3, ('huge') x 4]
--- error_code eval
[201, 201, 201, 429, 201, 429, 201, 201, 429, 201, 201, 429, (201) x 4]



=== TEST 7: with known tenants, too
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_quota 2;
--- post_setup_server_root
Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme', 'less');
main::minute(less => 1);
--- request eval
[($::post) x 7]
--- more_headers eval
[map { "X-Tenant: $_" } ('acme') x 3, ('less') x 2, ('none') x 2]
--- error_code eval
[201, 201, 429, 201, 429, 404, 404]
--- queued eval
[1, 1, 0, 1, 0, 0, 0]



=== TEST 8: what is refused for another reason does not count, a repeat does
--- request eval
my $repeat = $::message =~ s/\}/,"message_id":"m-1"}/r;
["POST /w\n{}", "POST /w\n[", "POST /w\n{}", "POST /w\n$repeat",
 "POST /w\n$repeat", "POST /w\n$repeat"]
--- error_code eval
[422, 400, 422, 201, 201, 429]
--- queued eval
[0, 0, 0, 1, 1, 0]



=== TEST 9: what Redis refuses does not count
--- fake
XADD 1: -OOM command not allowed
XADD 2: -LOADING Redis is loading the dataset in memory
--- request eval
[($::post) x 4]
--- error_code eval
[503, 503, 201, 429]



=== TEST 10: what may have been stored does
--- fake
XADD 1: close
--- request eval
[($::post) x 2]
--- error_code eval
[504, 429]
--- fake_saw eval
[undef, "1 x XADD"]



=== TEST 11: a change is followed within two seconds
--- post_setup_server_root
main::minute(acme => 1);
--- request eval
[$::post, $::post]
--- error_code eval
[201, 429]
--- response_body_filters eval
my $n = 0;
sub {
    return $_[0] if ++$n == 1;
    my $start = time;
    main::minute(acme => 5);
    my $ok = main::until_true(sub {
        (Setter::Suite::post('/w', $::message))[0] == 201 });
    return $ok && time - $start < 4 ? 'followed' : 'not in time';
}
--- response_body_like eval
['SUCCESS', 'followed']



=== TEST 12: all nginx workers have one count, exactly
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=10s;
    setter_tenants any;
    setter_quota 100;
    log_format pids '$pid';
    access_log $TEST_NGINX_SERVER_ROOT/logs/pids.log pids;
--- request eval
[$::post]
--- response_body_filters eval
sub {
    my @statuses = (201);
    my $seen = main::until_true(sub {
        push @statuses, main::many(16, 10);
        open my $log, '<', main::server_root() . '/logs/pids.log' or die;
        my %pids = map { $_ => 1 } <$log>;
        return keys %pids == 2;
    });
    my $accepted = grep { $_ == 201 } @statuses;
    my $refused = grep { $_ == 429 } @statuses;
    return "$accepted accepted, "
        . (@statuses - $accepted - $refused) . " others, by "
        . ($seen ? 'both' : 'one');
}
--- error_code eval
[201]
--- response_body eval
["100 accepted, 0 others, by both"]



=== TEST 13: a reload keeps the count, and so does a worker's end
--- request eval
[$::post]
--- response_body_filters eval
sub {
    my @statuses;
    push @statuses, (Setter::Suite::post('/w', $::message))[0];
    my $reloaded = main::reload();
    push @statuses, (Setter::Suite::post('/w', $::message))[0];
    for my $pid (main::workers_of(main::master())) {
        kill 'KILL', $pid;
        $reloaded &&= main::until_true(sub {
            my @now = main::workers_of(main::master());
            return @now == 2 && !grep { $_ == $pid } @now;
        });
    }
    push @statuses, (Setter::Suite::post('/w', $::message))[0],
        (Setter::Suite::post('/w', $::message, 'X-Tenant: other'))[0];
    return "$reloaded: @statuses";
}
--- error_code eval
[201]
--- response_body eval
["1: 201 429 429 201"]
--- error_log
exited on signal 9



=== TEST 14: a tenant that the zone has no place for is not counted
--- http_config
    setter_redis $TEST_NGINX_FAKE;
    setter_tenants any;
    setter_zone 320k;
    setter_quota 1;
--- fake
--- config eval
"    keepalive_requests 10000;
    setter_tenant \$http_x_tenant;
    location /w {
$::webhook    }"
--- pipelined_requests eval
[($::post) x 1400]
--- more_headers eval
[map { "X-Tenant: t-$_" } (1 .. 700) x 2]
--- timeout: 20
--- error_code_like eval
[('^201$') x 700, ('^(?:201|429)$') x 700]
--- response_body_filters eval
my ($n, $accepted) = (0, 0);
sub {
    $accepted++ if $_[0] =~ /SUCCESS/;
    return 'answer' if ++$n < 1400;
    return $accepted > 700 && $accepted < 1400 ? 'some twice' : $accepted;
}
--- response_body eval
[('answer') x 1399, 'some twice']
