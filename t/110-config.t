# Each directive: its default, inherited, refused.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

our $webhook = <<'EOC';
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
EOC

our $post = "POST /w\n" . '{"from":"1","text":"a"}';

# "refused in <where>: <directives>" in a block's name is all of it: nginx
# must not start with them there.
add_block_preprocessor(sub {
    my ($block) = @_;

    my $redis = "setter_redis \$TEST_NGINX_REDIS;\nsetter_tenants any;\n";

    if ($block->name =~ /refused in (http|server|location): (.*)\z/s) {
        my ($where, $text) = ($1, $2);
        $block->set_value('must_die', '');
        $block->set_value('suppress_stderr', '');
        $block->set_value('http_config', ($where eq 'http' ? "$text\n" : '')
            . ($text =~ /setter_redis/ ? '' : $redis));
        $block->set_value('config', ($where eq 'server' ? "$text\n" : '')
            . "location /w {\n"
            . ($where eq 'location' ? "$text\n" : '') . "}\n");
    }

    $block->set_value('config', "    location /w {\n$webhook    }\n")
        if !defined $block->config;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: all defaults: one partition, strict, no debounce, id by format
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
--- request eval
[$::post, "POST /w\n{}"]
--- error_code eval
[201, 422]
--- job eval
["header.debounce_ms: 0\nheader.debounce_max_ms: 0"]
--- queued eval
[1, 0]



=== TEST 2: everything is inherited from http
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_partitions 64;
    setter_zone 1m;
    setter_tenants any;
    setter_tenant acme;
    setter_verify token $http_x_key k;
    setter_require extra;
    setter_default channel web;
    setter_set provider meta;
    setter_dedupe extra;
    setter_debounce 1s;
    setter_lane lane-of-http;
    setter_max_job 500;
    setter_status compat;
--- config
    location /w { setter_webhook generic; }
--- request eval
[
    "POST /w\n" . '{"from":"1","text":"a","extra":"e"}',
    "POST /w\n" . '{"from":"1","text":"a","extra":"e"}',
    "POST /w\n" . '{"from":"1","text":"a"}',
    "POST /w\n" . '{"from":"1","text":"' . 'a' x 500 . '","extra":"e"}',
]
--- more_headers eval
["X-Key: k", "", "X-Key: k", "X-Key: k"]
--- error_code eval
[201, 201, 201, 201]
--- response_body_like eval
['SUCCESS', 'ERROR.*Unauthorized', 'INVALID_INPUT.*"extra"',
 'INVALID_INPUT.*large']
--- job eval
["id ~ ^.{14}8\nchannel: web\nprovider: meta\nlane: acme/conv/lane-of-http\n"
 . "header.debounce_ms: 1000\nheader.debounce_max_ms: 4000"]
--- queued eval
[1, 0, 0, 0]



=== TEST 3: everything of it is undone or replaced in a location
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants known;
    setter_tenant acme;
    setter_verify token $http_x_key k;
    setter_require extra;
    setter_default channel web;
    setter_set provider meta;
    setter_dedupe off;
    setter_debounce 1s;
    setter_lane lane-of-http;
    setter_max_job 100;
    setter_status compat;
--- config
    location /w {
        setter_webhook generic;
        setter_tenants any;
        setter_tenant other;
        setter_verify off;
        setter_require from;
        setter_default channel site;
        setter_set provider twilio;
        setter_dedupe message_id;
        setter_debounce off;
        setter_lane own;
        setter_max_job 1m;
        setter_status strict;
    }
--- request eval
[
    "POST /w\n" . '{"from":"1","text":"a","message_id":"m"}',
    "POST /w\n" . '{"text":"a"}',
    "POST /w\n" . '{"from":"1","text":"' . 'a' x 500 . '"}',
]
--- error_code eval
[201, 422, 201]
--- job eval
["id ~ ^.{14}8\ntenant: other\nchannel: site\nprovider: twilio\n"
 . "lane: other/conv/own\nheader.debounce_ms: 0"]
--- queued eval
[1, 0, 1]



=== TEST 4: the module does nothing where it is not asked to
--- http_config
    server_tokens off;
--- config
    location /t { return 200 "plain $setter_tenant|$setter_id|$setter_status"; }
--- request
GET /t
--- response_body chomp
plain ||
--- no_error_log
setter



=== TEST 5: Redis alone, no webhook
--- http_config
    setter_redis $TEST_NGINX_REDIS;
--- config
    location /t { return 204; }
--- request
GET /t
--- error_code: 204



=== TEST 6: the address: a port and a database by default, user in the URL
--- http_config eval
"    setter_redis redis://gate:p%40ss%2Fword\@127.0.0.1:"
. $Setter::Suite::fake->port . "/7;
    setter_tenants any;"
--- fake
--- request eval
$::post
--- error_code: 201
--- fake_saw
AUTH gate p@ss/word
SELECT 7



=== TEST 7: a password alone, a database by its option
--- http_config eval
"    setter_redis redis://:secret\@127.0.0.1:" . $Setter::Suite::fake->port
. " db=2;
    setter_tenants any;"
--- fake
--- request eval
$::post
--- error_code: 201
--- fake_saw
1 x AUTH secret
1 x SELECT 2



=== TEST 8: refused in http: setter_redis;
--- error_log
invalid number of arguments in "setter_redis"



=== TEST 9: refused in http: setter_redis http://127.0.0.1;
--- error_log
"setter_redis" needs "unix:PATH" or "redis[s]://



=== TEST 10: refused in http: setter_redis 127.0.0.1:6379;
--- error_log
"setter_redis" needs "unix:PATH" or "redis[s]://



=== TEST 11: refused in http: setter_redis redis://127.0.0.1:99999;
--- error_log
invalid port in "setter_redis"



=== TEST 12: refused in http: setter_redis redis://127.0.0.1/db;
--- error_log
invalid database in "setter_redis"



=== TEST 13: refused in http: setter_redis redis://127.0.0.1; setter_redis redis://127.0.0.1;
--- error_log
"setter_redis" directive is duplicate



=== TEST 14: refused in http: setter_redis redis://127.0.0.1 user=gate;
--- error_log
"setter_redis" has a user and no password



=== TEST 15: refused in http: setter_redis redis://127.0.0.1 password_file=none.such;
--- error_log eval
[qr/open\(\) ".*none\.such" failed \(2: No such file/]



=== TEST 16: refused in http: setter_redis redis://127.0.0.1 timeout=0;
--- error_log
invalid parameter "timeout=0"



=== TEST 17: refused in http: setter_redis redis://127.0.0.1 timeout=fast;
--- error_log
invalid parameter "timeout=fast"



=== TEST 18: refused in http: setter_redis redis://127.0.0.1 connect_timeout=-1;
--- error_log
invalid parameter "connect_timeout=-1"



=== TEST 19: refused in http: setter_redis redis://127.0.0.1 backoff=100ms;
--- error_log
invalid parameter "backoff=100ms"



=== TEST 20: refused in http: setter_redis redis://127.0.0.1 backoff=5s,100ms;
--- error_log
invalid parameter "backoff=5s,100ms"



=== TEST 21: refused in http: setter_redis redis://127.0.0.1 waiting=0;
--- error_log
invalid parameter "waiting=0"



=== TEST 22: refused in http: setter_redis redis://127.0.0.1 inbox=many;
--- error_log
invalid parameter "inbox=many"



=== TEST 23: refused in http: setter_redis redis://127.0.0.1 db=one;
--- error_log
invalid parameter "db=one"



=== TEST 24: refused in http: setter_redis redis://127.0.0.1 pool=5;
--- error_log
invalid parameter "pool=5"



=== TEST 25: refused in server: setter_redis redis://127.0.0.1;
--- error_log
"setter_redis" directive is not allowed here



=== TEST 26: refused in http: setter_partitions 0;
--- error_log
value must be between 1 and 64



=== TEST 27: refused in http: setter_partitions 65;
--- error_log
value must be between 1 and 64



=== TEST 28: refused in http: setter_partitions 2; setter_partitions 2;
--- error_log
"setter_partitions" directive is duplicate



=== TEST 29: refused in http: setter_zone 8k;
--- error_log
"setter_zone" directive is too small



=== TEST 30: refused in http: setter_zone much;
--- error_log
"setter_zone" directive invalid value



=== TEST 31: refused in http: setter_zone 8m; setter_zone 8m;
--- error_log
"setter_zone" directive is duplicate



=== TEST 32: refused in location: setter_zone 8m;
--- error_log
"setter_zone" directive is not allowed here



=== TEST 33: refused in server: setter_tenant;
--- error_log
invalid number of arguments in "setter_tenant"



=== TEST 34: refused in server: setter_tenant Acme;
--- error_log
"Acme" is not a tenant's slug



=== TEST 35: refused in server: setter_tenant body:;
--- error_log
names no member of the body



=== TEST 36: refused in server: setter_tenant $host ^([a-z]+);
--- error_log
does not end in "$" or "\z"



=== TEST 37: refused in server: setter_tenant $host ^([a-z]+)\$;
--- error_log
does not end in "$" or "\z"



=== TEST 38: refused in server: setter_tenant $host ^[a-z]+\z;
--- error_log
has 0 captures and needs one



=== TEST 39: refused in server: setter_tenant $host ^([a-z]+)(x)\z;
--- error_log
has 2 captures and needs one



=== TEST 40: refused in server: setter_tenant $host ^([a-z]+\z;
--- error_log eval
[qr/pcre2?_compile\(\) failed/]



=== TEST 41: refused in server: setter_tenant $no_such_variable;
--- error_log
unknown "no_such_variable" variable



=== TEST 42: refused in server: setter_tenants some;
--- error_log
invalid value "some"



=== TEST 43: refused in server: setter_tenants any; setter_tenants any;
--- error_log
"setter_tenants" directive is duplicate



=== TEST 44: refused in location: setter_webhook meta2;
--- error_log
unknown format "meta2"



=== TEST 45: refused in location: setter_tenant a; setter_webhook generic; setter_webhook engine;
--- error_log
"setter_webhook" directive is duplicate



=== TEST 46: refused in server: setter_webhook generic;
--- error_log
"setter_webhook" directive is not allowed here



=== TEST 47: refused in location: setter_tenant a; setter_webhook generic; setter_api health;
--- error_log
"setter_api" directive is duplicate



=== TEST 48: refused in location: setter_api nothing;
--- error_log
unknown name "nothing"



=== TEST 49: a webhook without Redis
--- http_config
    setter_tenants any;
--- must_die
--- suppress_stderr
--- error_log
no "setter_redis" for "setter_webhook" or "setter_api"



=== TEST 50: refused in location: setter_require;
--- error_log
invalid number of arguments in "setter_require"



=== TEST 51: refused in location: setter_require "";
--- error_log
"setter_require" directive invalid value



=== TEST 52: refused in location: setter_default channel;
--- error_log
invalid number of arguments in "setter_default"



=== TEST 53: refused in location: setter_default channel a; setter_default channel b;
--- error_log
"setter_default" directive is duplicate



=== TEST 54: refused in location: setter_set tenant other;
--- error_log
"tenant" is reserved, "setter_set" cannot name it



=== TEST 55: refused in location: setter_default id 1;
--- error_log
"id" is reserved, "setter_default" cannot name it



=== TEST 56: refused in location: setter_set a.b c;
--- error_log
invalid field "a.b" in "setter_set"



=== TEST 57: refused in location: setter_set a $no_such_variable;
--- error_log
unknown "no_such_variable" variable



=== TEST 58: refused in location: setter_dedupe "";
--- error_log
"setter_dedupe" directive invalid value



=== TEST 59: refused in location: setter_dedupe a; setter_dedupe b;
--- error_log
"setter_dedupe" directive is duplicate



=== TEST 60: refused in location: setter_debounce 0;
--- error_log
"setter_debounce" directive invalid value



=== TEST 61: refused in location: setter_debounce soon;
--- error_log
"setter_debounce" directive invalid value



=== TEST 62: refused in location: setter_debounce 2s max=1s;
--- error_log
invalid parameter "max=1s"



=== TEST 63: refused in location: setter_debounce 2s min=1s;
--- error_log
invalid parameter "min=1s"



=== TEST 64: refused in location: setter_debounce off max=1s;
--- error_log
"setter_debounce" directive invalid value



=== TEST 65: refused in location: setter_debounce 1s; setter_debounce 2s;
--- error_log
"setter_debounce" directive is duplicate



=== TEST 66: refused in location: setter_lane a; setter_lane b;
--- error_log
"setter_lane" directive is duplicate



=== TEST 67: refused in location: setter_max_job big;
--- error_log
"setter_max_job" directive invalid value



=== TEST 68: refused in location: setter_status polite;
--- error_log
invalid value "polite"



=== TEST 69: refused in location: setter_verify signature a b;
--- error_log
unknown scheme "signature" in "setter_verify"



=== TEST 70: refused in location: setter_verify token $http_x_key;
--- error_log
"setter_verify" directive has no secret



=== TEST 71: refused in location: setter_verify token constant secret;
--- error_log
"constant" in "setter_verify" is not a variable



=== TEST 72: refused in location: setter_verify token $http_x_key "";
--- error_log
empty secret in "setter_verify"



=== TEST 73: refused in location: setter_verify token $http_x_key file=/none/such;
--- error_log
open() "/none/such" failed



=== TEST 74: refused in location: setter_verify token $http_x_key file=/dev/null;
--- error_log
"/dev/null" is empty or too long for a secret



=== TEST 75: refused in location: setter_verify off; setter_verify off;
--- error_log
"setter_verify" directive is duplicate



=== TEST 76: refused in location: setter_verify key maybe;
--- error_log
invalid parameter "maybe"



=== TEST 77: refused in location: setter_verify key optional twice;
--- error_log
invalid parameter "twice"



=== TEST 78: refused in location: setter_verify key; setter_verify key optional;
--- error_log
"setter_verify" directive is duplicate



=== TEST 79: refused in location: setter_verify token $http_x_key a b c;
--- error_log
"setter_verify" directive has more than two secrets



=== TEST 80: refused in location: setter_api health now;
--- error_log
invalid parameter "now"



=== TEST 81: refused in location: setter_api;
--- error_log
invalid number of arguments in "setter_api"



=== TEST 82: refused in location: setter_api scale target=0;
--- error_log
invalid parameter "target=0"



=== TEST 83: refused in location: setter_api scale min=-1;
--- error_log
invalid parameter "min=-1"



=== TEST 84: refused in location: setter_api scale max=0;
--- error_log
invalid parameter "max=0"



=== TEST 85: refused in location: setter_api scale max=ten;
--- error_log
invalid parameter "max=ten"



=== TEST 86: refused in location: setter_api scale target;
--- error_log
invalid parameter "target"



=== TEST 87: refused in location: setter_api scale workers=3;
--- error_log
invalid parameter "workers=3"



=== TEST 88: refused in location: setter_api scale min=11;
--- error_log
"setter_api" directive has a "min" above its "max"



=== TEST 89: refused in location: setter_api scale min=5 max=4;
--- error_log
"setter_api" directive has a "min" above its "max"



=== TEST 90: refused in location: setter_quota 0;
--- error_log
"setter_quota" directive is no number from 1 to 16777215



=== TEST 91: refused in location: setter_quota many;
--- error_log
"setter_quota" directive is no number from 1 to 16777215



=== TEST 92: refused in location: setter_quota 16777216;
--- error_log
"setter_quota" directive is no number from 1 to 16777215



=== TEST 93: refused in location: setter_quota 5; setter_quota off;
--- error_log
"setter_quota" directive is duplicate



=== TEST 94: refused in location: setter_verify key; setter_api complete;
--- error_log
"setter_api" directive has no "id="



=== TEST 95: refused in location: setter_verify key; setter_api fail delay=1s;
--- error_log
"setter_api" directive has no "id="



=== TEST 96: refused in location: setter_verify key; setter_api extend lease=1s;
--- error_log
"setter_api" directive has no "id="



=== TEST 97: refused in location: setter_verify key; setter_api job timeout=1s;
--- error_log
"setter_api" directive has no "id="



=== TEST 98: refused in location: setter_verify key; setter_api job id=;
--- error_log
invalid parameter "id="



=== TEST 99: refused in location: setter_verify key; setter_api job id=$nothing;
--- error_log
unknown "nothing" variable



=== TEST 100: refused in location: setter_verify key; setter_api job id=$uri timeout=0;
--- error_log
invalid parameter "timeout=0"



=== TEST 101: refused in location: setter_verify key; setter_api next_job wait=soon;
--- error_log
invalid parameter "wait=soon"



=== TEST 102: refused in location: setter_verify key; setter_api next_job lease=0;
--- error_log
invalid parameter "lease=0"



=== TEST 103: refused in location: setter_verify key; setter_api next_job jobs=0;
--- error_log
invalid parameter "jobs=0"



=== TEST 104: refused in location: setter_verify key; setter_api next_job failures=x;
--- error_log
invalid parameter "failures=x"



=== TEST 105: refused in location: setter_verify key; setter_api next_job delay=1s;
--- error_log
invalid parameter "delay=1s"



=== TEST 106: refused in location: setter_verify key; setter_api next_job id=$uri;
--- error_log
invalid parameter "id=$uri"



=== TEST 107: refused in location: setter_verify key; setter_api complete id=$uri wait=1s;
--- error_log
invalid parameter "wait=1s"



=== TEST 108: refused in location: setter_verify key; setter_api send now;
--- error_log
invalid parameter "now"



=== TEST 109: refused in location: setter_verify key; setter_api send; setter_webhook generic;
--- error_log
"setter_webhook" directive is duplicate



=== TEST 110: refused in location: setter_verify key; setter_webhook send;
--- error_log
unknown format "send"



=== TEST 111: refused in location: setter_api next_job;
--- error_log
"setter_api next_job" needs "setter_verify key"



=== TEST 112: refused in location: setter_api complete id=$uri;
--- error_log
"setter_api complete" needs "setter_verify key"



=== TEST 113: refused in location: setter_api send;
--- error_log
"setter_api send" needs "setter_verify key"



=== TEST 114: refused in location: setter_api job id=$uri;
--- error_log
"setter_api job" needs "setter_verify key"



=== TEST 115: refused in location: setter_verify token $http_x_key k; setter_api send;
--- error_log
"setter_api send" needs "setter_verify key"



=== TEST 116: refused in location: setter_verify key optional; setter_api send;
--- error_log
no "setter_tenant" for "setter_api send"



=== TEST 117: refused in location: setter_verify key optional; setter_api next_job;
--- error_log
no "setter_tenant" for "setter_api next_job"



=== TEST 118: refused in http: setter_spool spool; setter_spool spool;
--- error_log
"setter_spool" directive is duplicate



=== TEST 119: refused in http: setter_spool off; setter_spool spool;
--- error_log
"setter_spool" directive is duplicate



=== TEST 120: refused in http: setter_spool spool max=;
--- error_log
invalid parameter "max="



=== TEST 121: refused in http: setter_spool spool max=0;
--- error_log
invalid parameter "max=0"



=== TEST 122: refused in http: setter_spool spool min=1k;
--- error_log
invalid parameter "min=1k"



=== TEST 123: refused in server: setter_spool spool;
--- error_log
"setter_spool" directive is not allowed here



=== TEST 124: refused in http: setter_spool none/such;
--- error_log
mkdir()



=== TEST 125: refused in http: setter_spool html;
--- post_setup_server_root
chmod 0755, Test::Nginx::Util::server_root() . '/html';
--- error_log
is open to other users



=== TEST 126: a spool without Redis
--- http_config
    setter_spool spool;
--- config
--- must_die
--- suppress_stderr
--- error_log
no "setter_redis" for "setter_spool"



=== TEST 127: refused in location: setter_call things;
--- error_log
"setter_call things" needs "setter_verify key"



=== TEST 128: refused in location: setter_verify key; setter_call Things;
--- error_log
invalid name "Things"



=== TEST 129: refused in location: setter_verify key; setter_call things timeout=0;
--- error_log
invalid parameter "timeout=0"



=== TEST 130: refused in location: setter_verify key; setter_call things path=;
--- error_log
invalid parameter "path="



=== TEST 131: refused in location: setter_verify key; setter_call things page=1;
--- error_log
invalid parameter "page=1"



=== TEST 132: refused in location: setter_verify key; setter_call things; setter_api job id=$uri;
--- error_log
"setter_api" directive is duplicate
