# What JSON is taken, and what is refused: RFC 8259, and stricter where a
# lenient reader would let two readers disagree.

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
    $block->set_value('config', "    location /w {\n$webhook    }\n"
        . "    location /compat {\n        setter_status compat;\n"
        . "$webhook    }\n");
});

sub post { return map { "POST /w\n$_" } @_ }

# a good message with one more member
sub with { return post(map { qq({"from":"1","text":"a",$_}) } @_) }

# a good message with this text
sub text { return post(map { qq({"from":"1","text":"$_"}) } @_) }

our $refused = qr/^\{"id":null,"status":"INVALID_INPUT","message":"[^"]+","errors":\[.*\]\}\s*$/;

no_long_string();
run_tests();

__DATA__

=== TEST 1: not JSON, or not to its end
--- request eval
[main::post('{', '{"from":"1","text":"a"', '{"from":"1","text":"a"}}',
    '{"from":"1","text":"a"}{}', '{"from":"1","text":"a"} x', 'nonsense',
    '{from:"1","text":"a"}', "{'from':'1','text':'a'}",
    '{"from":"1","text":"a",}', '{"from":"1" "text":"a"}',
    '{"from":"1","text":"a"/* c */}', "\xef\xbb\xbf" . '{"from":"1","text":"a"}',
    '{"from":"1","text":"a"}' . "\0", '{"from":"1","text":NaN}',
    '{"from":"1","text":"a","b":tru}', '{"from":"1","text":"a","b":[1,]}',
    '{"from":"1","text":"a","b":Infinity}', '{"from":"1","text":"a","b":\'1\'}')]
--- error_code eval
[(400) x 18]
--- response_body_like eval
[($::refused) x 18]
--- queued eval
[(0) x 18]



=== TEST 2: JSON, but not an object
--- request eval
[main::post('[]', '[{"from":"1","text":"a"}]', '"text"', '1', 'true', 'null')]
--- error_code eval
[(400) x 6]
--- response_body_like eval
[($::refused) x 6]
--- queued eval
[(0) x 6]



=== TEST 3: the same in compat is 201, and INVALID_INPUT
--- request eval
["POST /compat\n{", "POST /compat\n[]", "POST /compat\n" . '{"a":1,"a":2}']
--- error_code eval
[201, 201, 201]
--- response_body_like eval
[($::refused) x 3]
--- queued eval
[0, 0, 0]



=== TEST 4: the message does not repeat the body
--- request
POST /w
{"from":"15550100001","text":"a secret thing" oops}
--- error_code: 400
--- response_body_unlike: secret|15550100001|oops
--- log_level: info
--- no_error_log
a secret thing
15550100001



=== TEST 5: white space and order do not matter
--- request eval
[main::post("{ \t\r\n\"text\" :\n\"a\" , \"from\"\t:\"1\" } "),
 main::post(" \r\n" . '{"from":"1","text":"a"}')]
--- more_headers eval
["", "Content-Length: 26"]
--- error_code eval
[201, 201]
--- job eval
["text: a", "from: 1"]



=== TEST 6: duplicate keys, at the top, in depth, spelled in two ways
--- request eval
[main::with('"text":"b"', '"a":1,"a":1', '"a":{"b":1,"c":2,"b":3}',
    '"a":[{"b":1,"b":2}]', '"\u0061":1,"a":2', '"":1,"":2',
    '"p\/q":1,"p/q":1', '"\u00e9":1,"é":2', '"te\u0078t":"b"')]
--- error_code eval
[(400) x 9]
--- response_body_like eval
[(qr/INVALID_INPUT.*duplicate/) x 9]
--- queued eval
[(0) x 9]



=== TEST 7: the same name in different objects is no duplicate
--- request eval
[main::with('"a":{"b":1,"c":{"b":1}},"d":[{"b":1},{"b":1}],"b":1')]
--- error_code: 201
--- job
data.a.b: 1
data.d: [{"b":1},{"b":1}]



=== TEST 8: a thousand different members
--- request eval
[main::with(CORE::join ',', map { qq("k$_":$_) } 1 .. 1000)]
--- error_code: 201
--- job
data.k1: 1
data.k1000: 1000



=== TEST 9: depth 64 is taken, 65 is not
--- request eval
[main::with('"a":' . '[' x 63 . ']' x 63),
 main::with('"a":' . '[' x 64 . ']' x 64),
 main::with('"a":' . '{"b":' x 63 . '1' . '}' x 63),
 main::with('"a":' . '{"b":' x 64 . '1' . '}' x 64),
 main::with('"a":' . '[' x 100000)]
