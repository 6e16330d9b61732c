# setter_api: health and metrics.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $config = <<'EOC';
    location /health { setter_api health; }
    location /metrics { setter_api metrics; }
    location /generic {
        setter_tenant $http_x_tenant;
        setter_webhook generic;
        setter_set provider meta;
    }
    location /manychat {
        setter_tenant acme;
        setter_webhook manychat;
    }
    location /verified {
        setter_tenant acme;
        setter_verify token $http_x_key k;
        setter_webhook generic;
        setter_set provider meta;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $config) if !defined $block->config;
});

our $good = '{"from":"1","text":"a"}';

no_long_string();
run_tests();

__DATA__

=== TEST 1: healthy
--- request eval
["POST /generic\n$::good", "GET /health"]
--- more_headers eval
["X-Tenant: acme", ""]
--- error_code eval
[201, 200]
--- response_headers eval
["Content-Type: application/json",
 "Content-Type: application/json"]
--- response_body_like eval
["SUCCESS", '^\{.*"redis":.*\}\s*$']



=== TEST 2: healthy before the first message
--- request
GET /health
--- error_code: 200
--- response_body_like: "redis":



=== TEST 3: Redis is down
--- http_config
    setter_redis $TEST_NGINX_NOWHERE timeout=100ms;
    setter_tenants any;
--- request
GET /health
--- error_code: 503
--- response_headers
Content-Type: application/json
--- response_body_like: "redis":
--- error_log
is away



=== TEST 4: Redis says nothing
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=100ms connect_timeout=100ms;
    setter_tenants any;
--- fake
connect: silence
--- request
GET /health
--- error_code: 503
--- error_log
is away



=== TEST 5: HEAD, and what is not GET
--- request eval
["HEAD /health", "HEAD /metrics", "POST /health\na", "DELETE /metrics"]
--- error_code eval
[200, 200, 405, 405]
--- response_headers eval
["Content-Type: application/json", "! Allow", "Allow: GET, HEAD",
 "Allow: GET, HEAD"]



