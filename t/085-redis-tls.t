# TLS to Redis: whom the module believes, what it shows, and its faults.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(tls fake);
use Test::Nginx::Socket 'no_plan';

use IO::Socket::INET;

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

our $post = "POST /w\n" . '{"from":"1","text":"a"}';

# "redis" is what follows "rediss://" in setter_redis.  "refused: ..." in a
# block's name follows "setter_redis", and nginx must not start with it.
add_block_preprocessor(sub {
    my ($block) = @_;
    my $timeout = ($block->error_code // '') =~ /503/ ? '300ms' : '10s';

    $block->set_value('http_config', 'setter_redis rediss://' . $block->redis
        . " connect_timeout=$timeout timeout=$timeout backoff=10ms,50ms;\n"
        . "setter_tenants any;\n") if defined $block->redis;
    if ($block->name =~ /refused: (.*)\z/) {
        $block->set_value('http_config', "setter_redis $1;\n");
        $block->set_value('must_die', '');
        $block->set_value('suppress_stderr', '');
    }
    $block->set_value('config', "    location /w {\n$webhook    }\n"
        . "    location /metrics { setter_api metrics; }\n");
    $block->set_value('post_setup_server_root', "main::serve('good');"
        . ($block->post_setup_server_root // ''));
});

Test::Nginx::Socket->can('allow_sections')
    && Test::Nginx::Socket::allow_sections('redis');

# The certificate that Redis has from now on; whether it wants to see one.
sub serve {
    my ($name, $auth) = @_;
    my %settings = $Setter::Suite::certificates->server($name);

    $settings{'tls-auth-clients'} = $auth if defined $auth;
    Setter::Suite::redis()->config_set(%settings);
}

sub request {
    my ($line, $body) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => server_port_for_client()) or die "connect: $!";

    print $socket "$line HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        . "Content-Length: " . length($body) . "\r\n\r\n$body";
    $socket->flush;
    return $socket;
}

sub status {
    my ($socket) = @_;
    local $/;
    return (<$socket> // '') =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none';
}

# Messages that together are more than a connection takes while Redis stands
# still, and more that come when it is full; what became of them.
sub under_pressure {
    my $body = '{"from":"1","text":"' . 'a' x 200_000 . '"}';
    my (@sockets, %n);

    $Setter::Suite::server->signal('STOP');
    for (1 .. 4) {
        push @sockets, map { request('POST /w', $body) } 1 .. 10;
        status(request('GET /metrics', '')) eq '200' or die 'no metrics';
    }
    $Setter::Suite::server->signal('CONT');

    $n{ status($_) }++ for @sockets;
    return join ', ', map { "$n{$_} x $_" } sort keys %n;
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: by its address
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- request eval
[$::post, $::post, "GET /metrics"]
--- error_code eval
[201, 201, 200]
--- queued eval
[1, 1, 0]
--- response_body_like eval
['SUCCESS', 'SUCCESS', 'setter_redis_connections_total 1\n']
--- no_error_log
[error]
[crit]
[alert]



=== TEST 2: by a name that is not the host, with a user and a database
--- http_config
    setter_redis rediss://default:x@$TEST_NGINX_TLS/3 name=redis.test
                 ca=$TEST_NGINX_CERTIFICATES/ca.pem;
    setter_tenants any;
--- request eval
$::post
--- error_code: 201



=== TEST 3: by an address in brackets that is not the certificate's
--- http_config
    setter_redis rediss://[::1] ca=$TEST_NGINX_CERTIFICATES/ca.pem
                 name=127.0.0.1;
    setter_tenants any;
--- request eval
$::post
--- error_code: 503



=== TEST 4: the system's authorities, without ca=
--- main_config
    env SSL_CERT_FILE;
--- redis: $TEST_NGINX_TLS
--- post_setup_server_root
$ENV{SSL_CERT_FILE} = "$ENV{TEST_NGINX_CERTIFICATES}/ca.pem"
--- init
delete $ENV{SSL_CERT_FILE}
--- request eval
$::post
--- error_code: 201



=== TEST 5: which do not know this one
--- redis: $TEST_NGINX_TLS
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: certificate verify failed: self-signed certificate in certificate chain



=== TEST 6: signed by itself
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- post_setup_server_root: main::serve('alone')
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: certificate verify failed: self-signed certificate



=== TEST 7: expired, which is one line in the log, however often it is tried
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- post_setup_server_root: main::serve('expired')
--- log_level: info
--- request eval
$::post
--- error_code: 503
--- wait: 0.3
--- grep_error_log: away: certificate verify failed: certificate has expired
--- grep_error_log_out
away: certificate verify failed: certificate has expired
--- no_error_log
[crit]
SSL_do_handshake



=== TEST 8: for another address
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- post_setup_server_root: main::serve('other')
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: the certificate is not for host 127.0.0.1



=== TEST 9: for another name
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem name=redis.test
--- post_setup_server_root: main::serve('other')
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: the certificate is not for host redis.test



=== TEST 10: a certificate of our own is shown
--- redis
$TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
cert=$TEST_NGINX_CERTIFICATES/client.pem key=$TEST_NGINX_CERTIFICATES/client.key
--- post_setup_server_root: main::serve('good', 'yes')
--- request eval
$::post
--- error_code: 201



=== TEST 11: and is missed
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- post_setup_server_root: main::serve('good', 'yes')
--- log_level: info
--- request eval
$::post
--- error_code: 503
--- wait: 0.3
--- grep_error_log: alert certificate required
--- grep_error_log_out
alert certificate required
--- error_log
" is away: SSL_read() failed (SSL: error:



=== TEST 12: a port that has no TLS
--- redis: 127.0.0.1:$TEST_NGINX_FAKE_PORT ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- fake
connect: raw -ERR unknown command\r\n
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: SSL_do_handshake() failed (SSL: error:
wrong version number



=== TEST 13: it says nothing: no longer than connecting may take
--- http_config
    setter_redis rediss://127.0.0.1:$TEST_NGINX_FAKE_PORT timeout=1s
                 connect_timeout=100ms backoff=10ms,50ms
                 ca=$TEST_NGINX_CERTIFICATES/ca.pem;
    setter_tenants any;
--- fake
connect: silence
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: timed out while connecting



=== TEST 14: it closes each connection as it comes
--- redis: 127.0.0.1:$TEST_NGINX_FAKE_PORT ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- fake
connect: close
--- request eval
$::post
--- error_code: 503
--- error_log
" is away: peer closed connection in SSL handshake



=== TEST 15: it resets each connection as it comes
--- redis: 127.0.0.1:$TEST_NGINX_FAKE_PORT ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- fake
connect: reset
--- request eval
$::post
--- error_code: 503
--- error_log
is away: 



=== TEST 16: expired, and then renewed: the message waits for that
--- http_config
    setter_redis rediss://$TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
                 timeout=2s backoff=10ms,50ms;
    setter_tenants any;
--- post_setup_server_root: main::serve('expired')
--- init: main::serve('good')
--- request eval
$::post
--- error_code: 201
--- queued: 1



=== TEST 17: Redis ends the connection; the next one is made
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- request eval
[$::post, $::post]
--- response_body_filters eval
sub {
    Setter::Suite::redis()->client_kill(qw(TYPE normal SKIPME yes));
    return $_[0] =~ s/"id":"[^"]*"/"id"/r;
}
--- error_code eval
[201, 201]
--- queued eval
[1, 1]
--- response_body eval
['{"id","status":"SUCCESS","message":"Message accepted"}',
 '{"id","status":"SUCCESS","message":"Message accepted"}']



=== TEST 18: more than a connection takes at once
--- redis: $TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
--- request
GET /metrics
--- response_body_filters eval
sub { main::under_pressure() }
--- response_body eval
"40 x 201"
--- queued: 40
--- no_error_log
[error]
[crit]
[alert]



=== TEST 19: a password that is wrong
--- http_config
    setter_redis rediss://nobody:x@$TEST_NGINX_TLS
                 ca=$TEST_NGINX_CERTIFICATES/ca.pem;
    setter_tenants any;
--- request eval
$::post
--- error_code: 503
--- error_log
WRONGPASS



=== TEST 20: refused: redis://127.0.0.1 ca=ca.pem
--- error_log
"setter_redis" takes "ca=" only with "rediss://"



=== TEST 21: refused: unix:/tmp/redis.sock name=redis.test
--- error_log
"setter_redis" takes "name=" only with "rediss://"



=== TEST 22: refused: rediss://127.0.0.1 cert=client.pem
--- error_log
"setter_redis" takes "cert=" and "key=" only together



=== TEST 23: refused: redis://127.0.0.1 key=client.key
--- error_log
"setter_redis" takes "key=" only with "rediss://"



=== TEST 24: refused: rediss://127.0.0.1 ca=none.pem
--- error_log
none.pem") failed
No such file or directory



=== TEST 25: refused: rediss://127.0.0.1 cert=none.pem key=none.key
--- error_log
none.pem": 
No such file or directory



=== TEST 26: refused: rediss://127.0.0.1 ca=$TEST_NGINX_CERTIFICATES/ca.key
--- error_log
ca.key") failed



=== TEST 27: refused: rediss://127.0.0.1 ca=
--- error_log
invalid parameter "ca="



=== TEST 28: refused: rediss://127.0.0.1 cert=$TEST_NGINX_CERTIFICATES/client.pem key=$TEST_NGINX_CERTIFICATES/alone.key
--- error_log
alone.key
key values mismatch
