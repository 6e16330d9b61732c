# What is in Redis afterwards: header, envelope, id, lane, partition.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', "    location /w {\n$webhook    }\n");
});

sub post {
    return map { qq(POST /w\n{"from":"1","text":"a"$_}) } @_ ? @_ : '';
}

# bodies become "<how often this id was answered> <its UUID version>"
sub count_ids {
    my @ids;

    return sub {
        my ($id) = $_[0] =~ /"id":"(.{36})"/ or return 'no id';
        push @ids, $id;
        return join ' ', scalar(grep { $_ eq $id } @ids), substr $id, 14, 1;
    };
}

# the hash tag of a tenant's keys where there are four partitions
sub tag_of_four {
    my ($tenant) = @_;
    my $crc = 0;

    for my $byte (unpack 'C*', $tenant) {
        $crc ^= $byte << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff
            for 1 .. 8;
    }
    return (qw(mm cs si bk))[$crc % 4];
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: the header line has nine fields, the envelope its members
--- request eval
[main::post()]
--- error_code eval
[201]
--- job eval
["id ~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\$
kind: message
tenant: acme
lane ~ ^acme/conv/
received_at ~ ^20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\$
header.version: 1
header.received_ms ~ ^1\\d{12}\$
header.debounce_ms: 0
header.debounce_max_ms: 0
header.send_at_ms: 0"]



=== TEST 2: received_ms and received_at are one time, and that of now
--- config eval
"    location /w {
$::webhook    }"
--- request eval
[main::post()]
--- error_code eval
[201]
--- response_body_filters eval
sub {
    my ($key) = Setter::Suite::redis()->keys('setter:*:inbox');
    my ($entry) = Setter::Suite::redis()->xrange($key, '-', '+');
    my %entry = @{ $entry->[1] };
    my $ms = (split /\t/, $entry{h})[5];
    my ($at) = $entry{j} =~ /"received_at":"(.*?)Z"/;
    my @t = gmtime($ms / 1000);
    my $same = sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03d', $t[5] + 1900,
        $t[4] + 1, @t[3, 2, 1, 0], $ms % 1000;
    return CORE::join ' ', $at eq $same ? 'same' : "$at $same",
        abs(time - $ms / 1000) < 60 ? 'now' : $ms;
}
--- response_body eval
["same now"]
--- queued eval
[1]



=== TEST 3: nothing but the stream and the layout is written
--- request eval
[main::post()]
--- error_code eval
[201]
--- response_body_filters eval
sub { CORE::join ' ', map { "$_=" . Setter::Suite::redis()->type($_) }
    sort { $a cmp $b } Setter::Suite::redis()->keys('*') }
--- response_body eval
["setter:{mm}:inbox=stream setter:{mm}:layout=string"]



=== TEST 4: ids grow with time
--- request eval
[(main::post()) x 5]
--- response_body_filters eval
my $last = '';
sub {
    my ($id) = $_[0] =~ /"id":"(.{13})/;
    my $grown = $id ge $last ? 'grown' : "$last $id";
    $last = $id;
    return $grown;
}
--- error_code eval
[(201) x 5]
--- response_body eval
[('grown') x 5]



=== TEST 5: one key, one id, whatever the rest of the message says
--- request eval
[main::post(',"message_id":"k-1"', ',"message_id":"k-1","x":2',
    ',"message_id":"k-2"', ',"message_id":17', ',"message_id":"17"', '', '')]
--- error_code eval
[(201) x 7]
--- response_body_filters eval
main::count_ids()
--- response_body eval
["1 8", "2 8", "1 8", "1 8", "2 8", "1 7", "1 7"]
--- queued eval
[(1) x 7]



=== TEST 6: an empty key is no key
--- request eval
[(main::post(',"message_id":""', ',"message_id":null', ',"message_id":"  "'))
    x 2]
--- error_code eval
[(201) x 6]
--- response_body_filters eval
main::count_ids()
--- response_body eval
[("1 7") x 6]



=== TEST 7: setter_dedupe takes another field, or none
--- config eval
"    location /w {
        setter_dedupe order;
$::webhook    }
    location /off {
        setter_dedupe off;
$::webhook    }"
--- request eval
[
    main::post(',"order":"o-1"', ',"order":"o-1"', ',"message_id":"k"',
        ',"message_id":"k"'),
    map { s{/w}{/off}r } main::post(',"message_id":"k"', ',"message_id":"k"'),
]
--- error_code eval
[(201) x 6]
--- response_body_filters eval
main::count_ids()
--- response_body eval
["1 8", "2 8", ("1 7") x 4]



=== TEST 8: off is off for the header as well
--- config eval
"    location /off {
        setter_dedupe off;
$::webhook    }"
--- request eval
[map { s{/w}{/off}r } main::post(), main::post()]
--- more_headers eval
["Idempotency-Key: k", "Idempotency-Key: k"]
--- error_code eval
[201, 201]
--- response_body_filters eval
main::count_ids()
--- response_body eval
["1 7", "1 7"]