--- error_code eval
[201, 400, 201, 400, 400]
--- queued eval
[1, 0, 1, 0, 0]



=== TEST 10: broken UTF-8
--- request eval
[main::text("\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80",
    "\xed\xb0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff",
    "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xfe")]
--- error_code eval
[(400) x 13]
--- response_body_like eval
[($::refused) x 13]
--- queued eval
[(0) x 13]



=== TEST 11: broken UTF-8 where nobody would look
--- request eval
[main::with("\"k\xff\":1", "\"a\":\"\xc3\"", "\"a\":[\"\xed\xa0\x80\"]")]
--- error_code eval
[400, 400, 400]
--- queued eval
[0, 0, 0]



=== TEST 12: U+0000 and lone surrogates, in a text, a key, in depth
--- request eval
[main::text('\u0000', 'a\u0000b', '\ud800', '\udc00', '\ud800\u0041',
    '\ud800\ud800', '\udc00\ud800', '\uD83D'),
 main::with('"a\u0000":1', '"a":"\u0000"', '"a":["\udfff"]', '"\ud800":1')]
--- error_code eval
[(400) x 12]
--- response_body_like eval
[($::refused) x 12]
--- queued eval
[(0) x 12]



=== TEST 13: every escape, and characters of every length
--- request eval
[main::text('\"\\\\\/\b\f\n\r\t', '\u00e9\u20ac\ud83d\ude00', "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
    '\u005c\u0022\u0041', "\x7f\xc2\x80", '\uFFFF\uE000',
    "\xf4\x8f\xbf\xbf", 'a\u2028\u2029')]
--- error_code eval
[(201) x 8]
--- job eval
['text ~ (?s)^"\\\\/\x08\x0c\x0a\x0d\x09$', "text: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
 "text: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 'text: \\"A', "text: \x7f\xc2\x80",
 "text: \xef\xbf\xbf\xee\x80\x80", "text: \xf4\x8f\xbf\xbf",
 "text: a\xe2\x80\xa8\xe2\x80\xa9"]



=== TEST 14: a raw control character in a string
--- request eval
[main::text("a\tb", "a\nb", "a\x01b", "a\x1fb"), main::with("\"a\":\"\x02\""),
 main::with("\"a\x03\":1")]
--- error_code eval
[(400) x 6]
--- queued eval
[(0) x 6]



=== TEST 15: escapes that are none
--- request eval
[main::text('\x41', '\u12', '\u12g4', '\U0041', '\a', '\\' . "\xc3\xa9")]
--- error_code eval
[(400) x 6]
--- queued eval
[(0) x 6]



=== TEST 16: numbers keep their digits
--- request eval
[main::with('"a":12345678901234567890123', '"a":0.10', '"a":-0', '"a":1E400',
    '"a":1e-7', '"a":[1.0,2.50]')]
--- error_code eval
[(201) x 6]
--- envelope_like eval
['"a":12345678901234567890123[,}]', '"a":0\.10[,}]', '"a":-0[,}]',
 '"a":1E400[,}]', '"a":1e-7[,}]', '"a":\[1\.0,2\.50\][,}]']



=== TEST 17: numbers that are none
--- request eval
[main::with('"a":01', '"a":-', '"a":1.', '"a":.5', '"a":+1', '"a":1e',
    '"a":0x10', '"a":1e+', '"a":--1', '"a":-01')]
--- error_code eval
[(400) x 10]
--- queued eval
[(0) x 10]



=== TEST 18: other members pass through in data, of every type
--- request
POST /w
{"from":"1","text":"a","s":"x","n":1,"t":true,"f":false,"z":null,"o":{"p":[1,{"q":"r"}]},"e":{},"l":[]}
--- error_code: 201
--- job
data.s: x
data.n: 1
data.t: true
data.f: false
data.z: null
data.o: {"p":[1,{"q":"r"}]}
data.e: {}
data.l: []
! data.text
! data.from



=== TEST 19: text that would break out of the envelope
--- request eval
[main::text('\",\"tenant\":\"other\",\"x\":\"'),
 main::with('"tenant":"other","lane":"other/x","id":"i","kind":"call"')]
--- error_code eval
[201, 201]
--- job eval
["tenant: acme\ntext: \",\"tenant\":\"other\",\"x\":\"",
 "tenant: acme\nkind: message\nlane ~ ^acme/\nid ~ ^[0-9a-f-]{36}\$"]
