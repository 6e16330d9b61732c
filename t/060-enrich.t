# setter_require, setter_default, setter_set.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
EOC

sub post { return map { qq(POST /w\n{"from":"1","text":"a"$_}) } @_ }

no_long_string();
run_tests();

__DATA__

=== TEST 1: a default fills what is absent, null or empty
--- config eval
"    location /w {
        setter_set provider meta;
        setter_default channel web;
        setter_default campaign spring;
$::webhook    }"
--- request eval
[main::post('', ',"channel":"","campaign":""', ',"channel":null,"campaign":null',
    ',"channel":"own","campaign":"own"', ',"channel":"  ","campaign":7')]
--- error_code eval
[(201) x 5]
--- job eval
["channel: web\ndata.campaign: spring", "channel: web\ndata.campaign: spring",
 "channel: web\ndata.campaign: spring", "channel: own\ndata.campaign: own",
 "channel: web\ndata.campaign: 7"]



=== TEST 2: set wins over what the caller sent, and over a default
--- config eval
"    location /w {
        setter_set provider meta;
        setter_set channel web;
        setter_default channel other;
        setter_set surface shop;
        setter_default surface none;
$::webhook    }"
--- request eval
[main::post('', ',"channel":"x","surface":{"a":1},"provider":"twilio"')]
--- error_code eval
[201, 201]
--- job eval
[("channel: web\ndata.surface: shop\nprovider: meta") x 2]



=== TEST 3: values with variables, in the request's own words
--- config eval
"    location ~ ^/w(?<part>/.*)?\$ {
        setter_set provider meta;
        setter_set page \$arg_page;
        setter_set agent \"\$http_user_agent via \$server_protocol\";
        setter_set part \$part;
        setter_set to \$http_x_to;
$::webhook    }"
--- request eval
[map { s{/w}{/w/a?page=p%201}r } main::post('')]
--- more_headers eval
"User-Agent: \"quoted\\back\"\tcaf\xc3\xa9\nX-To: 15550104330"
--- error_code: 201
--- job eval
"data.page: p%201\ndata.agent: \"quoted\\back\"\tcaf\xc3\xa9 via HTTP/1.1\n"
. "data.part: /a\nto: 15550104330"



=== TEST 4: a variable that is no UTF-8 does not spoil the envelope
--- config eval
"    location /w {
        setter_set provider meta;
        setter_set agent \$http_user_agent;
$::webhook    }"
--- request eval
[main::post('')]
--- more_headers eval
["User-Agent: bad\xff\xc3("]
--- error_code eval
[201]
--- job eval
["data.agent: bad\xef\xbf\xbd\xef\xbf\xbd("]



=== TEST 5: an empty variable sets nothing
--- config eval
"    location /w {
        setter_set provider meta;
        setter_set campaign \$arg_campaign;
        setter_default channel \$arg_channel;
$::webhook    }"
--- request eval
[main::post(''), map { s{/w}{/w?campaign=c&channel=d}r } main::post('')]
--- error_code eval
[201, 201]
--- job eval
["! data.campaign\n! channel", "data.campaign: c\nchannel: d"]



=== TEST 6: required of any name, filled by the body, a default or set
--- config eval
"    location /w {
        setter_set provider meta;
        setter_require to campaign;
        setter_default campaign \$arg_campaign;
$::webhook    }"
--- request eval
[main::post('', ',"to":"2"', ',"to":"2","campaign":"c"',
    ',"to":"2","campaign":null', ',"to":"","campaign":"  "'),
 map { s{/w}{/w?campaign=d}r } main::post(',"to":"2"')]
--- error_code eval
[422, 422, 201, 422, 422, 201]
--- response_body_like eval
['"field":"to","error":"required".*"field":"campaign","error":"required"',
 '"errors":\[\{"field":"campaign","error":"required"\}\]', 'SUCCESS',
 '"field":"campaign"', '"field":"to","error":"empty".*"field":"campaign"',
 'SUCCESS']
--- job eval
[undef, undef, "to: 2\ndata.campaign: c", undef, undef,
 "to: 2\ndata.campaign: d"]
--- queued eval
[0, 0, 1, 0, 0, 1]



=== TEST 7: a required member of data may have any type
--- config eval
"    location /w {
        setter_set provider meta;
        setter_require custom;
$::webhook    }"
--- request eval
[main::post(',"custom":{"a":1}', ',"custom":0', ',"custom":false',
    ',"custom":[]')]
--- error_code eval
[201, 201, 201, 201]
--- job eval
['data.custom: {"a":1}', 'data.custom: 0', 'data.custom: false',
 'data.custom: []']



=== TEST 8: inherited from the server, replaced in the location
--- config eval
"    setter_set provider meta;
    setter_set a outer;
    setter_default b outer;
    setter_require c;
    location /w {
$::webhook    }
    location /own {
        setter_set provider meta;
        setter_set a inner;
        setter_default b inner;
        setter_require d;
$::webhook    }"
--- request eval
my ($c, $d) = main::post(',"c":1', ',"d":1');
[$c, $d, map { s{/w}{/own}r } $c, $d]
--- error_code eval
[201, 422, 422, 201]
--- job eval
["data.a: outer\ndata.b: outer", undef, undef,
 "data.a: inner\ndata.b: inner"]
--- queued eval
[1, 0, 0, 1]



=== TEST 9: names and values that need escaping
--- config eval
"    location /w {
        setter_set provider meta;
        setter_set 'a \"b\"\\\\' 'c \"d\"\\\\';
$::webhook    }"
--- request eval
[main::post('')]
--- error_code eval
[201]
--- envelope_like eval
['"a \\\\"b\\\\"\\\\\\\\":"c \\\\"d\\\\"\\\\\\\\"']



=== TEST 10: an internal redirect takes the enrichment of where it ends
--- config eval
"    location /w {
        try_files /none /second;
        setter_set where first;
        setter_set provider meta;
$::webhook    }
    location /second {
        setter_set where second;
        setter_set provider meta;
$::webhook    }"
--- request eval
[main::post('')]
--- error_code eval
[201]
--- job eval
["data.where: second"]