=== TEST 9: debounce and its maximum travel in the header
--- config eval
"    setter_debounce 3s max=9s;
    location /w {
$::webhook    }
    location /own {
        setter_debounce 250ms max=1m;
$::webhook    }
    location /off {
        setter_debounce off;
$::webhook    }"
--- request eval
[map { my $where = $_; map { s{/w}{$where}r } main::post() }
    '/w', '/own', '/off']
--- error_code eval
[201, 201, 201]
--- job eval
["header.debounce_ms: 3000\nheader.debounce_max_ms: 9000",
 "header.debounce_ms: 250\nheader.debounce_max_ms: 60000",
 "header.debounce_ms: 0\nheader.debounce_max_ms: 0"]



=== TEST 10: setter_lane, with variables; its bytes are made safe
--- config eval
"    location /w {
        setter_lane order-\$arg_order;
$::webhook    }
    location /body {
        setter_lane 'x y/\$http_x_lane:z';
$::webhook    }"
--- request eval
my ($post) = main::post();
[$post =~ s{/w}{/w?order=7}r, $post =~ s{/w}{/body}r]
--- more_headers eval
["", "X-Lane: caf\xc3\xa9%"]
--- error_code eval
[201, 201]
--- job eval
["lane: acme/conv/order-7", "lane: acme/conv/x%20y/caf%C3%A9%25:z"]



=== TEST 11: a lane has a length, whatever the addresses have
--- request eval
my ($post) = main::post();
[map { my $to = $_ x 250; $post =~ s/\}/,"to":"$to"}/r =~
    s/"from":"1"/"from":"$to"/r } 'a', 'b', "\xc3\xa9"]
--- error_code_like eval
[('^(?:201|422)$') x 3]
--- job eval
["lane ~ ^[ -~]{1,512}\$", "lane ~ ^acme/conv/.{1,502}\$"]
--- queued eval
[1, 1]



=== TEST 12: a tenant's partition is that of Redis Cluster's CRC16
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_partitions 4;
    setter_tenants any;
--- config eval
"    setter_tenant \$http_x_tenant;
    location /w {
        setter_webhook generic;
        setter_set provider meta;
    }"
--- request eval
[(main::post()) x 6]
--- more_headers eval
[map { "X-Tenant: $_" } qw(a b c d e acme)]
--- error_code eval
[(201) x 6]
--- response_body_filters eval
my $n = 0;
sub {
    my $tenant = (qw(a b c d e acme))[$n++];
    my $tag = main::tag_of_four($tenant);
    my @entries = Setter::Suite::redis()->xrevrange("setter:{$tag}:inbox",
        '+', '-', 'COUNT', 1);
    return @entries && $entries[0][1][1] =~ /^1\t[^\t]+\t$tenant\t/
        ? 'there' : "not in $tag";
}
--- response_body eval
[('there') x 6]
--- queued eval
[(1) x 6]



=== TEST 13: whether a tenant is known is asked of its partition
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_partitions 4;
    setter_tenants known;
    setter_tenant $http_x_tenant;
--- config
    location /w {
        setter_webhook generic;
        setter_set provider meta;
    }
--- post_setup_server_root
for my $tenant (qw(a b c d)) {
    Setter::Suite::redis()->sadd("setter:{$_}:known", $tenant)
        for grep { ($_ eq main::tag_of_four($tenant)) == ($tenant lt 'c') }
            qw(mm cs si bk);
}
--- request eval
[(main::post()) x 4]
--- more_headers eval
[map { "X-Tenant: $_" } qw(a b c d)]
--- error_code eval
[201, 201, 404, 404]
--- queued eval
[1, 1, 0, 0]



=== TEST 14: the layout is written once, and kept
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_partitions 2;
    setter_tenants any;
--- request eval
[main::post()]
--- error_code eval
[201]
--- response_body_filters eval
sub { Setter::Suite::redis()->get('setter:{mm}:layout') }
--- response_body eval
["1 2"]



=== TEST 15: an acknowledged message survives a quit at once
--- request eval
[(main::post()) x 20]
--- error_code eval
[(201) x 20]
--- queued eval
[(1) x 20]
--- no_shutdown_error_log
[alert]



=== TEST 16: many in one pipeline, each its own answer
--- pipelined_requests eval
[map { main::post(",\"message_id\":\"p-$_\"") } 1 .. 30]
--- error_code eval
[(201) x 30]
--- response_body_filters eval
main::count_ids()
--- response_body eval
[("1 8") x 30]



=== TEST 17: the trace goes on where a valid one came, and is new elsewhere
--- request eval
[(main::post()) x 6]
--- more_headers eval
[map { "traceparent: $_" }
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'nonsense']
--- error_code eval
[(201) x 6]
--- job eval
['trace ~ ^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$',
 ('trace ~ ^00-(?!0af7|0AF7|0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$') x 1,
 'trace ~ ^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$',
 ('trace ~ ^00-(?!0{32})(?!0AF7)[0-9a-f]{32}-[0-9a-f]{16}-0[01]$') x 3]
