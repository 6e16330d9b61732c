# setter_webhook infobip: messages and reports, many in one body.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use JSON::XS;

our $webhook = <<'EOC';
    location ~ ^/webhook/infobip/(?<slug>[a-z][a-z0-9-]*)$ {
        setter_tenant  $slug;
        setter_webhook infobip;
    }
EOC

sub sample {
    open my $file, '<', "t/data/infobip/$_[0].json" or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

# A request with a sample.
sub post { return "POST /webhook/infobip/acme\n" . sample($_[0]) }

# A request with results.
sub results {
    return "POST /webhook/infobip/acme\n" . encode_json({ results => [@_] });
}

sub message {
    my ($id, $text, $second) = @_;
    return { messageId => $id, from => '15550104330', to => '15550100299',
        receivedAt => "2026-01-01T10:00:0$second.000+0000",
        message => { type => 'TEXT', text => $text } };
}

# The texts of the jobs in the inbox, in order.
sub texts {
    return join ', ', map { decode_json({ @{ $_->[1] } }->{j})->{text} // '-' }
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
provider: infobip
channel: whatsapp
type: text
from: 15550104330
to: 15550100299
text: Hello, is the shop open?
profile.name: Test Contact E
provider_id ~ ^wamid\.
header.debounce_ms: 0
lane: acme/conv/whatsapp:15550100299:15550104330



=== TEST 2: a batch, in the order of the provider's times
--- request eval
main::results(main::message('w3', 'third', 3), main::message('w1', 'first', 1),
    main::message('w2', 'second', 2))
--- error_code: 200
--- queued: 3
--- response_body_filters eval
sub { main::texts() }
--- response_body chomp
first, second, third



=== TEST 3: reports, each with a lane of its own
--- request eval
[main::post('delivery-report-batch'), main::post('seen-report')]
--- error_code eval
[200, 200]
--- queued eval
[2, 1]



=== TEST 4: a report has what the worker reads
--- request eval
main::post('delivery-report-delivered')
--- error_code: 200
--- job
kind: status
provider: infobip
data.results.0.status.groupName: DELIVERED
lane ~ ^acme/status/a1a1a1a1-
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
    my @ids = map { JSON::XS::decode_json({ @{ $_->[1] } }->{j})->{id} }
        Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
    return "@ids[0 .. 2]" eq "@ids[3 .. 5]" ? 'the same' : "@ids";
}
--- response_body eval
["", "the same"]



=== TEST 6: a bad element is set aside and counted, the others pass
--- request eval
[main::results(7, main::message('w1', 'good', 1), { messageId => 'w2' }),
 main::post('inbound-reaction'), "GET /metrics"]
--- error_code eval
[200, 200, 200]
--- queued eval
[1, 0, 0]
--- response_body_like eval
[qr/^$/, qr/^$/, qr/^setter_aside_total\{format="infobip"\} 3$/m]



=== TEST 7: nothing of the format
--- request eval
["POST /webhook/infobip/acme\n{}", "POST /webhook/infobip/acme\nno JSON",
 "POST /webhook/infobip/acme\n" . '{"results":7}', main::post('inbound-empty')]
--- error_code eval
[(200) x 4]
--- queued eval
[(0) x 4]



=== TEST 8: let in by a password
--- config
    location /webhook/infobip/acme {
        setter_tenant  acme;
        setter_verify  basic ib-hook:wire-sample-pass;
        setter_webhook infobip;
    }
--- request eval
[(main::post('inbound-text')) x 2]
--- more_headers eval
["Authorization: Basic aWItaG9vazp3aXJlLXNhbXBsZS1wYXNz",
 "Authorization: Basic aWItaG9vazp3cm9uZw=="]
--- error_code eval
[200, 401]
--- queued eval
[1, 0]
