# ManyChat's External Request: setter_webhook manychat.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook manychat;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', <<"EOC");
    location /w {
$webhook    }
    location /compat {
        setter_status compat;
$webhook    }
EOC
});

our $good = '{"lead_identification":"maria","lead_message":"Is it open?",'
    . '"chat_id":"1234567"}';

sub post { return map { "POST /w\n$_" } @_ }

# the good message with this in place of a field
sub but {
    my ($field, $value) = @_;
    my $json = defined $value ? "\"$field\":$value," : '';
    return "POST /w\n" . $good =~ s/"$field":"[^"]*",?/$json/r =~ s/,\}/}/r;
}

sub invalid {
    my $errors = join ',', map { s/(\w+) (\w+)/{"field":"$1","error":"$2"}/r }
        @_;
    return '{"id":null,"status":"INVALID_INPUT",'
        . "\"message\":\"Missing required fields\",\"errors\":[$errors]}";
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a lead's message becomes a job
--- request eval
main::post($::good)
--- error_code: 201
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"id":"[0-9a-f-]{36}","status":"SUCCESS","message":"[^"]+"\}$
--- job
kind: message
tenant: acme
lane: acme/conv/manychat:-:1234567
from: 1234567
text: Is it open?
type: text
provider: manychat
channel: telegram
consumer: MANYCHAT
workflow: SETTER
data.lead_identification: maria
received_at ~ ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$
trace ~ ^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$
header.version: 1
header.debounce_ms: 0
header.send_at_ms: 0
! to
! data.chat_id
! data.lead_message



=== TEST 2: the compat answer has the same shape
--- request eval
"POST /compat\n$::good"
--- error_code: 201
--- response_body_like: ^\{"id":"[0-9a-f-]{36}","status":"SUCCESS","message":"[^"]+"\}$
--- queued: 1



=== TEST 3: page_id is ours, and part of the lane
--- request eval
main::but('chat_id', '"55","page_id":98765432109876543210')
--- error_code: 201
--- job
from: 55
to: 98765432109876543210
lane: acme/conv/manychat:98765432109876543210:55



=== TEST 4: ids may be numbers, and keep their digits
--- request eval
[main::but('chat_id', '12345678901234567890'), main::but('chat_id', '7'),
 main::but('lead_identification', '42')]
--- error_code eval
[201, 201, 201]
--- job eval
["from: 12345678901234567890\nlane: acme/conv/manychat:-:12345678901234567890",
 "from: 7", "data.lead_identification: 42"]



=== TEST 5: a required field that is not there
--- request eval
[map { main::but($_) } qw(lead_identification lead_message chat_id)]
--- error_code eval
[422, 422, 422]
--- response_body eval
[map { main::invalid("$_ required") }
    qw(lead_identification lead_message chat_id)]
--- queued eval
[0, 0, 0]



=== TEST 6: all that is wrong is told, in the order of the format
--- request eval
main::post('{"chat_id":[],"lead_message":"  "}')
--- error_code: 422
--- response_body_like: "errors":\[(?:\{"field":"\w+","error":"\w+"\},?){3}\]
--- queued: 0



