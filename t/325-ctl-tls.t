#!/usr/bin/perl

# setterctl over TLS: what it needs, and why it refuses.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IPC::Run ();
use JSON::XS qw(decode_json);
use Test::More;

use Setter::Certificates;
use Setter::Redis;
use Setter::Stack;

my $program = "$Bin/../" . ($ENV{SETTER_BUILD} // 'build') . '/setterctl';
my $certificates = Setter::Certificates->make;
my ($port, $plain_port) = Setter::Stack::free_ports(2);
my $server = Setter::Redis->start($certificates->server('good'),
    'tls-port' => $port, port => $plain_port);
my $redis = $server->client;
my $url = "rediss://127.0.0.1:$port";
my $ca = 'SETTER_REDIS_CA=' . $certificates->file('ca.pem');
my ($out, $err);

$server->load_library($redis);

# Runs setterctl with these variables; its exit status.
sub ctl {
    my ($settings, @words) = @_;
    local %ENV = (PATH => $ENV{PATH}, map { split /=/, $_, 2 } @$settings);

    IPC::Run::run([$program, @words], \undef, \$out, \$err,
        IPC::Run::timeout(60));
    return $? >> 8;
}

sub set_certificate {
    my ($name) = @_;
    my %settings = $certificates->server($name);

    $redis->config_set(map { $_ => $settings{$_} }
        qw(tls-cert-file tls-key-file));
}

subtest 'it works' => sub {
    my @hosts = ("SETTER_REDIS_URL=$url", $ca);

    is(ctl(\@hosts, '--json', 'depth'), 0, 'by address') or diag $err;
    is(decode_json($out)->{inbox}, 0, 'an answer');
    is(ctl(["SETTER_REDIS_URL=$url/3", $ca, 'SETTER_REDIS_NAME=redis.test'],
        'depth'), 0, 'by a name that is not the host') or diag $err;
    is(ctl(["SETTER_REDIS_URL=$url", 'SSL_CERT_FILE='
        . $certificates->file('ca.pem')], 'depth'), 0,
        "with the system's authorities") or diag $err;
    is(ctl(["SETTER_REDIS_URL=$url"], '--redis-ca',
        $certificates->file('ca.pem'), 'depth'), 0, 'by an option')
        or diag $err;
};

subtest 'a certificate of our own' => sub {
    my @ours = map { "SETTER_REDIS_$_->[0]=" . $certificates->file($_->[1]) }
        ['CERT', 'client.pem'], ['KEY', 'client.key'];

    $redis->config_set('tls-auth-clients', 'yes');
    is(ctl(["SETTER_REDIS_URL=$url", $ca, @ours], 'depth'), 0, 'is shown')
        or diag $err;
    is(ctl(["SETTER_REDIS_URL=$url", $ca], 'depth'), 1, 'is missed');
    like($err, qr/"reason":"[^"]*certificate required/, 'said');
    $redis->config_set('tls-auth-clients', 'no');
};

subtest 'whom it does not believe' => sub {
    my @cases = (
        [alone => "rediss://127.0.0.1:$port",
         'certificate verify failed: self-signed certificate"'],
        [expired => "rediss://127.0.0.1:$port",
         'certificate verify failed: certificate has expired'],
        [other => "rediss://127.0.0.1:$port",
         'the certificate is not for host 127.0.0.1'],
        [good => "rediss://localhost:$port",
         'the certificate is not for host localhost'],
    );

    for (@cases) {
        my ($name, $where, $reason) = @$_;

        set_certificate($name);
        is(ctl(["SETTER_REDIS_URL=$where", $ca], 'depth'), 1, $reason);
        like($err, qr/"reason":"\Q$reason\E/, 'said');
        like($err, qr/^setterctl: Redis does not answer$/m, 'at the end');
    }

    set_certificate('good');
    is(ctl(["SETTER_REDIS_URL=$url"], 'depth'), 1, 'nobody vouches');
    like($err, qr/certificate verify failed: /, 'said');
    is(ctl(["SETTER_REDIS_URL=rediss://127.0.0.1:$plain_port", $ca],
        'depth'), 1, 'a port without TLS');
    is(ctl(["SETTER_REDIS_URL=redis://127.0.0.1:$port"], 'depth'), 1,
        'a port with it, asked without');
};

subtest 'settings' => sub {
    is(ctl(["SETTER_REDIS_URL=redis://127.0.0.1:$plain_port", $ca], 'depth'),
        1, 'TLS without rediss://');
    is($err, "setterctl: SETTER_REDIS_CA is set, but SETTER_REDIS_URL is not"
        . " rediss://\n", 'said');
    is(ctl(["SETTER_REDIS_URL=$url", 'SETTER_REDIS_CA=/nowhere'], 'depth'),
        1, 'a file that is not there');
    is($err, 'setterctl: SETTER_REDIS_CA: "/nowhere": No such file or '
        . "directory\n", 'said');
};

done_testing();
