# setter_webhook manychat_contact: ManyChat's contact data, answered with an
# empty dynamic block.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

sub sample {
    open my $file, '<', "t/data/manychat/external-request$_[0].request.json"
        or die "$_[0]: $!";
    local $/;
    return "POST /webhook/manychat/acme\n" . <$file>;
}

our $block = '{"version":"v2","content":{"type":"instagram","messages":[],'
    . '"actions":[],"quick_replies":[]}}';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', <<'EOC') if !defined $block->config;
    location ~ ^/webhook/manychat/(?<slug>[^/]+)\z {
        setter_tenant   $slug;
        setter_webhook  manychat_contact;
        setter_set      surface instagram;
        setter_debounce 2s;
    }
    location = /messenger {
        setter_tenant   acme;
        setter_webhook  manychat_contact;
    }
    location = /header {
        setter_tenant   acme;
        setter_webhook  manychat_contact;
        setter_set      surface $http_x_surface;
    }
    location = /token {
        setter_tenant   acme;
        setter_verify   token $http_x_hook_token right;
        setter_webhook  manychat_contact;
    }
    location = /known {
        setter_tenant   acme;
        setter_tenants  known;
        setter_webhook  manychat_contact;
    }
    location = /metrics { setter_api metrics; }
EOC
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: single variables become a job, answered with an empty block
--- request eval
main::sample('')
--- error_code: 200
--- response_headers
Content-Type: application/json
--- response_body eval
$main::block
--- job
kind: message
tenant: acme
provider: manychat
channel: instagram
consumer: MANYCHAT
from: 1000000000012345
to: 345000000000001
text: Do you ship abroad?
profile.name: Test Contact H
data.surface: instagram
data.ig_username: testcontact.h
header.debounce_ms: 2000



=== TEST 2: the contact's full data, of which ids keep their digits
--- request eval
main::sample('-full-contact')
--- error_code: 200
--- response_body eval
$main::block
--- job
from: 1000000000012345
to: 345000000000001
text: Do you ship abroad?
channel: telegram
data.custom_fields.order_no: A-1001
profile.name: Test Contact H



=== TEST 3: the contact within what the flow adds
--- request eval
main::sample('-wrapped')
--- error_code: 200
--- job
from: 1000000000012345
to: 345000000000001
text: Do you ship abroad?
profile.name: Test Contact H
data.contact.ig_username: testcontact.h



=== TEST 4: no text, or a variable that was not filled: no job, and the block
--- request eval
[main::sample('-empty-text'), main::sample('-unresolved-variable'),
 "GET /metrics"]
--- error_code eval
[200, 200, 200]
--- queued eval
[0, 0, 0]
--- response_body_like eval
["\Q$main::block\E", "\Q$main::block\E",
 'setter_aside_total\{format="manychat_contact"\} 2']



=== TEST 5: a body that is none, and one without a contact
--- request eval
["POST /webhook/manychat/acme\nnot JSON", "POST /webhook/manychat/acme\n[]",
 "POST /webhook/manychat/acme\n" . '{"last_input_text":"Hello"}']
--- error_code eval
[200, 200, 200]
--- queued eval
[0, 0, 0]



=== TEST 6: Messenger's block has no type
--- request
POST /messenger
{"id":1,"last_input_text":"Hello"}
--- error_code: 200
--- response_body chomp
{"version":"v2","content":{"messages":[],"actions":[],"quick_replies":[]}}
--- queued: 1



=== TEST 7: the type may be a variable's
--- request
POST /header
{"id":1,"last_input_text":"Hello"}
--- more_headers
X-Surface: whats"app
--- error_code: 200
--- response_body chomp
{"version":"v2","content":{"type":"whats\"app","messages":[],"actions":[],"quick_replies":[]}}
--- queued: 1



=== TEST 8: a message_id tells a repeat, two without one are two
--- request eval
[(qq{POST /messenger\n{"id":1,"last_input_text":"ok","message_id":"m1"}}) x 2,
 (qq{POST /messenger\n{"id":1,"last_input_text":"ok"}}) x 2]
--- error_code eval
[200, 200, 200, 200]
--- response_body_filters eval
my $n = 0;
sub {
    return '' if ++$n < 4;
    my %ids;
    $ids{JSON::XS::decode_json({ @{ $_->[1] } }->{j})->{id}}++
        for Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
    return CORE::join(' ', sort values %ids);
}
--- response_body eval
["", "", "", "1 1 2"]



=== TEST 9: the token is asked for
--- request eval
["POST /token\n" . '{"id":1,"last_input_text":"Hello"}',
 "POST /token\n" . '{"id":1,"last_input_text":"Hello"}']
--- more_headers eval
["X-Hook-Token: wrong", "X-Hook-Token: right"]
--- error_code eval
[401, 200]
--- queued eval
[0, 1]



=== TEST 10: an unknown tenant's flow goes on, and nothing is kept
--- request
POST /known
{"id":1,"last_input_text":"Hello"}
--- error_code: 200
--- queued: 0