=== TEST 7: the same in compat
--- request
POST /compat
{"lead_message":"hi"}
--- error_code: 201
--- response_body_like: ^\{"id":null,"status":"INVALID_INPUT","message":"Missing required fields","errors":\[
--- queued: 0



=== TEST 8: null is no value, and neither is one of white space
--- request eval
[main::but('chat_id', 'null'), main::but('chat_id', '""'),
 main::but('lead_message', '" \t\n "'), main::but('lead_message', '""'),
 main::but('lead_message', 'null'), main::but('lead_identification', '"  "')]
--- error_code eval
[(422) x 6]
--- response_body_like eval
['"chat_id","error":"(?:required|empty)"', '"chat_id","error":"empty"',
 '"lead_message","error":"empty"', '"lead_message","error":"empty"',
 '"lead_message","error":"(?:required|empty)"',
 '"lead_identification","error":"empty"']
--- queued eval
[(0) x 6]



=== TEST 9: a variable that ManyChat left unresolved counts as empty
--- request eval
[main::but('lead_message', '"{{last_input_text}}"'),
 main::but('chat_id', '"{{user_id}}"'),
 main::but('lead_message', '" {{ last_input_text }} "'),
 main::but('lead_message', '"I mean {{this}}"')]
--- error_code eval
[422, 422, 422, 201]
--- response_body_like eval
['"lead_message","error":"empty"', '"chat_id","error":"empty"',
 '"lead_message","error":"empty"', 'SUCCESS']
--- queued eval
[0, 0, 0, 1]



=== TEST 10: values of the wrong type
--- request eval
[main::but('chat_id', '{}'), main::but('chat_id', 'true'),
 main::but('chat_id', '["1"]'), main::but('lead_message', '5'),
 main::but('lead_message', '{"text":"a"}'), main::but('lead_message', 'false')]
--- error_code eval
[(422) x 6]
--- response_body eval
[(main::invalid('chat_id type')) x 3, (main::invalid('lead_message type')) x 3]
--- queued eval
[(0) x 6]



=== TEST 11: an id has a length
--- request eval
[main::but('chat_id', '"' . '1' x 256 . '"'),
 main::but('chat_id', '"' . '1' x 257 . '"')]
--- error_code eval
[201, 422]
--- response_body_like eval
['SUCCESS', '"chat_id","error":"too_long"']
--- queued eval
[1, 0]



=== TEST 12: what the caller says of channel, consumer, workflow stays
--- request eval
[
    main::but('chat_id', '"5","channel":"instagram","consumer":"OTHER",'
        . '"workflow":"OWN"'),
    main::but('chat_id', '"5","channel":"","consumer":null,"workflow":" "'),
]
--- error_code eval
[201, 201]
--- job eval
["channel: instagram\nconsumer: OTHER\nworkflow: OWN",
 "channel: telegram\nconsumer: MANYCHAT\nworkflow: SETTER"]



=== TEST 13: the caller cannot choose who answers, or whose lane it is
--- request eval
main::but('chat_id', '"5","provider":"meta","lane":"x","tenant":"other"')
--- error_code: 201
--- job
provider: manychat
tenant: acme
lane: acme/conv/manychat:-:5



=== TEST 14: the surface comes from the location
--- config eval
"    location /w {
        setter_set surface instagram;
$::webhook    }"
--- request eval
main::but('chat_id', '"5","surface":"telegram"')
--- error_code: 201
--- job
data.surface: instagram
channel: telegram



=== TEST 15: message_id makes a repeat the same message
--- request eval
[
    main::but('chat_id', '"5","message_id":"m-1"'),
    main::but('chat_id', '"5","message_id":"m-1"'),
    main::but('chat_id', '"5","message_id":"m-2"'),
    main::but('chat_id', '"5"'), main::but('chat_id', '"5"'),
]
--- response_body_filters eval
my @ids;
sub {
    my ($id) = $_[0] =~ /"id":"([^"]+)"/;
    push @ids, $id;
    my $same = grep { $_ eq $id } @ids;
    return "$same " . ($id =~ /^.{14}8/ ? 'v8' : 'v7');
}
--- error_code eval
[(201) x 5]
--- response_body eval
["1 v8", "2 v8", "1 v8", "1 v7", "1 v7"]



=== TEST 16: Idempotency-Key, where there is no message_id
--- request eval
[
    main::but('chat_id', '"5"'), main::but('chat_id', '"6"'),
    main::but('chat_id', '"5","message_id":"m-1"'),
    main::but('chat_id', '"5","message_id":"m-2"'),
]
--- more_headers eval
[("Idempotency-Key: k-1") x 4]
--- response_body_filters eval
my @ids;
sub {
    my ($id) = $_[0] =~ /"id":"([^"]+)"/;
    push @ids, $id;
    return scalar grep { $_ eq $id } @ids;
}
--- error_code eval
[(201) x 4]
--- response_body eval
[1, 2, 1, 1]



=== TEST 17: full contact data passes through
--- request
POST /w
{"lead_identification":"maria","lead_message":"hola","chat_id":5,"key":"user:5","custom_fields":{"budget":1200,"city":null},"live_chat_url":"https:\/\/example.com\/c\/5"}
--- error_code: 201
--- job
data.key: user:5
data.custom_fields: {"budget":1200,"city":null}
data.live_chat_url: https://example.com/c/5



=== TEST 18: bytes that a lane's name cannot have
--- request eval
[main::but('chat_id', '"a:b/c%d e"'), main::but('chat_id', '"caf\u00e9"'),
 main::but('chat_id', '"x","page_id":"p:1"')]
--- error_code eval
[201, 201, 201]
--- job eval
["from: a:b/c%d e\nlane: acme/conv/manychat:-:a%3Ab%2Fc%25d%20e",
 "from: caf\xc3\xa9\nlane: acme/conv/manychat:-:caf%C3%A9",
 "to: p:1\nlane: acme/conv/manychat:p%3A1:x"]



=== TEST 19: bad encodings are refused, since ManyChat signs nothing
--- request eval
[main::but('lead_message', '"a\u0000"'), main::but('lead_message', '"\ud800"'),
 main::but('lead_message', "\"\xff\"")]
--- error_code_like eval
[('^4(?:00|22)$') x 3]
--- queued eval
[0, 0, 0]
