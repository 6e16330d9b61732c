# Infobip's delivery and seen reports: setter_webhook infobip_status.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->config;
    $block->set_value('config', <<'EOC');
    setter_tenant $arg_tenant;
    setter_debounce 2s;
    setter_lane everything;
    location /s {
        setter_webhook infobip_status;
    }
    location /compat {
        setter_webhook infobip_status;
        setter_status  compat;
    }
    location /checked {
        setter_webhook infobip_status;
        setter_verify  token $http_x_hook_token right;
    }
    location /small {
        setter_webhook infobip_status;
        setter_max_job 40;
    }
    location /known {
        setter_webhook infobip_status;
        setter_tenants known;
    }
EOC
});

# A sample of the provider's, for the tenant acme.
sub sample {
    open my $in, '<', "$FindBin::Bin/data/infobip/$_[0].json" or die "$_[0]: $!";
    local $/;
    return "POST /s?tenant=acme\n" . <$in>;
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a delivery report
--- request eval
main::sample('delivery-report-delivered')
--- error_code: 200
--- response_body_like: ^\{"id":"[0-9a-f-]{36}","status":"SUCCESS"
--- job
kind: status
header.kind: status
tenant: acme
provider: infobip
data.results ~ ^\[\{.*"messageId":"a1a1a1a1-0000-4000-8000-000000000001".*\}\]$
header.debounce_ms: 0
! from
! text



=== TEST 2: several are one job, with a lane of its own
--- request eval
main::sample('delivery-report-batch')
--- error_code: 200
--- queued: 1
--- envelope_like: "id":"([0-9a-f-]{36})".*"lane":"acme/status/\1".*0005".*0006"



=== TEST 3: every kind of report
--- request eval
[map { main::sample($_) } qw(delivery-report-pending
    delivery-report-rejected-no-session delivery-report-undeliverable
    seen-report)]
--- error_code eval
[200, 200, 200, 200]
--- queued eval
[1, 1, 1, 1]



=== TEST 4: what cannot be used is answered 200 all the same
--- request eval
["POST /s?tenant=acme\n{\"results\"", "POST /s?tenant=acme\n[]",
 "POST /s?tenant=acme\n{}", "POST /s?tenant=acme\n{\"results\":null}",
 "POST /s\n{\"results\":[]}", "POST /known?tenant=acme\n{\"results\":[]}",
 "POST /compat?tenant=acme\n{}", "POST /compat?tenant=acme\n{\"results\":[]}"]
--- error_code eval
[(200) x 8]
--- queued eval
[(0) x 7, 1]



=== TEST 5: broken text is mended, and any type of content taken
--- request eval
"POST /s?tenant=acme\n{\"results\":[{\"messageId\":\"a\\u0000\xff\"}]}"
--- more_headers
Content-Type: text/plain
--- error_code: 200
--- envelope_like eval
qr/"messageId":"a\xef\xbf\xbd\xef\xbf\xbd"/



=== TEST 6: what another try can change is not
--- request eval
["GET /s?tenant=acme", "POST /checked?tenant=acme\n{\"results\":[]}",
 "POST /small?tenant=acme\n{\"results\":[" . " " x 40 . "]}"]
--- error_code eval
[405, 401, 413]
--- queued eval
[0, 0, 0]



=== TEST 7: nor what Redis has not got
--- http_config
    setter_redis   $TEST_NGINX_NOWHERE;
    setter_tenants any;
--- request
POST /s?tenant=acme
{"results":[]}
--- error_code: 503
--- response_headers_like
Retry-After: \d+
--- queued: 0
