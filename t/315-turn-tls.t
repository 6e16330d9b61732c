# A message's whole way, from nginx to the reply, with TLS to Redis on both
# sides and certificates that each end checks.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Postgres;
use Setter::Sandbox;
use Setter::Suite qw(tls);
use Setter::Worker;
use Test::Nginx::Socket 'no_plan';

use Time::HiRes qw(sleep time);

our $postgres = Setter::Postgres->start;
our $sandbox = Setter::Sandbox->start;
our $worker;

sub file { return "$ENV{TEST_NGINX_CERTIFICATES}/$_[0]" }

sub start_worker {
    $worker = Setter::Worker->start(
        SETTER_REDIS_URL    => "rediss://$ENV{TEST_NGINX_TLS}",
        SETTER_REDIS_CA     => file('ca.pem'),
        SETTER_REDIS_NAME   => 'redis.test',
        SETTER_REDIS_CERT   => file('client.pem'),
        SETTER_REDIS_KEY    => file('client.key'),
        SETTER_DATABASE_URL => $postgres->url('worker'),
        OPENAI_BASE_URL     => $sandbox->url . '/v1',
        OPENAI_API_KEY      => 'sandbox',
        MANYCHAT_BASE_URL   => $sandbox->url,
        MANYCHAT_API_KEY    => '1:sandbox',
    );
}

# What the person got, when the turn has ended.
sub replies {
    my ($to) = @_;
    my $limit = time + 20;

    sleep 0.01 until $worker->turns || time > $limit;
    return join '|', map { $_->{text} } grep { $_->{to} eq $to }
        @{ $sandbox->sent };
}

no_long_string();
run_tests();

undef $worker;

__DATA__

=== TEST 1: a message is answered
--- http_config
    setter_redis rediss://$TEST_NGINX_TLS ca=$TEST_NGINX_CERTIFICATES/ca.pem
                 cert=$TEST_NGINX_CERTIFICATES/client.pem
                 key=$TEST_NGINX_CERTIFICATES/client.key timeout=10s;
    setter_tenants any;
--- config
    location /webhook {
        setter_tenant acme;
        setter_webhook manychat;
        setter_set surface instagram;
    }
--- post_setup_server_root
Setter::Suite::redis()->config_set('tls-auth-clients', 'yes')
--- init: main::start_worker()
--- request
POST /webhook
{"lead_identification":"l","lead_message":"Hello","chat_id":"15550100"}
--- error_code: 201
--- response_body_filters eval
sub { main::replies('15550100') }
--- response_body chomp
Hello
