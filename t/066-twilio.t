# setter_webhook twilio and setter_verify twilio: forms, signed with their URL.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

use Digest::SHA qw(hmac_sha1_base64);

our $token = '00112233445566778899aabbccddeeff';

sub sample {
    open my $file, '<', "t/data/twilio/$_[0].form" or die "$_[0]: $!";
    local $/;
    return scalar <$file>;
}

# A request with a sample.
sub post { return "POST /webhook/twilio/acme\n" . sample($_[0]) }

# The header with the signature that the samples' list has.
sub signature {
    open my $file, '<', 't/data/twilio/SIGNATURES.tsv' or die $!;
    my ($line) = grep { /^\Q$_[0]\E\.form\t/ } <$file>;
    return 'X-Twilio-Signature: ' . ($line =~ /(\S+)\s*$/)[0];
}

# The same for a URL and a body of one field.
sub signed {
    my ($url, $name, $value, $secret) = @_;
    my $sign = hmac_sha1_base64("$url$name$value", $secret // $token);
    return "X-Twilio-Signature: $sign" . '=' x (-length($sign) % 4);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    my ($refused) = $block->name =~ /refused: (.*)\z/;
    $block->set_value('config', $refused ? "    location /w {
        $refused
        setter_tenant  acme;
        setter_webhook twilio;
    }\n" : <<'EOC') if !defined $block->config;
    location ~ ^/webhook/twilio/(?<slug>[a-z][a-z0-9-]*)$ {
        setter_tenant  $slug;
        setter_webhook twilio;
    }
    location /metrics { setter_api metrics; }
EOC
    if ($refused) {
        $block->set_value('must_die', '');
        $block->set_value('suppress_stderr', '');
    }
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a text becomes a job, answered with TwiML that says nothing
--- request eval
main::post('inbound-text')
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 200
--- response_headers
Content-Type: text/xml
--- response_body chomp
<?xml version="1.0" encoding="UTF-8"?><Response></Response>
--- job
kind: message
tenant: acme
provider: twilio
channel: whatsapp
type: text
from: 15550104440
to: 15550100399
text: Hello + welcome & 100% = ok?
profile.name: Test Contact G
provider_id ~ ^SMa0
data.AccountSid ~ ^AC
header.debounce_ms: 0
lane: acme/conv/whatsapp:15550100399:15550104440



=== TEST 2: a status, with what the worker reads and a lane of its own
--- request eval
main::post('status-failed-63016')
--- error_code: 200
--- job
kind: status
provider: twilio
data.statuses.0.MessageStatus: failed
data.statuses.0.ErrorCode: 63016
lane ~ ^acme/status/SMa0



=== TEST 3: what comes again has the same id
--- request eval
[(main::post('inbound-text')) x 2]
--- error_code eval
[200, 200]
--- response_body_filters eval
my $n = 0;
sub {
    return '' if !$n++;
    my @ids = map { JSON::XS::decode_json({ @{ $_->[1] } }->{j})->{id} }
        Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
    return $ids[0] eq $ids[1] ? 'the same' : "@ids";
}
--- response_body eval
["", "the same"]



=== TEST 4: nothing of the format, and what is set aside
--- request eval
["POST /webhook/twilio/acme\na=1", "POST /webhook/twilio/acme\n{\"a\":1}",
 "POST /webhook/twilio/acme\nMessageSid=SM1&From=2&To=1&Body=", "GET /metrics"]
--- error_code eval
[(200) x 4]
--- queued eval
[(0) x 4]
--- response_body_like eval
[(qr/^<\?xml/) x 3, qr/^setter_aside_total\{format="twilio"\} 1$/m]



=== TEST 5: signed over the URL as it was configured, and the form
--- config
    location /twilio/whatsapp/ {
        setter_tenant  acme;
        setter_verify  twilio https://hooks.example.com$request_uri 00112233445566778899aabbccddeeff;
        setter_webhook twilio;
    }
--- request eval
my $in = 'POST /twilio/whatsapp/inbound?channel=acme-wa' . "\n";
my $status = 'POST /twilio/whatsapp/status?channel=acme-wa' . "\n";
[$in . main::sample('inbound-text'), $in . main::sample('inbound-text-unicode'),
 $status . main::sample('status-read'), $in . main::sample('inbound-text'),
 $in . main::sample('inbound-text') . '&More=1',
 'POST /twilio/whatsapp/inbound' . "\n" . main::sample('inbound-text'),
 $in . main::sample('inbound-text')]
--- more_headers eval
[(map { main::signature($_) } 'inbound-text', 'inbound-text-unicode',
  'status-read', 'inbound-voice', 'inbound-text', 'inbound-text'), 'X-A: b']
--- error_code eval
[200, 200, 200, 401, 401, 401, 401]
--- queued eval
[1, 1, 1, 0, 0, 0, 0]



=== TEST 6: the host that the request names means nothing
--- config
    location /w {
        setter_tenant  acme;
        setter_verify  twilio https://$server_name$request_uri old-token 00112233445566778899aabbccddeeff;
        setter_webhook twilio;
    }
--- request eval
[("POST /w\nMessageSid=SM1") x 4]
--- more_headers eval
["Host: evil.example\n" . main::signed('https://evil.example/w', 'MessageSid',
    'SM1'),
 "Host: evil.example\n" . main::signed('https://localhost/w',
    'MessageSid', 'SM1'),
 main::signed('https://localhost:443/w', 'MessageSid', 'SM1'),
 main::signed('https://localhost/w', 'MessageSid', 'SM1', 'old-token')]
--- error_code eval
[401, 200, 200, 200]



=== TEST 7: refused: setter_verify twilio secret;
--- error_log
needs the URL that Twilio was given, and a secret



=== TEST 8: refused: setter_verify twilio /w secret;
--- error_log
needs the URL that Twilio was given, and a secret



=== TEST 9: refused: setter_verify twilio https://a.example/w a b c;
--- error_log
has more than two secrets



=== TEST 10: refused: setter_verify twilio https://a.example/w channel;
--- error_log
no "setter_signing_key" before "channel"
