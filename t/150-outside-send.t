# setter_api send: messages to people, at somebody's order.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::XS qw(decode_json);
use Setter::Http;
use Setter::Keys;
use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $acme = Setter::Keys::bearer('acme');
our $other = Setter::Keys::bearer('other');
our $send = "POST /messages/send\n";
our $good = $send . '{"to":"15550100","message":"Hello"}';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', <<'EOC') if !defined $block->config;
    setter_verify key;
    setter_debounce 2s;
    setter_status compat;
    location /messages/send { setter_api send; }
    location /webhook { setter_webhook engine; }
    location /health { setter_api health; }
    location /generic { setter_webhook generic; setter_set provider infobip; }
EOC
    $block->set_value('post_setup_server_root', 'Setter::Keys::grant('
        . "Setter::Suite::redis(), [qw(acme other)]);\n")
        if !defined $block->fake;
});

# Posts a message; and what its answer says of fields.
sub ask {
    return Setter::Http->new(server_port_for_client(), 'POST',
        '/messages/send', $_[0], $acme, 'Content-Type: application/json')
        ->answer;
}

sub errors {
    return join ', ', map { "$_->{field} $_->{error}" }
        @{ decode_json($_[0]{text})->{errors} // [] };
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a message is queued, on the conversation's lane, and not debounced
--- request eval
[$::good, "POST /webhook\n" . '{"from":"15550100","message":"Hi"}',
 "POST /generic\n" . '{"from":"15550100","text":"Hi"}']
--- more_headers eval
[($::acme) x 3]
--- error_code eval
[202, 201, 201]
--- response_body_like eval
[qr/^\{"id":"[0-9a-f-]{36}","status":"queued","message":"Message accepted"\}$/,
 qr/SUCCESS/, qr/SUCCESS/]
--- job eval
[
"kind: send
tenant: acme
lane: acme/conv/whatsapp:-:15550100
from: 15550100
text: Hello
provider: infobip
header.debounce_ms: 0
header.send_at_ms: 0
! data.to
",
"kind: message
lane: acme/conv/whatsapp:-:15550100
header.debounce_ms: 2000
",
"lane: acme/conv/whatsapp:-:15550100"
]



=== TEST 2: another provider, our side's address, and what else there is
--- request eval
[
    $::send . '{"to":"1000001","message":"Hi","provider":"manychat",'
        . '"from":"page-1","channel":"ig","surface":"instagram","order":7}',
    $::send . '{"to":15550100,"message":"Hi","from":"15550199"}',
]
--- more_headers eval
[($::acme) x 2]
--- error_code eval
[202, 202]
--- job eval
[
"lane: acme/conv/manychat:page-1:1000001
provider: manychat
to: page-1
channel: ig
data.surface: instagram
data.order: 7
",
"lane: acme/conv/whatsapp:15550199:15550100
from: 15550100
to: 15550199
"
]



=== TEST 3: repeats have the first one's id, and are no repeats of messages
--- request eval
[
    $::send . '{"to":"1","message":"a","message_id":"m-1"}',
    $::send . '{"to":"1","message":"a","message_id":"m-1"}',
    $::send . '{"to":"1","message":"a","message_id":"m-2"}',
    "POST /webhook\n" . '{"from":"1","message":"a","message_id":"m-1"}',
    $::send . '{"to":"1","message":"a"}',
    $::send . '{"to":"1","message":"a","message_id":"m-1"}',
]
--- more_headers eval
[($::acme) x 4, "$::acme\nIdempotency-Key: m-1", $::other]
--- error_code eval
[202, 202, 202, 201, 202, 202]
--- response_body_filters eval
my %seen;
my $n = 0;
sub { my ($id) = $_[0] =~ /"id":"([^"]+)"/; $seen{$id} //= ++$n }
--- response_body eval
[1, 1, 2, 3, 1, 4]



=== TEST 4: a time to be sent at
--- request eval
[map { $::send . '{"to":"1","message":"a","send_at":' . "$_}" }
    '"2036-11-20T10:30:00Z"', '"2036-11-20T12:30:00.250+02:00"',
    2110789800, 2110789800123, 'null', '""', '"2006-11-20T10:30:00Z"']
--- more_headers eval
[($::acme) x 7]
--- error_code eval
[(202) x 7]
--- job eval
[map { "header.send_at_ms: $_" } 2110789800000, 2110789800250, 2110789800000,
 2110789800123, 0, 0, 1164018600000]
--- envelope_like eval
['"send_at":"2036-11-20T10:30:00Z"', '"send_at":"2036-', '"send_at":2110789800',
 '"send_at":2110789800123', '"kind":"send"', '"kind":"send"', '"send_at":"2006']



=== TEST 5: times that are none
--- request eval
[map { $::send . '{"to":"1","message":"a","send_at":' . "$_}" }
    '"tomorrow"', '"2036-11-20"', '"2036-02-30T00:00:00Z"', '1.5', '-1', '1e3',
    'true', '{}', '123456789012345']
--- more_headers eval
[($::acme) x 9]
--- error_code eval
[(422) x 9]
--- response_body_like eval
[(qr/\{"field":"send_at","error":"type"\}/) x 9]
--- queued eval
[(0) x 9]



=== TEST 6: what is missing or malformed
--- request eval
[
    $::send . '{}', $::send . '{"to":" ","message":7}',
    $::send . '{"to":["1"],"message":"\u00a0","from":{}}',
    $::send . '[]', $::send . '{"to":"1","message":"a"', "POST /messages/send",
    $::send . '{"to":"1","message":"a\u0000"}',
]
--- more_headers eval
[($::acme) x 7]
--- error_code eval
[422, 422, 422, 400, 400, 400, 400]
--- response_body eval
[
'{"id":null,"status":"INVALID_INPUT","message":"Missing required fields",'
. '"errors":[{"field":"to","error":"required"},'
. '{"field":"message","error":"required"}]}',
'{"id":null,"status":"INVALID_INPUT","message":"Missing required fields",'
. '"errors":[{"field":"to","error":"empty"},'
. '{"field":"message","error":"type"}]}',
'{"id":null,"status":"INVALID_INPUT","message":"Missing required fields",'
. '"errors":[{"field":"to","error":"type"},'
. '{"field":"message","error":"empty"},{"field":"from","error":"type"}]}',
'{"id":null,"status":"INVALID_INPUT","message":"Body is not a JSON object: '
. 'not a JSON object","errors":[{"field":"body","error":"type"}]}',
('{"id":null,"status":"INVALID_INPUT","message":"Body is not a JSON object: '
. 'not valid JSON","errors":[{"field":"body","error":"type"}]}') x 2,
'{"id":null,"status":"INVALID_INPUT","message":"Body is not a JSON object: '
. 'bad encoding","errors":[{"field":"body","error":"encoding"}]}',
]
--- queued eval
[(0) x 7]



=== TEST 7: a template, a file or buttons go along
--- request eval
[
    $::send . '{"to":"1","message":"a","template":{"name":"hello"}}',
    $::send . '{"to":"1","media":{"type":"image",'
        . '"url":"https://example.com/a.png"}}',
    $::send . '{"to":"1","message":"a","buttons":[{"id":"y","title":"Yes"}]}',
    $::send . '{"to":"1","message":"a","template":null,"media":null}',
]
--- more_headers eval
[($::acme) x 4]
--- error_code eval
[202, 202, 202, 202]
--- job eval
["data.template.name: hello",
 "data.media.url: https://example.com/a.png\n! text",
 "data.buttons.0.title: Yes\ntext: a", "! data.template.name"]



=== TEST 8: what is wrong with them is told by the field's name
--- response_body_filters eval
sub {
    my $name = 'x' x 513;
    my $text = '';
    for my $case (
        '"template":"hello"', '"template":{}', '"template":{"name":5}',
        qq("template":{"name":"$name"}),
        '"template":{"name":"a","language":7}',
        '"template":{"name":"a","parameters":{}}',
        '"template":{"name":"a","parameters":[1]}',
        '"template":{"name":"a","parameters":["' . 'x","' x 100 . 'x"]}',
        '"media":"https://example.com/a.png"', '"media":{}',
        '"media":{"type":"sticker","url":"ftp://x"}',
        '"media":{"type":"image","url":"https://a/' . 'x' x 2048 . '"}',
        '"media":{"type":"image","url":"https://a/b","filename":1}',
        '"buttons":"Yes"', '"buttons":[]', '"buttons":[1]',
        '"buttons":[{"id":"","title":"' . 'x' x 21 . '"}]',
        '"buttons":[{},{"id":"a","title":"b"}]',
        '"buttons":[' . CORE::join(',', ('{"id":"a","title":"b"}') x 4) . ']',
        '"template":{"name":"a"},"buttons":[{"id":"a","title":"b"}]',
        '"provider":"instagram","template":{"name":"a"}',
        '"provider":"manychat","buttons":[{"id":"a","title":"b"}]',
    ) {
        my $answer = main::ask('{"to":"1","message":"a",' . $case . '}');
        my $told = main::errors($answer);
        $text .= substr($case, 0, 40) . " $answer->{status} $told\n";
    }
    my $answer = main::ask('{"to":"1","message":"' . 'x' x 1025
        . '","buttons":[{"id":"a","title":"b"}]}');
    return $text . "$answer->{status} " . main::errors($answer) . "\n";
}
--- request
GET /health
--- response_body
"template":"hello" 422 template type
"template":{} 422 template.name required
"template":{"name":5} 422 template.name type
"template":{"name":"xxxxxxxxxxxxxxxxxxxx 422 template.name too_long
"template":{"name":"a","language":7} 422 template.language type
"template":{"name":"a","parameters":{}} 422 template.parameters type
"template":{"name":"a","parameters":[1]} 422 template.parameters type
"template":{"name":"a","parameters":["x" 422 template.parameters too_long
"media":"https://example.com/a.png" 422 media type
"media":{} 422 media.type required, media.url required
"media":{"type":"sticker","url":"ftp://x 422 media.type type, media.url type
"media":{"type":"image","url":"https://a 422 media.url too_long
"media":{"type":"image","url":"https://a 422 media.filename type
"buttons":"Yes" 422 buttons type
"buttons":[] 422 buttons empty
"buttons":[1] 422 buttons type
"buttons":[{"id":"","title":"xxxxxxxxxxx 422 buttons.id empty, buttons.title too_long
"buttons":[{},{"id":"a","title":"b"}] 422 buttons.id required, buttons.title required
"buttons":[{"id":"a","title":"b"},{"id": 422 buttons too_long
"template":{"name":"a"},"buttons":[{"id" 422 buttons unsupported
"provider":"instagram","template":{"name 422 template unsupported
"provider":"manychat","buttons":[{"id":" 422 buttons unsupported
422 message too_long



=== TEST 9: for who shows a key, and for its tenant
--- request eval
[$::good, $::good, $::good, map { $::send
    . '{"to":"1","message":"a","tenant_id":"' . $_ . '"}' } 'acme', 'other']
--- more_headers eval
["", Setter::Keys::bearer('third'), $::other, $::acme, $::acme]
--- error_code eval
[401, 401, 202, 202, 403]
--- job eval
[undef, undef, "tenant: other\nlane: other/conv/whatsapp:-:15550100",
 "tenant: acme", undef]
--- queued eval
[0, 0, 1, 1, 0]



=== TEST 10: what is no POST
--- request eval
["GET /messages/send", "PUT /messages/send\n{}"]
--- more_headers eval
[($::acme) x 2]
--- error_code eval
[405, 405]
--- response_headers eval
["Allow: POST", "Allow: POST"]
--- response_body eval
[('{"id":null,"status":"ERROR","message":"Method not allowed"}') x 2]



=== TEST 11: Redis is away, or does not answer
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=200ms;
    setter_tenants any;
--- fake
SISMEMBER: :1
XADD 1: -OOM command not allowed when used memory > 'maxmemory'.
XADD 2: silence
--- request eval
[$::good, $::good]
--- more_headers eval
[$::acme, $::acme]
--- error_code eval
[503, 504]
--- raw_response_headers_like eval
["\r\nRetry-After: 1\r\n", "HTTP/1.1 504"]
--- response_body_like eval
['"Too many messages are waiting"', '"Not acknowledged in time']



=== TEST 12: counted as a format of its own
--- config
    location /messages/send { setter_verify key; setter_api send; }
    location /metrics { setter_api metrics; }
--- request eval
[$::good, $::send
    . '{"to":"1","message":"a","provider":"twilio","buttons":[]}',
    "GET /metrics"]
--- more_headers eval
[$::acme, $::acme, ""]
--- error_code eval
[202, 422, 200]
--- response_body_like eval
["queued", "unsupported",
 qr/accepted_total\{format="send"\} 1\n.*\{format="send",reason="unsupported"\} 1\n/s]
