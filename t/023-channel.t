# setter_tenant channel:to: the tenant whose channel a message came to.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Keys;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

use JSON::XS;
use Time::HiRes qw(sleep time);

our $n = 0;

# Of Meta: a message to each of the numbers.
sub body {
    return encode_json({ entry => [ map { { changes => [ {
        field => 'messages', value => { metadata => { phone_number_id => $_ },
            messages => [ { id => 'w' . ++$n, from => '15550104321',
                timestamp => 1767225600 + $n, type => 'text',
                text => { body => "to $_" } } ] } } ] } } @_ ] });
}

sub post { return "POST /w\n" . body(@_) }

sub status {
    return "POST /w\n" . encode_json({ entry => [ { changes => [ {
        field => 'messages', value => { metadata => { phone_number_id => $_[0] },
            statuses => [ { id => 'w' . ++$n, status => 'read',
                timestamp => 1767225600 } ] } } ] } ] });
}

# Which tenants the jobs in the inbox are of, in order.
sub tenants {
    return join ' ', map { decode_json({ @{ $_->[1] } }->{j})->{tenant} }
        Setter::Suite::redis()->xrange($_[0] // 'setter:{mm}:inbox', '-', '+');
}

sub give {
    my ($tenant, $number, $tag) = @_;
    Setter::Suite::redis()->hset('setter:{' . ($tag // 'mm') . '}:channels',
        "meta/$number", $tenant);
}

sub take { Setter::Suite::redis()->hdel('setter:{mm}:channels', "meta/$_[0]") }

# Messages to the number until they come to that tenant, or nobody (''); how
# many s that took.
sub until_tenant {
    my ($tenant, $number) = @_;
    my $start = time;

    while (time - $start < 10) {
        my $old = tenants();
        Setter::Suite::post('/w', body($number));
        my $new = substr tenants(), length $old;
        return time - $start if $new =~ s/ //r eq $tenant;
        sleep 0.02;
    }
    return 'never';
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', "    location /w {\n"
        . "        setter_tenant  channel:to;\n"
        . "        setter_webhook meta;\n    }\n"
        . "    location /metrics { setter_api metrics; }\n")
        if !defined $block->config;
    $block->set_value('post_setup_server_root', "main::give(acme => 1);"
        . "main::give(globex => 2);") if !defined $block->fake
        && !defined $block->post_setup_server_root;
    $block->set_value('http_config', "setter_redis \$TEST_NGINX_FAKE"
        . " timeout=500ms backoff=10ms,50ms;\nsetter_tenants any;\n")
        if defined $block->fake && !defined $block->http_config;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: one URL, the messages of two tenants, and of nobody
--- request eval
[main::post(1, 2, 3, 1), "GET /metrics"]
--- error_code eval
[200, 200]
--- queued eval
[3, 0]
--- response_body_filters eval
my $i = 0;
sub { return $i++ ? $_[0] : main::tenants() }
--- response_body_like eval
[qr/^acme globex acme$/, qr/^setter_aside_total\{format="meta"\} 1$/m]



=== TEST 2: statuses, too
--- request eval
main::status(2)
--- error_code: 200
--- job
tenant: globex
kind: status
lane ~ ^globex/status/



=== TEST 3: nobody's at all is answered 200 all the same
--- request eval
main::post(3)
--- error_code: 200
--- response_body:
--- queued: 0



=== TEST 4: what the path says must agree, and helps where nobody is known
--- config
    location ~ ^/w/(?<slug>[a-z]+)$ {
        setter_tenant  channel:to;
        setter_tenant  $slug;
        setter_webhook meta;
    }
--- request eval
[map { my ($path, @to) = @$_; main::post(@to) =~ s{/w}{/w/$path}r }
    ['acme', 1], ['acme', 2], ['globex', 1, 2], ['acme', 3]]
--- error_code eval
[(200) x 4]
--- queued eval
[1, 0, 1, 1]
--- job eval
["tenant: acme", undef, "tenant: globex", "tenant: acme"]



=== TEST 5: so must what the host says
--- config
    location /w {
        setter_tenant  channel:to;
        setter_tenant  $host "^([a-z]+)\.example\.com$";
        setter_webhook meta;
    }
--- request eval
[(main::post(1)) x 3]
--- more_headers eval
["Host: acme.example.com", "Host: globex.example.com", "Host: localhost"]
--- error_code eval
[(200) x 3]
--- queued eval
[1, 0, 1]



=== TEST 6: a name that is all others' is no claim
--- config
    location /w {
        setter_tenant  channel:to;
        setter_tenant  default;
        setter_webhook meta;
    }
--- request eval
[main::post(2), main::post(3)]
--- error_code eval
[200, 200]
--- job eval
["tenant: globex", "tenant: default"]



=== TEST 7: a key's tenant must agree
--- config
    location /w {
        setter_tenant  channel:to;
        setter_verify  key;
        setter_webhook meta;
    }
--- post_setup_server_root
main::give(acme => 1); main::give(globex => 2);
Setter::Keys::grant(Setter::Suite::redis(), 'acme');
--- request eval
[main::post(1), main::post(2), main::post(3)]
--- more_headers eval
[(Setter::Keys::bearer('acme')) x 3]
--- error_code eval
[(200) x 3]
--- queued eval
[1, 0, 1]
--- job eval
["tenant: acme", undef, "tenant: acme"]



=== TEST 8: the provider counts: a number is one of its own
--- config
    location /w {
        setter_tenant  channel:to;
        setter_webhook infobip;
    }
--- request eval
"POST /w\n" . '{"results":[{"messageId":"a","from":"3","to":"1",'
    . '"message":{"type":"TEXT","text":"a"}}]}'
--- error_code: 200
--- queued: 0



=== TEST 9: partitions: each address has its own
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_partitions 4;
--- post_setup_server_root
for my $number (1 .. 20) {
    main::give("t$number", $number, $_) for qw(mm cs si bk);
}
--- request eval
main::post(1 .. 20)
--- error_code: 200
--- response_body_filters eval
sub {
    return join ' ', sort map { split ' ', main::tenants("setter:{$_}:inbox") }
        qw(mm cs si bk);
}
--- response_body eval
join ' ', sort map { "t$_" } 1 .. 20



=== TEST 10: one question for many, and none again for 2 s
--- fake
HMGET 1: raw *2\r\n$4\r\nacme\r\n$6\r\nglobex\r\n
--- request eval
[main::post(1, 2), main::post(2, 1)]
--- error_code eval
[200, 200]
--- fake_saw eval
["1 x HMGET\n2 x XADD", "1 x HMGET\n4 x XADD"]



=== TEST 11: a change counts within 2 s
--- request eval
main::post(1)
--- error_code: 200
--- response_body_filters eval
sub {
    main::give(globex => 1);
    my $changed = main::until_tenant('globex', 1);
    main::take(1);
    my $gone = main::until_tenant('', 1);
    main::give(acme => 1);
    my $back = main::until_tenant('acme', 1);
    return join ' ', map { $_ < 2.5 ? 'soon' : $_ } $changed, $gone, $back;
}
--- response_body chomp
soon soon soon
--- timeout: 15



=== TEST 12: Redis is away: the provider is to repeat
--- http_config
    setter_redis $TEST_NGINX_NOWHERE;
    setter_tenants any;
--- request eval
main::post(1)
--- error_code: 503
--- response_headers_like
Retry-After: \d+



=== TEST 13: Redis refuses, tells nonsense, or goes: likewise
--- fake
HMGET 1: -NOPERM this user has no permissions
HMGET 2: :7
HMGET 3: *0
HMGET 4: raw *1\r\n:7\r\n
HMGET 5: close
--- request eval
[map { main::post($_) } 1 .. 5]
--- error_code eval
[(503) x 5]
--- fake_saw eval
[("! XADD") x 5]



=== TEST 14: Redis goes: what was known goes on counting, into the spool
--- main_config
thread_pool default threads=1;
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=500ms backoff=10ms,50ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
--- fake
HMGET 1: raw *1\r\n$4\r\nacme\r\n
XADD 2: close
connect 1: delay 0
connect: close
--- request eval
[main::post(1), main::post(1), main::post(1), main::post(2)]
--- error_code eval
[200, 200, 200, 503]



=== TEST 15: refused: a pattern
--- config
    location /w {
        setter_tenant  channel:to ([a-z]+);
        setter_webhook meta;
    }
--- must_die
--- suppress_stderr
--- error_log
"setter_tenant" directive has a pattern



=== TEST 16: formats of one message pass it over
--- config
    location /w {
        setter_tenant  channel:to;
        setter_tenant  last;
        setter_webhook engine;
    }
    location /none {
        setter_tenant  channel:to;
        setter_webhook engine;
    }
--- request eval
[map { "POST $_\n" . '{"from":"2","to":"1","message":"a"}' } '/w', '/none']
--- error_code eval
[201, 404]
--- queued eval
[1, 0]
--- job eval
["tenant: last"]



=== TEST 17: unknown tenants are set aside where only known ones come in
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants known;
--- post_setup_server_root
main::give(acme => 1); main::give(globex => 2);
Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme');
--- request eval
main::post(2, 1)
--- error_code: 200
--- queued: 1
--- job
tenant: acme
