# setter_signing_key and setter_verify … channel: signatures by the secrets of
# tenants' own channels.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis fake);
use Test::Nginx::Socket 'no_plan';

use Digest::SHA qw(hmac_sha256_hex);

our $body = '{"entry":[{"changes":[{"field":"messages","value":{"metadata":'
    . '{"phone_number_id":"1"},"messages":[{"id":"w1","from":"15550104321",'
    . '"timestamp":"1767225600","type":"text","text":{"body":"a"}}]}}]}]}';

our $key = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
our $old = 'AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';

# What t/data/sealed.tsv has in its line of that number.
sub sealed {
    open my $file, '<', 't/data/sealed.tsv' or die "sealed.tsv: $!";
    my @rows = map { chomp; [split /\t/] } grep { !/^#/ } <$file>;
    return $rows[$_[0] - 1][2];
}

# The tenant has the secrets of these lines.
sub give {
    my ($tenant, @lines) = @_;
    Setter::Suite::redis()->hset('setter:{mm}:signing', "$tenant/meta",
        join ' ', map { sealed($_) } @lines);
}

sub post { return "POST /w/$_[0]\n$body" }

sub signed {
    return 'X-Hub-Signature-256: sha256=' . hmac_sha256_hex($body, $_[0]);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    # "refused: ..." in a block's name is what nginx must not start with
    my ($refused) = $block->name =~ /refused: (.*)\z/;
    my $redis = defined $block->fake ? '$TEST_NGINX_FAKE timeout=500ms'
        : '$TEST_NGINX_REDIS';

    $block->set_value('user_files', ">>> new.key\n$main::key\n"
        . ">>> old.key\n$main::old\n>>> bad.key\nnonsense\n");
    $block->set_value('http_config', "    setter_redis $redis;\n"
        . "    setter_tenants any;\n"
        . ($refused && $refused =~ s/ in http\z//
            ? "    $refused\n"
            : "    setter_signing_key \$TEST_NGINX_SERVER_ROOT/html/new.key;\n"
        )) if !defined $block->http_config;
    $block->set_value('config', "    location ~ ^/w/(?<slug>[a-z]+)\$ {\n"
        . ($refused && $refused =~ /verify/ ? "        $refused\n"
            : "        setter_verify  meta channel;\n")
        . "        setter_tenant  \$slug;\n        setter_webhook meta;\n    }\n")
        if !defined $block->config;
    $block->set_value('post_setup_server_root', "main::give(acme => 1, 2);"
        . "main::give(globex => 3);")
        if !defined $block->fake && !defined $block->post_setup_server_root;

    if ($refused) {
        $block->set_value('must_die', '');
        $block->set_value('suppress_stderr', '');
    }
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: any secret of the tenant's channels signs
--- request eval
[(main::post('acme')) x 5]
--- more_headers eval
[map { main::signed($_) } 'acme-secret-1', 'acme-secret-2', 'acme-secret-3',
    'acme-secret-4', "acme-secret-1\nacme-secret-2"]
--- error_code eval
[200, 200, 200, 401, 401]
--- queued eval
[1, 1, 1, 0, 0]



=== TEST 2: no other tenant's, nor one without channels
--- request eval
[map { main::post($_) } 'acme', 'globex', 'initech', 'globex']
--- more_headers eval
[map { main::signed($_) } 'globex-secret', 'acme-secret-1', 'globex-secret',
    'globex-secret']
--- error_code eval
[401, 401, 401, 200]
--- queued eval
[0, 0, 0, 1]



=== TEST 3: beside a secret of the configuration, which needs no Redis
--- http_config
    setter_redis $TEST_NGINX_FAKE timeout=500ms;
    setter_tenants any;
    setter_signing_key $TEST_NGINX_SERVER_ROOT/html/new.key;
--- config
    location ~ ^/w/(?<slug>[a-z]+)$ {
        setter_verify  meta the-app channel handshake=hello;
        setter_tenant  $slug;
        setter_webhook meta;
    }
--- fake
HMGET 1: nil
--- request eval
[main::post('acme'), "GET /w/acme?hub.mode=subscribe&hub.challenge=7&"
    . "hub.verify_token=hello"]
--- more_headers eval
[main::signed('the-app'), 'X-A: b']
--- error_code eval
[200, 200]
--- fake_saw eval
["! HMGET\n1 x XADD", undef]



=== TEST 4: a seal that was moved to another tenant does not open
--- post_setup_server_root
main::give(acme => 3, 1);
--- request eval
[(main::post('acme')) x 2]
--- more_headers eval
[map { main::signed($_) } 'globex-secret', 'acme-secret-1']
--- error_code eval
[401, 200]
--- error_log
sealed under another key



=== TEST 5: two keys, while one is being replaced
--- http_config
    setter_redis $TEST_NGINX_REDIS;
    setter_tenants any;
    setter_signing_key $TEST_NGINX_SERVER_ROOT/html/new.key
                       $TEST_NGINX_SERVER_ROOT/html/old.key;
--- post_setup_server_root
main::give(acme => 1, 4);
--- request eval
[(main::post('acme')) x 2]
--- more_headers eval
[map { main::signed($_) } 'acme-secret-1', 'acme-secret-4']
--- error_code eval
[200, 200]



=== TEST 6: what is no seal is none
--- post_setup_server_root
Setter::Suite::redis()->hset('setter:{mm}:signing', 'acme/meta', "  x \xff ");
--- request eval
main::post('acme')
--- more_headers eval
main::signed('x')
--- error_code: 401



=== TEST 7: Redis does not tell: the provider is to repeat
--- fake
HMGET 1: -ERR no
HMGET 2: close
--- request eval
[(main::post('acme')) x 2]
--- more_headers eval
[(main::signed('acme-secret-1')) x 2]
--- error_code eval
[503, 503]



=== TEST 8: asked once for two seconds
--- fake eval
my $sealed = main::sealed(1);
'HMGET 1: raw *1\r\n$' . length($sealed) . '\r\n' . $sealed . '\r\n'
--- request eval
[(main::post('acme')) x 3]
--- more_headers eval
[(main::signed('acme-secret-1')) x 3]
--- error_code eval
[200, 200, 200]
--- fake_saw eval
[(undef) x 2, "1 x HMGET\n3 x XADD"]



=== TEST 9: neither secrets nor keys are in the log
--- request eval
main::post('acme')
--- more_headers eval
main::signed('acme-secret-2')
--- error_code: 200
--- no_error_log eval
['acme-secret', $main::key]



=== TEST 10: hmac, too
--- config
    location ~ ^/w/(?<slug>[a-z]+)$ {
        setter_verify  hmac $http_x_sign channel;
        setter_tenant  $slug;
        setter_webhook meta;
    }
--- request eval
main::post('acme')
--- more_headers eval
'X-Sign: ' . main::hmac_sha256_hex($main::body, 'acme-secret-1')
--- error_code: 200



=== TEST 11: refused: setter_signing_key nowhere.key; in http
--- error_log
nowhere.key" failed



=== TEST 12: refused: setter_signing_key $TEST_NGINX_SERVER_ROOT/html/bad.key; in http
--- error_log
holds no key: setterctl key signing



=== TEST 13: refused: setter_verify meta channel;
--- http_config
    setter_redis $TEST_NGINX_REDIS;
--- error_log
no "setter_signing_key" before "channel"



=== TEST 14: refused: setter_verify token $http_x_token;
--- error_log
has no secret



=== TEST 15: a format of no provider has no channels
--- config
    location /w {
        setter_verify  hmac $http_x_sign channel;
        setter_tenant  acme;
        setter_webhook generic;
        setter_set     provider meta;
    }
--- must_die
--- suppress_stderr
--- error_log
"channel" of "setter_verify" does not go with



=== TEST 16: a tenant's own secret does not speak for another's number
--- config
    location ~ ^/w/(?<slug>[a-z]+)$ {
        setter_verify  meta channel;
        setter_tenant  channel:to;
        setter_tenant  $slug;
        setter_webhook meta;
    }
--- post_setup_server_root
main::give(acme => 1); main::give(globex => 3);
Setter::Suite::redis()->hset('setter:{mm}:channels', 'meta/1', 'globex');
--- request eval
[main::post('acme'), main::post('globex')]
--- more_headers eval
[main::signed('acme-secret-1'), main::signed('globex-secret')]
--- error_code eval
[200, 200]
--- queued eval
[0, 1]
