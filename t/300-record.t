#!/usr/bin/perl

# The tables: a tenant's rows are its own, whatever a statement forgets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Postgres;
use Test::More;

my $postgres = Setter::Postgres->start;
my @tables = qw(contacts conversations jobs messages);

my $job = '01890a5d-ac96-774b-bcce-b302099a8057';
my %row = (
    contacts      => "(tenant, provider, address)
                      VALUES ('%s', 'manychat', '15550100')",
    conversations => "(tenant, lane, window_until)
                      VALUES ('%s', 'acme/conv/x', now())",
    jobs          => "(tenant, id, kind, lane, payload, received_at)
                      VALUES ('%s', '$job', 'message', 'l', '{}', now())",
    messages      => "(tenant, id, lane, direction, state, provider, address)
                      VALUES ('%s', '$job', 'acme/conv/x', 'in', 'received',
                              'manychat', '15550100')",
);

sub insert {
    my ($table, $tenant) = @_;

    return "INSERT INTO $table " . sprintf $row{$table}, $tenant;
}

sub refused(&$$) {
    my ($code, $message, $name) = @_;

    ok(!eval { $code->(); 1 } && $@ =~ $message, $name) or diag $@;
}


# --- isolation

$postgres->as_tenant('acme', join ';', map { insert($_, 'acme') } @tables);

for my $table (@tables) {
    my $count = "SELECT count(*) FROM $table";

    is(($postgres->as_tenant('acme', $count))[0][0], 1,
       "$table: a worker sees its tenant's rows");
    is(($postgres->as_tenant('globex', $count))[0][0], 0,
       "$table: not another's");
    is($postgres->value('worker', $count), 0, "$table: none without tenant");
    is($postgres->value('worker', "SET setter.tenant = ''; $count"), 0,
       "$table: none with an empty one");
    is($postgres->value('system', $count), 1, "$table: the system sees all");
    is($postgres->value('owner', $count), 0,
       "$table: the owner sees none: security is forced");

    refused { $postgres->as_tenant('globex', insert($table, 'acme')) }
        qr/violates row-level security/,
        "$table: no row is written for another tenant";

    $postgres->as_tenant('globex', "UPDATE $table SET tenant = 'globex'");
    is($postgres->value('system',
                        "SELECT count(*) FROM $table WHERE tenant = 'acme'"),
       1, "$table: another tenant's rows are not changed");
    refused { $postgres->as_tenant('acme',
                                   "UPDATE $table SET tenant = 'globex'") }
        qr/violates/, "$table: no row is given away";
    refused { $postgres->as_tenant('acme', "DELETE FROM $table") }
        qr/permission denied/, "$table: a worker deletes nothing";

    is($postgres->value('system', insert($table, 'initech') . ' RETURNING 1'),
       1, "$table: another tenant may use the same key")
        unless $table eq 'messages';
}

