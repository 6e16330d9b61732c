# setter_webhook instagram: messages and what was seen, many in one body.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use JSON::XS;

our $secret = 'wire-sample-ig-app-secret-0001';

our $webhook = <<'EOC';
    location ~ ^/webhook/instagram/(?<slug>[a-z][a-z0-9-]*)$ {
        setter_tenant  $slug;
        setter_webhook instagram;
    }
EOC

sub sample {
    open my $file, '<', "t/data/instagram/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

# A request with a sample.
sub post { return "POST /webhook/instagram/acme\n" . sample("$_[0].json") }

# A request with what an account is told.
sub messaging {
    return "POST /webhook/instagram/acme\n" . encode_json({
        object => 'instagram', entry => [ { id => '17800000000000123',
            time => 1767225600500, messaging => [@_] } ] });
}

sub message {
    my ($mid, $text, $ms, %more) = @_;
    return { sender => { id => '900000000000000101' },
        recipient => { id => '17800000000000123' },
        timestamp => 1767225600000 + $ms,
        message => { mid => $mid, text => $text, %more } };
}

# File and signature of each sample.
sub signatures {
    return map { /^(inbound-\S+)\t(\S+)$/ ? [ $1, $2 ] : () }
        split /\n/, sample('SIGNATURES.tsv');
}

# That member of the jobs in the inbox, in order.
sub inbox {
    my ($member) = @_;
    return join ', ', map { decode_json({ @{ $_->[1] } }->{j})->{$member} }
        Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $webhook . <<'EOC') if !defined $block->config;
    location /metrics { setter_api metrics; }
EOC
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a text becomes a job, answered with an empty 200
--- request eval
main::post('inbound-text')
--- error_code: 200
--- response_body:
--- job
kind: message
tenant: acme
provider: instagram
channel: instagram
type: text
from: 900000000000000101
to: 17800000000000123
text: Price of the blue one?
provider_id: aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDAx
data.message.mid: aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDAx
header.debounce_ms: 0
lane: acme/conv/instagram:17800000000000123:900000000000000101



=== TEST 2: many, in the order of the provider's times
--- request eval
main::messaging(main::message('m3', 'third', 3), main::message('m1', 'first', 1),
    main::message('m2', 'second', 2))
--- error_code: 200
--- queued: 3
--- response_body_filters eval
sub { main::inbox('text') }
--- response_body chomp
first, second, third



=== TEST 3: several accounts, a body in an array, and one of changes
--- request eval
[main::post('inbound-batch'),
 "POST /webhook/instagram/acme\n[" . main::sample('inbound-text.json') . ']',
 main::post('inbound-changes-style')]
--- error_code eval
[200, 200, 200]
--- queued eval
[3, 1, 1]



=== TEST 4: what was seen has what the worker reads, and a lane of its own
--- request eval
main::post('inbound-seen')
--- error_code: 200
--- job
kind: status
provider: instagram
data.messaging.0.read.mid: aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDEx
lane ~ ^acme/status/aWdfZAG
header.debounce_ms: 0



=== TEST 5: what comes again has the same ids
--- request eval
[(main::post('inbound-batch')) x 2]
--- error_code eval
[200, 200]
--- queued eval
[3, 3]
--- response_body_filters eval
my $n = 0;
sub {
    return '' if !$n++;
    my @ids = split /, /, main::inbox('id');
    return "@ids[0 .. 2]" eq "@ids[3 .. 5]" ? 'the same' : "@ids";
}
--- response_body eval
["", "the same"]



=== TEST 6: what is no message is set aside and counted
--- request eval
[(map { main::post("inbound-$_") } qw(edit reaction unreact
    unsupported referral-link comment no-messaging)),
 main::messaging(7, main::message('m1', 'good', 1),
    main::message('m2', 'ours', 2, is_self => JSON::XS::true)),
 "GET /metrics"]
--- error_code eval
[(200) x 9]
--- queued eval
[(0) x 7, 1, 0]
--- response_body_like eval
[(qr/^$/) x 8, qr/^setter_aside_total\{format="instagram"\} 9$/m]



=== TEST 7: what left our account is an event, with a lane of its own
--- request eval
main::post('inbound-echo')
--- error_code: 200
--- job
kind: event
type: echo
provider: instagram
from: 900000000000000101
to: 17800000000000123
text: our own reply
lane ~ ^acme/event/aWdfZAG1
header.debounce_ms: 0



=== TEST 8: nothing of the format
--- request eval
["POST /webhook/instagram/acme\n{}", "POST /webhook/instagram/acme\nno JSON",
 "POST /webhook/instagram/acme\n[]", "GET /webhook/instagram/acme"]
--- error_code eval
[200, 200, 200, 405]
--- queued eval
[0, 0, 0, 0]



=== TEST 9: each sample with its signature, and without
--- config
    location /webhook/instagram/acme {
        setter_tenant  acme;
        setter_verify  meta wire-sample-ig-app-secret-0001 handshake=my-token;
        setter_webhook instagram;
    }
--- request eval
[(map { "POST /webhook/instagram/acme\n" . main::sample($_->[0]) }
    main::signatures()), main::post('inbound-text'), main::post('inbound-text'),
 "GET /webhook/instagram/acme?hub.mode=subscribe&hub.challenge=42"
    . "&hub.verify_token=my-token"]
--- more_headers eval
[(map { "X-Hub-Signature-256: $_->[1]" } main::signatures()),
 "X-Hub-Signature-256: " . (main::signatures())[1][1], "X-None: 1", "X-None: 1"]
--- error_code eval
my $n = () = main::signatures();
$n > 20 ? [(200) x $n, 401, 401, 200] : []



=== TEST 10: the account tells the tenant
--- post_setup_server_root
Setter::Suite::redis()->hset('setter:{mm}:channels',
    'instagram/17800000000000456', 'globex');
--- config
    location /webhook/instagram {
        setter_tenant  channel:to;
        setter_tenant  acme;
        setter_webhook instagram;
    }
--- request eval
"POST /webhook/instagram\n" . main::sample('inbound-batch.json')
--- error_code: 200
--- queued: 3
--- response_body_filters eval
sub { main::inbox('tenant') }
--- response_body chomp
acme, acme, globex



=== TEST 11: members by directives
--- config
    location /webhook/instagram/acme {
        setter_tenant  acme;
        setter_webhook instagram;
        setter_set     consumer IG;
        setter_default workflow SALES;
        setter_default channel other;
        setter_default extra more;
    }
--- request eval
main::post('inbound-text')
--- error_code: 200
--- job
consumer: IG
workflow: SALES
channel: instagram
data.extra: more



=== TEST 12: refused: setter_validate
--- config
    location /w {
        setter_tenant   acme;
        setter_webhook  instagram;
        setter_validate on;
        proxy_pass      http://127.0.0.1:1;
    }
--- must_die
--- suppress_stderr
--- error_log
do not go with a format that brings many messages



=== TEST 13: refused: a tenant in the body
--- config
    location /w {
        setter_tenant   body:tenant_id;
        setter_webhook  instagram;
    }
--- must_die
--- suppress_stderr
--- error_log
do not go with a format that brings many messages



=== TEST 14: a message that was unsent is an event; one of ours is nothing
--- request eval
[main::post('inbound-deleted'), main::messaging(main::message('m1', undef, 1,
    is_deleted => JSON::XS::true, is_echo => JSON::XS::true))]
--- error_code eval
[200, 200]
--- queued eval
[1, 0]
--- job eval
["kind: event\ntype: unsent\nfrom: 900000000000000101\n"
 . "to: 17800000000000123\nprovider_id ~ ^aWdfZAG1", undef]



=== TEST 15: a message and its being unsent are two jobs
--- request eval
main::messaging(main::message('m1', 'Hello', 1),
    main::message('m1', undef, 2, is_deleted => JSON::XS::true))
--- error_code: 200
--- queued: 2
--- response_body_filters eval
sub {
    my @ids = split /, /, main::inbox('id');
    return $ids[0] ne $ids[1] ? 'two' : "@ids";
}
--- response_body chomp
two
