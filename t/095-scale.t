# setter_api scale: the workers that the queue could use.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Queue;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $config = <<'EOC';
    location /scale { setter_api scale; }
    location /bounds { setter_api scale target=2 min=1 max=3; }
    location /none { setter_api scale min=0 max=1; }
    location /health { setter_api health; }
    location /generic {
        setter_tenant $http_x_tenant;
        setter_webhook generic;
        setter_set provider meta;
    }
EOC

our $good = '{"from":"1","text":"a"}';

# A queue of so many jobs, one a conversation, of which a worker has sorted
# and claimed some.
sub fill {
    my ($jobs, %args) = @_;
    my $redis = Setter::Suite::redis();
    my $queue = Setter::Queue->new($redis, tag => $args{tag} // 'mm');

    $Setter::Suite::server->load_library($redis);
    $queue->append(id => "j$_", lane => "$args{tenant}/conv/$_",
        send_at_ms => $args{send_at_ms} // 0) for 1 .. $jobs;
    $queue->claim(slots => $args{claimed}, lease_ms => 60000)
        if defined $args{claimed};
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $config) if !defined $block->config;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: nothing to do
--- request eval
["GET /scale", "GET /bounds", "GET /none"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
[("Content-Type: application/json") x 3]
--- response_body eval
['{"queued":0,"in_flight":0,"workers":0,"desired":0}',
 '{"queued":0,"in_flight":0,"workers":0,"desired":1}',
 '{"queued":0,"in_flight":0,"workers":0,"desired":0}']



=== TEST 2: what waits unsorted counts, no worker having been there yet
--- http_config
    setter_redis $TEST_NGINX_FAKE;
    setter_tenants any;
--- fake
FCALL_RO: -ERR Function not found
--- request eval
[("POST /generic\n$::good") x 6, "GET /scale", "GET /bounds"]
--- more_headers eval
[("X-Tenant: acme") x 6, "", ""]
--- error_code eval
[(201) x 6, 200, 200]
--- response_body_like eval
[('SUCCESS') x 6,
 '^\{"queued":6,"in_flight":0,"workers":0,"desired":2\}$',
 '^\{"queued":6,"in_flight":0,"workers":0,"desired":3\}$']
--- fake_saw eval
[("XADD") x 6, "FCALL_RO setter_depth 1 setter:{mm}:inbox\nXLEN",
 "2 x FCALL_RO setter_depth 1 setter:{mm}:inbox"]



=== TEST 3: jobs in lanes, and turns in workers' hands
--- post_setup_server_root
main::fill(11, tenant => 'acme', claimed => 4);
--- request eval
["GET /scale", "GET /bounds", "GET /none"]
--- response_body eval
['{"queued":7,"in_flight":4,"workers":1,"desired":3}',
 '{"queued":7,"in_flight":4,"workers":1,"desired":3}',
 '{"queued":7,"in_flight":4,"workers":1,"desired":1}']



=== TEST 4: a turn in hand keeps its worker
--- post_setup_server_root
main::fill(1, tenant => 'acme', claimed => 1);
--- request
GET /scale
--- response_body: {"queued":0,"in_flight":1,"workers":1,"desired":1}
--- error_code: 200



=== TEST 5: jobs for later count when their time has come
--- post_setup_server_root
main::fill(7, tenant => 'acme', send_at_ms => 9e12, claimed => 0);
my $queue = Setter::Queue->new(Setter::Suite::redis(), tag => 'mm');
$queue->redis->zadd($queue->key('later'), $queue->now - 1,
    $queue->redis->zrange($queue->key('later'), 0, 0));
--- request
GET /scale
--- response_body: {"queued":1,"in_flight":0,"workers":1,"desired":1}
--- error_code: 200



=== TEST 6: over all partitions, where a worker claims in each
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_partitions 2;
--- post_setup_server_root
main::fill(5, tenant => 'acme', claimed => 1);
main::fill(5, tenant => 'other', claimed => 2, tag => 'si');
--- request eval
["GET /scale", "GET /health"]
--- error_code eval
[200, 200]
--- response_body_like eval
['^\{"queued":7,"in_flight":3,"workers":1,"desired":2\}$',
 '"waiting":7,.*"leased":3,.*"workers":1,']



=== TEST 7: HEAD, and what is not GET
--- request eval
["HEAD /scale", "POST /scale\na"]
--- error_code eval
[200, 405]
--- response_headers eval
["Content-Type: application/json", "Allow: GET, HEAD"]



=== TEST 8: Redis is down
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- request
GET /scale
--- error_code: 503
--- response_body_like: "unavailable"
--- error_log
is away



=== TEST 9: Redis says nothing
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=100ms;
    setter_tenants any;
--- fake
FCALL_RO: silence
--- request
GET /scale
--- error_code: 503
--- response_body_like: "unavailable"



=== TEST 10: Redis answers what is no count
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=1s;
    setter_tenants any;
--- fake
FCALL_RO: +OK
XLEN: bulk many
--- request
GET /scale
--- error_code: 503
--- response_body_like: "unavailable"