is($postgres->value('system', "SELECT count(*) FROM pg_class AS t
       JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = 'tenant'
       WHERE t.relkind = 'r' AND NOT t.relforcerowsecurity
        AND t.relnamespace = 'public'::regnamespace"), 0,
   'every table with a tenant has forced row-level security');


# --- the registry

$postgres->as_tenant('acme', "INSERT INTO tenants (slug) VALUES ('acme')");
$postgres->as_tenant('globex', "INSERT INTO tenants (slug) VALUES ('globex')");

is($postgres->value('worker', "SELECT count(slug) FROM tenants
                               WHERE status = 'seen'"), 2,
   'a worker reads which tenants there are');
refused { $postgres->as_tenant('acme',
                               "INSERT INTO tenants (slug) VALUES ('x')") }
    qr/violates row-level security/, 'and adds only its own';
$postgres->as_tenant('acme', "UPDATE tenants SET status = 'suspended'");
is($postgres->value('owner', "SELECT string_agg(slug, ' ') FROM tenants
                              WHERE status = 'suspended'"), 'acme',
   'as it changes only its own');
refused { $postgres->as_tenant('acme', "UPDATE tenants SET slug = 'x'") }
    qr/permission denied/, 'whose name stays';
$postgres->as_tenant('acme', "UPDATE tenants SET status = 'seen'");
is($postgres->value('owner', "UPDATE tenants SET status = 'suspended'
                              WHERE slug = 'globex' RETURNING slug"),
   'globex', 'the owner keeps the registry');

for my $slug ('', 'Acme', '1acme', 'a_b', "a\nb", 'a' x 64) {
    refused { $postgres->sql('owner',
                             "INSERT INTO tenants (slug) VALUES ('$slug')") }
        qr/violates check/, 'no slug: ' . ($slug =~ s/\n/\\n/r);
}


# --- what operators set

for my $setting ('weight = 0', 'weight = 1001', 'cap = 0', 'cap = 100001',
                 'quota_minute = -1', 'quota_day = -1', "worker = 'theirs'",
                 "mid_turn = 'drop'", 'weight = NULL') {
    refused { $postgres->sql('owner', "UPDATE tenants SET $setting") }
        qr/violates (?:check|not-null)/, "no setting: $setting";
}

is($postgres->value('worker', "SELECT weight + cap + quota_minute + quota_day
       || worker || mid_turn || held FROM tenants WHERE slug = 'acme'"),
   '201ownqueuefalse', 'a worker reads the settings, which have defaults');


# --- keys and channels

for my $tenant (qw(acme globex)) {
    $postgres->as_tenant($tenant, "INSERT INTO keys (tenant, hash, ending)
        VALUES ('$tenant', encode(sha256('$tenant'), 'hex'), 'abcd')");
    $postgres->as_tenant($tenant, "INSERT INTO channels (tenant, provider,
        address) VALUES ('$tenant', 'meta', '$tenant')");
}

refused { $postgres->as_tenant('acme', "INSERT INTO keys (tenant, hash, ending)
        VALUES ('globex', repeat('a', 64), 'abcd')") }
    qr/violates row-level security/, 'no key for another tenant';
refused { $postgres->as_tenant('acme', "INSERT INTO channels (tenant, provider,
        address) VALUES ('globex', 'meta', '1')") }
    qr/violates row-level security/, 'no channel';
refused { $postgres->as_tenant('acme', "UPDATE channels SET tenant = 'globex'") }
    qr/violates row-level security/, 'none is given away';
refused { $postgres->as_tenant('acme', 'DELETE FROM keys') }
    qr/permission denied/, 'a key stays on record';

$postgres->as_tenant('acme', 'UPDATE keys SET revoked_at = now()');
$postgres->as_tenant('acme', 'UPDATE channels SET removed = true');
is($postgres->value('system', "SELECT string_agg(tenant, ' ') FROM $_"),
   'acme', "of $_ a worker changes its tenant's")
    for 'keys WHERE revoked_at IS NOT NULL', 'channels WHERE removed';


# --- what is told of all tenants

sub unfinished {
    my ($arguments) = @_;

    return join ' ', map { join ':', @$_ } $postgres->sql('worker',
        "SELECT tenant, right(id::text, 1), queue_id
         FROM unfinished_jobs($arguments) ORDER BY received_at, seq");
}

$postgres->sql('system', 'DELETE FROM jobs');
my $at = "timestamp '2026-11-20 10:30'";
my $stem = substr $job, 0, -1;
for (['globex', 3, 2, 'queued', '{"id":"x"}'], ['acme', 1, 1, 'queued', '"{"'],
     ['acme', 2, 1, 'processing', '{}'], ['acme', 4, 3, 'done', '{}'],
     ['acme', 5, 3, 'failed', '{}'], ['acme', 6, 3, 'dead', '{}']) {
    my ($tenant, $n, $seconds, $status, $payload) = @$_;
    $postgres->as_tenant($tenant, "INSERT INTO jobs (tenant, id, kind, lane,
        status, payload, received_at) VALUES ('$tenant', '$stem$n', 'message',
        'l', '$status', '$payload', $at + interval '$seconds s')");
}

is(unfinished("'0 s', '-infinity', 0, 9"),
   "acme:1:${stem}1 acme:2:${stem}2 globex:3:x",
   'a worker may ask which jobs of all tenants are unfinished');
is(unfinished("'0 s', '-infinity', 0, 1"), "acme:1:${stem}1", 'a page of them');
is(unfinished("'0 s', $at + interval '1 s', (SELECT seq FROM
    unfinished_jobs('0 s', '-infinity', 0, 1)), 9"),
   "acme:2:${stem}2 globex:3:x", 'and the next');
is(unfinished("'1 h', '-infinity', 0, 9"), '',
   'none to which something happened just now');

my $page = "SELECT tenant FROM held_lanes('', '', 9)";
is($postgres->value('worker', $page), undef, 'no lane is held');
$postgres->as_tenant('acme', "UPDATE conversations SET held = true");
is($postgres->value('worker', $page), 'acme', 'or one is');
is($postgres->value('worker', "SELECT count(*) FROM
    held_lanes('acme', 'acme/conv/x', 9)"), 0, 'and no other behind it');

is($postgres->value('worker', "CREATE TEMP TABLE jobs (id uuid);
       SELECT count(*) FROM unfinished_jobs('0 s', '-infinity', 0, 9)"), 3,
   'no table of the same name is taken for the real one');
$postgres->sql('postgres', 'CREATE ROLE stranger LOGIN', 'setter');
refused { $postgres->sql('stranger', $page) }
    qr/permission denied for function/, 'nobody else may ask';
is($postgres->value('owner', "SELECT count(*) FROM pg_proc WHERE prosecdef
       AND pg_get_userbyid(proowner) <> 'setter_system'"), 0,
   'who answers is the system role');
is($postgres->value('system', "SELECT has_schema_privilege('setter_system',
       current_schema, 'CREATE')"), 'f', 'which creates nothing');


# --- what the tables themselves refuse

my $out = "INSERT INTO messages (tenant, id, lane, direction, state, turn,
           provider, address) VALUES ('acme', gen_random_uuid(),
           'acme/conv/x', 'out', '%s', '$job', 'manychat', '15550100')";

$postgres->as_tenant('acme', sprintf $out, 'composed');
refused { $postgres->as_tenant('acme', sprintf $out, 'composed') }
    qr/messages_reply/, 'a turn has one reply';
$postgres->as_tenant('acme', "UPDATE messages SET set_aside = true
                              WHERE direction = 'out'");
$postgres->as_tenant('acme', sprintf $out, 'composed');
pass('or another, when that was set aside');
refused { $postgres->as_tenant('acme', sprintf $out, 'received') }
    qr/violates check/, 'a reply was not received';
$postgres->as_tenant('acme', insert('jobs', 'acme'));
refused { $postgres->as_tenant('acme', insert('jobs', 'acme')) }
    qr/jobs_pkey/, 'a job is recorded once';

my $in = "INSERT INTO messages (tenant, id, lane, direction, state, provider,
          provider_id, address) VALUES ('acme', gen_random_uuid(),
          'acme/conv/x', 'in', 'received', '%s', 'wamid.1', '15550100')";

$postgres->as_tenant('acme', sprintf $in, 'meta');
$postgres->as_tenant('acme', sprintf $in, 'infobip');
refused { $postgres->as_tenant('acme', sprintf $in, 'meta') }
    qr/messages_received/, "a provider's message id comes in once";


# --- upkeep

my $age = "SELECT updated_at > created_at FROM %s LIMIT 1";

for my $table (@tables) {
    $postgres->as_tenant('acme', "UPDATE $table SET tenant = tenant");
    is(($postgres->as_tenant('acme', sprintf $age, $table))[0][0], 't',
       "$table: updated_at is kept");
}

$postgres->sql('system', "DELETE FROM conversations WHERE tenant = 'acme'");
is($postgres->value('system', "SELECT count(*) FROM messages
                               WHERE tenant = 'acme'"), 0,
   'the messages go with their conversation');

$postgres->sql('postgres', 'CREATE DATABASE second OWNER owner', 'postgres');
ok(eval { $postgres->migrate($_, 'second') for $postgres->migrations; 1 },
   'a second database of the cluster finds the roles there') or diag $@;

done_testing;