=== TEST 6: metrics are Prometheus text
--- request eval
["POST /generic\n$::good", "GET /metrics"]
--- more_headers eval
["X-Tenant: acme", ""]
--- error_code eval
[201, 200]
--- response_headers_like eval
["", "Content-Type: text/plain; version=0\\.0\\.4.*"]
--- response_body_filters eval
sub {
    my ($text) = @_;
    return $text if $text =~ /^\{/;

    # every sample follows the TYPE of its family, every family once
    my (%seen, $family, $type);
    for my $line (split /\n/, $text) {
        if ($line =~ /^# TYPE (setter_\w+) (\w+)$/) {
            ($family, $type) = ($1, $2);
            return "$family twice" if $seen{$family}++;
            next;
        }
        next if $line =~ /^# HELP (setter_\w+) \S/;
        my ($name, $value) = $line
            =~ /^(setter_\w+)(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (\S+)$/
            or return "no sample: $line";
        my $base = $type eq 'histogram' ? $name =~ s/_(?:bucket|sum|count)$//r
            : $name;
        return "$name under $family" if $base ne $family;
        return "$name is no counter's name"
            if $type eq 'counter' && $name !~ /_total$/;
        return "no number: $line" if $value !~ /^[0-9.e+-]+$/i;
    }
    return $text =~ /\n\z/ ? 'well-formed' : 'no end';
}
--- response_body_like eval
['SUCCESS', '^well-formed$']



=== TEST 7: what was accepted and what was refused, by format and reason
--- request eval
[
    ("POST /generic\n$::good") x 3, "POST /generic\n{", "POST /generic\n{}",
    "POST /verified\n$::good", "POST /generic\n$::good", "GET /generic",
    "POST /manychat\n" . '{"lead_identification":"m","lead_message":"a",'
        . '"chat_id":"1"}',
    "GET /metrics",
]
--- more_headers eval
[("X-Tenant: acme") x 6, "", ("X-Tenant: acme") x 2, ""]
--- error_code eval
[201, 201, 201, 400, 422, 401, 404, 405, 201, 200]
--- response_body_filters eval
sub {
    return $_[0] =~ /^\{/ ? 'answer'
        : CORE::join '', sort { $a cmp $b } grep { /_total\S* [1-9]/ }
            $_[0] =~ /^(setter_(?!redis)\w+\{.*\n)/mg;
}
--- response_body eval
[('answer') x 9, <<'EOM']
setter_accepted_total{format="generic"} 3
setter_accepted_total{format="manychat"} 1
setter_refused_total{format="generic",reason="fields"} 1
setter_refused_total{format="generic",reason="json"} 1
setter_refused_total{format="generic",reason="method"} 1
setter_refused_total{format="generic",reason="unauthorized"} 1
setter_refused_total{format="generic",reason="unknown_tenant"} 1
setter_tenant_accepted_total{tenant="acme"} 4
EOM



=== TEST 8: the round trip is a histogram whose buckets add up
--- request eval
[("POST /generic\n$::good") x 5, "GET /metrics"]
--- more_headers eval
[("X-Tenant: acme") x 5, ""]
--- error_code eval
[(201) x 5, 200]
--- response_body_filters eval
sub {
    my ($text) = @_;
    return 'answer' if $text =~ /^\{/;
    my $name = 'setter_redis_round_trip_seconds';
    my @buckets = $text =~ /^${name}_bucket\{le="[^"]+"\} (\d+)$/mg;
    my ($last) = $text =~ /^${name}_bucket\{le="\+Inf"\} (\d+)$/m;
    my ($count) = $text =~ /^${name}_count (\d+)$/m;
    my ($sum) = $text =~ /^${name}_sum (\d+\.\d+)$/m;
    my @sorted = sort { $a <=> $b } @buckets;
    return "@buckets" eq "@sorted" && $last == $count && $sum > 0
        ? "$count measured" : $text;
}
--- response_body eval
[('answer') x 5, '5 measured']



=== TEST 9: tenants that the zone has no place for are counted as one
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_zone 320k;
--- pipelined_requests eval
[(map { "POST /generic\n$::good" } 1 .. 1500), "GET /metrics"]
--- more_headers eval
["X-Tenant: other", (map { "X-Tenant: t-$_" } 1 .. 1499), ""]
--- log_level: notice
--- timeout: 20
--- config eval
"    keepalive_requests 10000;\n$::config"
--- error_code eval
[(201) x 1500, 200]
--- response_body_filters eval
sub {
    my ($text) = @_;
    return 'answer' if $text =~ /^\{/;
    my @tenants = $text =~ /^setter_tenant_accepted_total\{tenant="(.*?)"\}/mg;
    my $sum = 0;
    $sum += $_ for $text =~ /^setter_tenant_accepted_total\{.*\} (\d+)$/mg;
    my %seen;
    my $twice = grep { $seen{$_}++ } @tenants;
    return @tenants < 1400 ? "bounded, $sum, $twice twice"
        : scalar(@tenants) . ' tenants';
}
--- response_body eval
[('answer') x 1500, 'bounded, 1500, 0 twice']



=== TEST 10: messages whose key came before
--- request eval
[
    (map { "POST /generic\n" . $::good =~ s/\}/,"message_id":"$_"}/r }
        qw(a b a a b)), "POST /generic\n$::good", "GET /metrics",
]
--- more_headers eval
[("X-Tenant: acme") x 6, ""]
--- error_code eval
[(201) x 6, 200]
--- response_body_filters eval
sub { $_[0] =~ /^(setter_duplicates_total\{format="generic"\} .*)$/m
    ? $1 : 'answer' }
--- response_body eval
[('answer') x 6, 'setter_duplicates_total{format="generic"} 3']



=== TEST 11: whether Redis is up, and how often it was lost
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=2s backoff=10ms,50ms;
    setter_tenants any;
--- fake
XADD 1: close
--- request eval
["POST /generic\n$::good", "POST /generic\n$::good", "GET /metrics"]
--- more_headers eval
["X-Tenant: acme", "X-Tenant: acme", ""]
--- error_code eval
[504, 201, 200]
--- response_body_filters eval
sub {
    return 'answer' if $_[0] =~ /^\{/;
    return CORE::join '', $_[0]
        =~ /^(setter_(?:redis_(?!round)|refused\S+generic\S+time)\S+ .*\n)/mg;
}
--- response_body eval
['answer', 'answer', <<'EOM']
setter_refused_total{format="generic",reason="timeout"} 1
setter_redis_connections_total 2
setter_redis_failures_total 1
setter_redis_up 1
EOM
