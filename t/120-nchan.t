# Beside libnginx-mod-nchan, which brings a patched hiredis of its own: in
# either order of loading, both talk to Redis.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis unloaded);

BEGIN {
    my ($nchan) = grep { -e } map { "$_/ngx_nchan_module.so" }
        ($ENV{NGINX_MODULES_DIR} // ()), '/usr/lib/nginx/modules';
    $ENV{TEST_NGINX_NCHAN_MODULE} = $nchan // '';
}

use Test::Nginx::Socket 'no_plan';

our $http = <<'EOC';
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    nchan_redis_url redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
EOC

our $config = <<'EOC';
    location /w {
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
    }
    location /pub {
        nchan_publisher;
        nchan_channel_id c;
        nchan_use_redis on;
    }
EOC

# nchan wants a port
$ENV{TEST_NGINX_REDIS_PORT} = Setter::Suite::free_port();
Setter::Suite::redis()->config_set('port', $ENV{TEST_NGINX_REDIS_PORT});

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', $http);
    $block->set_value('config', $config);
});

our $post = "POST /w\n" . '{"from":"1","text":"a"}';

# in a single process nchan frees its shared memory twice at the end
master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: ours first
--- main_config
    load_module $TEST_NGINX_SETTER_MODULE;
    load_module $TEST_NGINX_NCHAN_MODULE;
--- request eval
[$::post, "POST /pub\nnews", $::post, "GET /pub"]
--- wait: 0.1
--- error_code_like eval
['^201$', '^20[12]$', '^201$', '^200$']
--- response_body_like eval
["SUCCESS", "", "SUCCESS", "messages: *1"]



=== TEST 2: nchan first
--- main_config
    load_module $TEST_NGINX_NCHAN_MODULE;
    load_module $TEST_NGINX_SETTER_MODULE;
--- request eval
[$::post, "POST /pub\nnews", $::post, "GET /pub"]
--- wait: 0.1
--- error_code_like eval
['^201$', '^20[12]$', '^201$', '^200$']
--- response_body_like eval
["SUCCESS", "", "SUCCESS", "messages: *1"]
