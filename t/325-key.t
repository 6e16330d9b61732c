#!/usr/bin/perl

# Keys of tenants on a real Redis and PostgreSQL: setterctl key, and what
# workers publish.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Digest::SHA qw(sha256_hex);
use IPC::Run ();
use JSON::XS qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep time);

use Setter::Postgres;
use Setter::Redis;
use Setter::Worker;

my $program = "$Bin/../" . ($ENV{SETTER_BUILD} // 'build') . '/setterctl';
my $server = Setter::Redis->start(appendonly => 'yes');
my $postgres = Setter::Postgres->start;
my $redis = $server->client;
my $set = 'setter:{mm}:keys';
my ($out, $err);

my %env = (
    SETTER_REDIS_URL => $server->url,
    SETTER_DATABASE_URL => $postgres->url('worker'),
    SETTER_ADMIN_DATABASE_URL => $postgres->url('owner'),
    OPENAI_BASE_URL => 'http://127.0.0.1:9/v1',
);

sub ctl {
    my @words = @_;
    local %ENV = (PATH => $ENV{PATH}, %env);

    while ($words[0] =~ /^([A-Z_]+)=(.*)/) {
        shift @words;
        $ENV{$1} = $2;
    }
    IPC::Run::run([$program, @words], \undef, \$out, \$err,
        IPC::Run::timeout(30));
    return $? >> 8;
}

sub json { decode_json($out) }

sub member {
    my ($key) = @_;
    my ($slug) = $key =~ /^stk_([^_]+)_/;

    return "$slug/" . sha256_hex($key);
}

sub members { [sort $redis->smembers($_[0] // $set)] }

sub refused (&$$) {
    my ($code, $error, $name) = @_;

    ok(!eval { $code->(); 1 }, $name) and like($@, $error, '... by this');
}


subtest 'called wrongly' => sub {
    is(ctl('key', 'add'), 2, 'add whose?');
    like($err, qr/^usage: setterctl key add SLUG \[NAME\]$/m, 'usage');
    is(ctl('key', 'add', 'a', 'b', 'c'), 2, 'too much');
    is(ctl('key', 'list', 'a', 'b'), 2, 'list of two');
    is(ctl('key', 'revoke'), 2, 'revoke what?');
    is(ctl('key', 'add', 'Acme'), 1, 'no slug');
    like($err, qr/"Acme" is not a tenant's slug/, 'said');
    is(ctl('key', 'revoke', 'acme'), 1, 'none is there');
    like($err, qr/no key or tenant with keys "acme"/, 'said');
    is(ctl('key', 'list'), 0, 'an empty list');
    is($out, "none\n", 'said');
};

my ($first, $second, $third);

subtest 'add' => sub {
    is(ctl('key', 'add', 'acme', 'n8n'), 0, 'one with a name') or diag $err;
    like($out, qr/^stk_acme_[A-Za-z0-9_-]{43}\n\z/, 'the key is all of it');
    like($err, qr/key 1 of acme.*not shown again/, 'a person is told more');
    like($err, qr/acme is not an active tenant.*tenant add acme/, 'and this');
    chomp($first = $out);
    is_deeply(members(), [member($first)], 'Redis has its hash');

    ctl('tenant', 'add', 'acme');
    is(ctl('--json', 'key', 'add', 'acme'), 0, 'another, for a program');
    is_deeply([@{ json() }{qw(id tenant)}], [2, 'acme'], 'what it is');
    unlike($err, qr/not an active tenant/, 'the tenant is active now');
    $second = json()->{key};

    ctl('--json', 'key', 'add', 'globex', 'é "quoted"');
    $third = json()->{key};
    is_deeply(members(), [sort map { member($_) } $first, $second, $third],
        'Redis has all');
    is($postgres->value('system', "SELECT count(*) FROM keys k
        WHERE k::text ~ '" . substr($first, 9) . "'"), 0,
        'PostgreSQL has no key');
};

subtest 'list' => sub {
    is(ctl('--json', 'key', 'list'), 0, 'all');
    is_deeply([map { [@$_{qw(id tenant name key revoked_at)}] } @{ json() }],
        [[1, 'acme', 'n8n', '...' . substr($first, -4), undef],
         [2, 'acme', undef, '...' . substr($second, -4), undef],
         [3, 'globex', "\xe9 \"quoted\"", '...' . substr($third, -4), undef]],
        'by their last characters') or diag $out;
    is(ctl('key', 'list', 'globex'), 0, 'one tenant');
    like($out, qr/^id +tenant .*\n3 +globex .*\n\z/, 'as a table');
};

subtest 'revoke' => sub {
    is(ctl('key', 'revoke', 1), 0, 'by its number') or diag $err;
    is($out, "revoked 1\n", 'said');
    is_deeply(members(), [sort map { member($_) } $second, $third],
        'Redis has it no more');
    ctl('--json', 'key', 'list', 'acme');
    is_deeply([map { defined $_->{revoked_at} ? 1 : 0 } @{ json() }], [1, 0],
        'and the list says so');
    my $when = json()->[0]{revoked_at};

    $redis->sadd($set, member($first));
    is(ctl('--json', 'key', 'revoke', 'acme', 3), 0, 'a tenant, and one');
    is_deeply(json(), { revoked => 3 }, 'those revoked before, too');
    is_deeply(members(), [], 'in Redis');
    ctl('--json', 'key', 'list', 'acme');
    is(json()->[0]{revoked_at}, $when, 'at its own time');
    is(ctl('key', 'revoke', 7, 3), 1, 'one that is not there');
    like($out, qr/^revoked 1$/m, 'does not keep the others');
};

subtest 'without Redis, or without PostgreSQL' => sub {
    is(ctl('SETTER_REDIS_URL=unix:/nowhere', 'key', 'add', 'acme'), 1, 'add');
    is($out, '', 'shows no key');
    is(ctl('SETTER_REDIS_URL=unix:/nowhere', 'key', 'revoke', 3), 1,
        'revoke');
    is(ctl('SETTER_ADMIN_DATABASE_URL=host=/nowhere', 'key', 'add', 'acme'),
        1, 'no PostgreSQL');
    is($out, '', 'no key');
    is($postgres->value('system', 'SELECT max(id) FROM keys'), 3, 'or row');

    $redis->set($set, 'no set');
    is(ctl('key', 'add', 'acme'), 1, 'Redis refuses');
    like($err, qr/WRONGTYPE.*no key was made/s, 'said');
    is($postgres->value('system', 'SELECT count(*) FROM keys'), 3,
        'nothing is recorded');
    is($out, '', 'nor shown');
    is(ctl('key', 'revoke', 3), 1, 'Redis refuses to take one out');
    like($err, qr/WRONGTYPE.*recorded, but not published: run it again/s,
        'said');
};

subtest 'partitions' => sub {
    $redis->flushall;
    $redis->set('setter:{mm}:layout', '1 4');       # as workers do
    is(ctl('SETTER_PARTITIONS=4', '--json', 'key', 'add', 'acme'), 0, 'add');
    my $key = json()->{key};
    is_deeply(members('setter:{mm}:keys'), [member($key)],
        "the set is in the tenant's partition") or diag $redis->keys('*');
    is(ctl('SETTER_PARTITIONS=4', '--json', 'key', 'add', 'globex'), 0,
        'and another');
    is_deeply(members('setter:{cs}:keys'), [member(json()->{key})],
        'in its own') or diag $redis->keys('*');
    ctl('SETTER_PARTITIONS=4', 'key', 'revoke', 'acme', 'globex');
    is_deeply([$redis->keys('*:keys')], [], 'both are taken out');
};

subtest 'a worker publishes what Redis has lost' => sub {
    $redis->flushall;
    $postgres->sql('system', "INSERT INTO keys (tenant, hash, ending)
        SELECT 'many', encode(sha256(n::text::bytea), 'hex'), 'last'
        FROM generate_series(1, 1203) n");
    $postgres->sql('system', "UPDATE keys SET revoked_at = now()
        WHERE tenant = 'many' AND hash = encode(sha256('7'), 'hex')");
    $redis->sadd($set, member($first));     # revoked
    my $worker = Setter::Worker->start(%env);
    my $limit = time + 20;

    sleep 0.05 until time > $limit || $redis->scard($set) == 1202;
    is($redis->scard($set), 1202, 'all that count, page by page');
    ok(!$redis->sismember($set, member($first)), 'revoked ones are taken out');
    $worker->stop;
};

subtest 'who sees the keys' => sub {
    is($postgres->value('worker', 'SELECT count(hash) FROM keys'), 1208,
        'a worker reads the hashes');
    refused { $postgres->as_tenant('acme', 'UPDATE keys SET revoked_at = NULL
        ') } qr/row-level security/, 'it brings none back';
    is($postgres->value('owner', 'SELECT count(*) FROM keys'), 0,
        'the owner sees none, but as the system');
};

done_testing;
