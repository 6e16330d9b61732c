#!/usr/bin/perl

# setterctl on a real Redis and PostgreSQL: what each command does, says, and
# exits with.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use IPC::Run ();
use JSON::XS qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep time);

use Setter::Postgres;
use Setter::Queue;
use Setter::Redis;

my $program = "$Bin/../" . ($ENV{SETTER_BUILD} // 'build') . '/setterctl';
my $redis_server = Setter::Redis->start(appendonly => 'yes');
my $postgres = Setter::Postgres->start;
my $redis = $redis_server->client;
my ($out, $err);
my $migrated = $postgres->url('owner') =~ s{/setter\?}{/migrated?}r;

my %env = (
    SETTER_REDIS_URL => $redis_server->url,
    SETTER_DATABASE_URL => $postgres->url('worker'),
    SETTER_ADMIN_DATABASE_URL => $postgres->url('owner'),
    OPENAI_BASE_URL => 'http://127.0.0.1:9/v1',
    MANYCHAT_API_KEY => 'k', INFOBIP_BASE_URL => 'http://127.0.0.1:9',
    INFOBIP_API_KEY => 'k', INFOBIP_SENDER => '+15550100',
);

# Runs setterctl; its exit status.  Words that look like NAME=VALUE come first
# and change the environment, NAME= takes the variable away.
sub ctl {
    my @words = @_;
    local %ENV = (PATH => $ENV{PATH}, %env);

    while ($words[0] =~ /^([A-Z_]+)=(.*)/) {
        shift @words;
        $2 eq '' ? delete $ENV{$1} : ($ENV{$1} = $2);
    }
    IPC::Run::run([$program, @words], \undef, \$out, \$err,
        IPC::Run::timeout(30));
    return $? >> 8;
}

sub json { decode_json($out) }

# What doctor says of a subject: verdict and text, a line each.
sub doctor {
    my ($subject, @settings) = @_;

    ctl(@settings, '--json', 'doctor');
    return join '', map { "$_->{verdict} $_->{text}\n" }
        grep { $_->{subject} eq $subject } @{ json() };
}


subtest 'called wrongly' => sub {
    is(ctl('nonsense'), 2, 'an unknown command');
    like($err, qr/no command "nonsense".*Usage: setterctl/s, 'says so');
    is(ctl('job'), 2, 'half a command');
    is(ctl('job', 'show'), 2, 'an argument is missing');
    like($err, qr/^usage: setterctl job show ID$/m, 'its usage');
    is(ctl($_, 'x'), 2, "$_ takes none") for qw(migrate doctor tail);
    is(ctl('--nonsense', 'depth'), 2, 'an unknown option');
    is(ctl('SETTER_PARTITIONS=0', 'depth'), 2, 'a wrong value');
    is(ctl('--help'), 0, 'help');
    like($out, qr/migrate.*doctor.*SETTER_REDIS_URL/s, 'names all');
};

subtest 'what is not set or not there' => sub {
    is(ctl('SETTER_REDIS_URL=', 'depth'), 1, 'no Redis is named');
    like($err, qr/^setterctl: SETTER_REDIS_URL is not set$/m, 'said');
    is(ctl('SETTER_REDIS_URL=unix:/nowhere', 'depth'), 1, 'none is there');
    like($err, qr/Redis does not answer/, 'said');
    is(ctl('SETTER_REDIS_URL=http://x', 'depth'), 1, 'a wrong URL');
    like($err, qr/^setterctl: SETTER_REDIS_URL: /m, 'said');
    is(ctl('SETTER_ADMIN_DATABASE_URL=', 'tenant', 'list'), 1, 'no owner');
    like($err, qr/SETTER_ADMIN_DATABASE_URL is not set/, 'said');
    is(ctl('SETTER_ADMIN_DATABASE_URL=host=/nowhere', 'migrate'), 1,
        'no database');
    like($err, qr/^setterctl: SETTER_ADMIN_DATABASE_URL: /m, 'said');
};

subtest 'migrate' => sub {
    $postgres->sql('postgres', 'CREATE DATABASE migrated OWNER owner',
        'postgres');
    my @names = map { m{([^/]+)$} } Setter::Postgres->migrations;

    # two at a time: one does it, the other finds it done
    my @at_once = map { [$program, 'migrate'] } 1, 2;
    {
        local %ENV = (PATH => $ENV{PATH}, SETTER_ADMIN_DATABASE_URL =>
            $migrated);
        my ($text, @runs) = '';
        push @runs, IPC::Run::start($_, \undef, '>&', \$text) for @at_once;
        is((grep { IPC::Run::finish($_) } @runs), 2, 'both succeed');
        is_deeply([sort $text =~ /^applied (\S+)$/mg], \@names,
            'each migration once');
    }
    is_deeply([map { $_->[0] } $postgres->sql('owner',
        'SELECT name FROM migrations ORDER BY name', 'migrated')], \@names,
        'each has its row');

    is(ctl("SETTER_ADMIN_DATABASE_URL=$migrated", 'migrate'), 0, 'again');
    is($out, "nothing to do\n", 'says so');
    is(ctl("SETTER_ADMIN_DATABASE_URL=$migrated", '--json', 'migrate'), 0,
        'JSON');
    is_deeply(json(), { applied => 0 }, 'for programs');

    # one that fails leaves nothing behind
    $postgres->sql('owner', q{DELETE FROM migrations WHERE name = '}
        . $names[-1] . q{'}, 'migrated');
    is(ctl("SETTER_ADMIN_DATABASE_URL=$migrated", 'migrate'), 1, 'a failure');
    like($err, qr/^setterctl: \Q$names[-1]\E: ERROR: .*exists/m, 'says why');
    is($postgres->value('owner', 'SELECT count(*) FROM migrations',
        'migrated'), @names - 1, 'and has no row');
    like(doctor(database => "SETTER_ADMIN_DATABASE_URL=$migrated"),
        qr/fail .*\Q$names[-1]\E is missing: run setterctl migrate/,
        'doctor tells');
    $postgres->sql('owner',
        "INSERT INTO migrations VALUES ('$names[-1]')", 'migrated');
    like(doctor(database => "SETTER_ADMIN_DATABASE_URL=$migrated"),
        qr/ok is of this program's version/, 'or not');
};

subtest 'tenant' => sub {
    is(ctl('tenant', 'add', 'acme'), 0, 'add') or diag $err;
    is(ctl('tenant', 'add', 'other'), 0, 'add another');
    my $known = (grep { /:known$/ } $redis->keys('*'))[0];
    is_deeply([sort $redis->smembers($known)], [qw(acme other)],
        'Redis knows them');
    is(ctl('tenant', 'suspend', 'other'), 0, 'suspend');
    is_deeply([$redis->smembers($known)], ['acme'], 'and no longer one');
    is(ctl('--json', 'tenant', 'list'), 0, 'list');
    is_deeply([map { [@$_{qw(slug status)}] } @{ json() }],
        [[acme => 'active'], [other => 'suspended']], 'as JSON');
    is(ctl('tenant', 'list'), 0, 'list');
    like($out, qr/^slug +status .*\nacme +active .*\nother +suspended /,
        'as a table');
    is(ctl('tenant', 'add', 'other'), 0, 'add again');
    is($redis->scard($known), 2, 'is active again');
    for ('Acme', '-a', '', 'a' x 64, "a'b") {
        is(ctl('tenant', 'add', $_), 1, "not a slug: \"$_\"");
    }
    like($err, qr/"a'b" is not a slug/, 'says so');
};

# A tenant's settings as the queue has them.
sub settings {
    my %has = $redis->hgetall("setter:{mm}:tenant:$_[0]");
    return \%has;
}

subtest 'tenant set, show' => sub {
    is(ctl('tenant', 'set', 'acme', 'weight=5', 'cap=7', 'quota_minute=60',
        'quota_day=1000', 'worker=outside', 'mid_turn=merge'), 0, 'set')
        or diag $err;
    is_deeply(settings('acme'), { weight => 5, cap => 7, minute => 60,
        day => 1000, outside => 1 }, 'the queue goes by it');
    is(ctl('--json', 'tenant', 'show', 'acme'), 0, 'show');
    my ($row) = @{ json() };
    is_deeply([@$row{qw(slug weight cap quota_minute quota_day worker
        mid_turn held)}], ['acme', 5, 7, 60, 1000, 'outside', 'merge',
        JSON::XS::false()], 'all of it');

    is(ctl('tenant', 'set', 'acme', 'cap=', 'worker=own'), 0, 'set back');
    is_deeply(settings('acme'), { weight => 5, minute => 60, day => 1000 },
        'to the default');
    is(ctl('tenant', 'set', 'acme', map { "$_=" } qw(weight quota_minute
        quota_day mid_turn)), 0, 'all');
    is_deeply(settings('acme'), {}, 'of them');
    ctl('--json', 'tenant', 'show', 'acme');
    is_deeply([@{ json()->[0] }{qw(weight cap quota_minute quota_day worker
        mid_turn)}], [1, 200, 0, 0, 'own', 'queue'], 'on record too');

    for (['weight=0', qr/weight is a number from 1 to 1000, not "0"/],
         ['weight=1001', qr/weight/], ['cap=many', qr/cap is a number/],
         ['cap=5x', qr/cap/], ['quota_day=-1', qr/quota_day/],
         ['quota_minute=9999999999', qr/quota_minute/],
         ['worker=theirs', qr/worker is own or outside, not "theirs"/],
         ['mid_turn=drop', qr/mid_turn is queue or merge/],
         ['colour=red', qr/there is no field "colour"/],
         ['weight', qr/"weight" is not FIELD=VALUE/]) {
        my ($word, $says) = @$_;
        is(ctl('tenant', 'set', 'acme', 'cap=3', $word), 1, "wrong: $word");
        like($err, $says, 'said');
    }
    is_deeply(settings('acme'), {}, 'and nothing is set');
    is(ctl('tenant', $_, 'nobody', 'cap=3'), $_ eq 'set' ? 1 : 2,
        "$_ of a tenant that is not there") for qw(set show);
    is(ctl('tenant', 'show', 'nobody'), 1, 'show of one');
    like($err, qr/no tenant "nobody"/, 'said');
    is(ctl('tenant', 'set', 'acme'), 2, 'no field');
};

subtest 'tenant hold, release' => sub {
    is(ctl('tenant', 'hold', 'acme'), 0, 'hold');
    is_deeply(settings('acme'), { held => 1 }, 'the queue holds it');
    ctl('--json', 'tenant', 'list');
    is_deeply([map { $_->{slug} } grep { $_->{held} } @{ json() }], ['acme'],
        'the list tells');
    is(ctl('tenant', 'release', 'acme'), 0, 'release');
    is_deeply(settings('acme'), {}, 'the queue does not');
    is(ctl('tenant', 'hold', 'nobody'), 1, 'a tenant that is not there');
    is(ctl('tenant', 'hold'), 2, 'none');
};

subtest 'lane hold, release, list' => sub {
    my $queue = Setter::Queue->new($redis, tag => 'mm');
    my $lane = 'acme/conv/x:-:15550100';
    $queue->append(id => 'held', lane => $lane);
    is(ctl('lane', 'hold', $lane), 0, 'hold') or diag $err;
    is_deeply($queue->claim->{turns}, [], 'it is not handed out');
    is(ctl('lane', 'hold', $lane), 1, 'once more');
    like($err, qr/held already/, 'says so');

    $postgres->as_tenant('other', "INSERT INTO conversations (tenant, lane,
        window_until, taken_over) VALUES ('other', 'other/conv/y', now(),
        true), ('other', 'other/conv/z', now(), false)");
    ctl('--json', 'lane', 'list');
    is_deeply([map { "$_->{lane} $_->{held} $_->{taken_over}" } @{ json() }],
        ["$lane 1 0", 'other/conv/y 0 1'], 'lanes of both causes');
    ctl('--json', 'lane', 'list', 'acme');
    is(@{ json() }, 1, "or a tenant's");

    is(ctl('lane', 'release', $lane), 0, 'release');
    is($queue->claim->{turns}[0]{lane}, $lane, 'it is handed out');
    is(ctl('lane', 'release', $lane), 1, 'once more');
    like($err, qr/not held/, 'says so');
    $redis->flushall;
    is(ctl('lane', 'hold', $lane), 0, 'held again');
    $redis->flushall;
    is(ctl('lane', 'hold', $lane), 0, 'one that only the record knows');
    is_deeply([$redis->zrange($queue->key('held'), 0, -1)], [$lane],
        'is told once more');
    is(ctl('lane', 'release', $lane), 0, 'released');

    for ('acme', 'acme/conv', 'acme/conv/', 'Acme/conv/x', "acme/conv/\n",
         '/conv/x', 'acme//x', 'acme/conv/' . 'x' x 512) {
        is(ctl('lane', 'hold', $_), 1, 'no lane');
        like($err, qr/is not a lane/, 'said');
    }
};

subtest 'what is recorded but not told' => sub {
    $redis->acl('SETUSER', 'default', '-fcall');
    is(ctl('tenant', 'hold', 'acme'), 1, 'Redis does not take it');
    like($err, qr/recorded, but not in effect.*Run it again/, 'said');
    is(ctl('lane', 'hold', 'acme/conv/x'), 1, 'nor a lane');
    like($err, qr/recorded, but not in effect/, 'said');
    $redis->acl('SETUSER', 'default', '+fcall');
    ctl('--json', 'tenant', 'show', 'acme');
    ok(json()->[0]{held}, 'it is on record');
    is(ctl('tenant', 'release', 'acme'), 0, 'and can be undone');
    is(ctl('lane', 'release', 'acme/conv/x'), 0, 'so can the lane');
};

subtest 'worker list' => sub {
    $redis->flushall;
    is(ctl('worker', 'list'), 0, 'none');
    is($out, "none\n", 'said');
    my $queue = Setter::Queue->new($redis, tag => 'mm', worker => 'a"1');
    $redis_server->load_library($redis);
    $queue->append(id => $_, lane => "acme/conv/$_") for 1, 2;
    $queue->claim(slots => 5);
    is(ctl('--json', 'worker', 'list'), 0, 'one');
    my ($worker) = @{ json() };
    is_deeply([@$worker{qw(name turns slots)}], ['a"1', 2, 5],
        'with what it has in hand');
    ok($worker->{age_ms} < 60000, 'seen just now');
    is(ctl('worker', 'list'), 0, 'as a table');
    like($out, qr/^a"1 +1\.\d+ +2 +5 +\d+$/m, 'a line each');
    is(ctl('worker', 'list', 'x'), 2, 'no more words');
    $redis->flushall;
};

subtest 'depth' => sub {
    my $queue = Setter::Queue->new($redis, tag => 'mm');
    $redis_server->load_library($redis);
    $queue->append(id => 1, lane => 'acme/conv/a', debounce_ms => 60000);
    $queue->append(id => $_, lane => "other/conv/$_") for 2, 3;
    $queue->claim(slots => 1);
    $queue->append(id => 4, lane => 'acme/conv/d');

    is(ctl('--json', 'depth'), 0, 'as JSON');
    my $depth = json();
    is_deeply($depth->{tenants}, [
        { tenant => 'other', waiting => 1, in_flight => 1 },
        { tenant => 'acme', waiting => 1, in_flight => 0 },
    ], 'tenants') or diag $out;
    is_deeply([@$depth{qw(inbox waiting ready due leased later)}],
        [1, 2, 1, 1, 1, 0], 'by state');
    is(ctl('depth'), 0, 'as a table');
    like($out, qr/^waiting +2$/m, 'counts');
    like($out, qr/^acme +1 +0$/m, 'tenants');
    is(ctl('--json', 'depth', 'acme', 'none'), 0, 'of tenants named');
    is_deeply([map { $_->{tenant} } @{ json()->{tenants} }], [qw(acme none)],
        'these');
};

subtest 'a look does not say how many partitions there are' => sub {
    $redis->flushall;
    is ctl('SETTER_PARTITIONS=4', 'depth'), 0, 'a new Redis can be asked';
    is_deeply [ grep { /:layout$/ } $redis->keys('*') ], [], 'and stays new';
};

subtest 'depth of partitions' => sub {
    $redis->flushall;
    $redis->set('setter:{mm}:layout', '1 4');       # as workers do
    is(ctl('SETTER_PARTITIONS=4', '--json', 'depth'), 0, 'four');
    for my $tag (qw(mm cs si bk)) {
        my $queue = Setter::Queue->new($redis, tag => $tag);
        $queue->append(id => $_, lane => "t-$tag/conv/$_",
            received_ms => $queue->now - 100_000) for 1 .. 3;
        $queue->claim(slots => 0);
    }
    ctl('SETTER_PARTITIONS=4', '--json', 'depth');
    is(json()->{waiting}, 12, 'are added up') or diag $out;
    is(@{ json()->{tenants} }, 4, 'with their tenants');
    is(json()->{workers}, 1, 'a worker claims in all of them');
    ok(json()->{oldest_ms} >= 100_000 && json()->{oldest_ms} < 200_000,
        'the oldest of all');

    # one tenant lives in one partition: the others' are not asked for
    ctl('SETTER_PARTITIONS=4', '--json', 'depth', 'acme');
    is_deeply([map { $_->{tenant} } @{ json()->{tenants} }], ['acme'],
        'only who is named');
    is(ctl('depth'), 1, 'another number of partitions');
    like($err, qr/holds layout and partitions "1 4"/, 'is refused');
    $redis->flushall;
};

subtest 'tail' => sub {
    my $queue = Setter::Queue->new($redis, tag => 'mm');
    local %ENV = (PATH => $ENV{PATH}, %env);
    $queue->append(id => 'before', lane => 'acme/conv/a');
    $redis->xadd($queue->key('inbox'), '*', h => $queue->header(id => 'x',
        tenant => 'acme', lane => 'acme/conv/a'));
    $redis->xadd($queue->key('inbox'), '*', h => '', j => '');
    my $text = '';
    my $run = IPC::Run::start([$program, 'tail'], \undef, \$text, \$err,
        IPC::Run::timeout(30));
    my $await = sub {
        my ($pattern) = @_;
        $run->pump until $text =~ $pattern;
        pass("shown: $pattern");
    };

    $await->(qr/ before +message +acme\/conv\/a\n/);
    $queue->append(id => 'second', lane => 'acme/conv/b', kind => 'status');
    $await->(qr/ second +status +acme\/conv\/b\n/);
    $queue->append(id => "third$_", lane => 'acme/conv/b') for 1 .. 3;
    $await->(qr/third1.*third2.*third3.*\n/s);
    is(() = $text =~ /\n/g, 5, 'each once, and only jobs');
    $redis_server->stop('KILL');
    $run->finish;
    is($run->result, 1, 'ends without Redis');
    $redis_server->run;
    $redis = $redis_server->client;
};

subtest 'job show, dead list' => sub {
    my $id = '00000000-0000-7000-8000-00000000000';
    $postgres->as_tenant('acme', <<"SQL");
        INSERT INTO conversations (tenant, lane, window_until)
            VALUES ('acme', 'acme/conv/a', now());
        INSERT INTO jobs (tenant, id, kind, lane, status, reason, attempts,
                          turn, payload, received_at) VALUES
            ('acme', '${id}1', 'message', 'acme/conv/a', 'done', NULL, 1,
             '${id}1', '{}', now()),
            ('acme', '${id}2', 'message', 'acme/conv/a', 'dead',
             E'broke\nin two', 8, NULL, '{}', now());
        INSERT INTO messages (tenant, id, lane, direction, state, turn,
                              provider, address, text) VALUES
            ('acme', '${id}1', 'acme/conv/a', 'in', 'received', NULL, 'x',
             '1', 'hello'),
            ('acme', '${id}9', 'acme/conv/a', 'out', 'sent', '${id}1', 'x',
             '1', 'hi there');
SQL
    $postgres->as_tenant('other', <<"SQL");
        INSERT INTO jobs (tenant, id, kind, lane, status, payload,
                          received_at)
            VALUES ('other', '${id}3', 'message', 'other/conv/a', 'dead',
                    '{}', now());
SQL

    is(ctl('--json', 'job', 'show', "${id}1"), 0, 'show') or diag $err;
    is(json()->{job}[0]{status}, 'done', 'the job');
    is_deeply([map { [@$_{qw(direction state text)}] }
        @{ json()->{messages} }],
        [[in => received => 'hello'], [out => sent => 'hi there']],
        'and what was said');
    is(ctl('job', 'show', "${id}1"), 0, 'as tables');
    like($out, qr/\Q${id}1\E .*done.*hello.*hi there/s, 'all of it');
    is(ctl('job', 'show', "${id}7"), 1, 'a job that is not there');
    like($err, qr/no worker has taken/, 'said');
    is(ctl('job', 'show', 'x'), 1, 'what is no id');

    is(ctl('--json', 'dead', 'list'), 0, 'dead');
    is_deeply([sort map { "$_->{tenant} $_->{attempts}" } @{ json() }],
        ['acme 8', 'other 0'], 'of all tenants');
    is(ctl('dead', 'list', 'acme'), 0, 'of one');
    like($out, qr/broke in two/, 'a line a job');
    unlike($out, qr/^.*other/m, 'and no other');
    is(ctl('dead', 'list', 'none'), 0, 'of none');
    is($out, "none\n", 'said');
};

# A dead job of the tenant; more: columns of the jobs table, as SQL.
my $serial = 0x100;

sub dead_job {
    my ($tenant, $reason, %more) = @_;
    my $id = sprintf '00000000-0000-7000-8000-%012x', $serial++;
    my %row = (id => "'$id'", kind => "'message'", status => "'dead'",
        lane => "'$tenant/conv/a'", reason => "'$reason'", tenant =>
        "'$tenant'", payload => qq('{"id":"$id","text":"hi"}'),
        received_at => "to_timestamp(1790000000 + $serial)",
        attempts => 8, %more);
    my @columns = sort keys %row;

    $postgres->as_tenant($tenant, 'INSERT INTO jobs (' . join(',', @columns)
        . ') VALUES (' . join(',', @row{@columns}) . ')');
    return $id;
}

sub reply_of {
    my ($tenant, $turn, $state) = @_;
    my $id = sprintf '00000000-0000-7000-8000-%012x', $serial++;

    $postgres->as_tenant($tenant, "INSERT INTO conversations (tenant, lane,
        window_until) VALUES ('$tenant', '$tenant/conv/a', now())
        ON CONFLICT DO NOTHING; INSERT INTO messages (tenant, id, lane,
        direction, state, turn, provider, address, text, error) VALUES
        ('$tenant', '$id', '$tenant/conv/a', 'out', '$state', '$turn', 'x',
        '1', 'hi', 'why')");
    return $id;
}

# What was appended since the last look, as lines of headers.
sub appended {
    my @lines = map { {@{ $_->[1] }}->{h} }
        $redis->xrange('setter:{mm}:inbox', '-', '+');

    $redis->del('setter:{mm}:inbox');
    return @lines;
}

subtest 'dead requeue' => sub {
    $redis->flushall;
    $postgres->sql('system', 'DELETE FROM jobs');
    my ($one, $two, $busy) = (dead_job(acme => 'the worker was lost'),
        dead_job(acme => '500 server_error'),
        dead_job(other => '500 server_error'));

    is(ctl('dead', 'requeue', $one), 0, 'one') or diag $err;
    is($out, "requeued 1\n", 'says so');
    my ($line) = appended();
    is($line, "1\t$one\tacme\tmessage\tacme/conv/a\t"
        . (1790000000 + 0x101) * 1000 . "\t300\t3000\t0\tagain",
        'it is appended with leave to come again');
    is($postgres->value('system', "SELECT status || attempts || reason FROM
        jobs WHERE id = '$one'"), 'queued0requeued', 'and queued on record');
    is(ctl('dead', 'requeue', $one), 1, 'once more');
    like($err, qr/there is no dead job \Q$one/, 'says so');
    is_deeply([appended()], [], 'does nothing');

    is(ctl('--json', 'dead', 'requeue', '--tenant', 'acme'), 0, 'a tenant');
    is_deeply(json(), { requeued => 1, answered => 0 }, 'as JSON');
    like((appended())[0], qr/^1\t\Q$two\E\t/, 'only that');
    is(ctl('dead', 'requeue', '--reason=500', '--tenant=acme'), 0, 'none');
    is($out, "requeued 0\n", 'says so');
    is(ctl('dead', 'requeue', '--reason', '500 '), 0, 'by reason');
    like((appended())[0], qr/^1\t\Q$busy\E\tother\t/, 'of any tenant');

    my @many = map { dead_job(acme => 'many') } 1 .. 250;
    ctl('dead', 'requeue', '--reason', 'many');
    is($out, "requeued 250\n", 'more than one page');
    is_deeply([map { (split /\t/)[1] } appended()], \@many,
        'in the order received');

    is(ctl('dead', 'requeue'), 2, 'nothing named');
    is(ctl('dead', 'requeue', @$_), 2, "called wrongly: @$_")
        for ['--tenant'], ['--tenant='], ['--reason', ''], ['--nonsense'],
            [$one, $two], ['--tenantx', 'acme'];
    is(ctl('dead', 'requeue', 'x'), 1, 'what is no id');
};

subtest 'dead requeue: what was answered' => sub {
    my %jobs = map { $_ => dead_job(acme => 'given up') }
        qw(failed sent unknown composed sending);
    my %replies = map { $_ => reply_of(acme => $jobs{$_}, $_) } keys %jobs;
    my $with = dead_job(acme => 'given up', turn => "'$jobs{sent}'");

    is(ctl('dead', 'requeue', $jobs{unknown}), 1, 'one that may have been');
    like($err, qr/1 not requeued: their reply was sent, or may have been/,
        'is told');
    is(ctl('--json', 'dead', 'requeue', '--tenant', 'acme'), 1, 'all');
    is_deeply(json(), { requeued => 1, answered => 5 }, 'but one');
    like((appended())[0], qr/^1\t\Q$jobs{failed}\E\t/, 'whose reply failed');
    is_deeply([map { $_->[0] } $postgres->sql('system', "SELECT id FROM
        messages WHERE set_aside")], [$replies{failed}],
        'which is set aside');
    ctl('--json', 'job', 'show', $jobs{failed});
    is(json()->{messages}[0]{id}, $replies{failed}, 'and still shown');
};

subtest 'dead requeue: odd envelopes' => sub {
    my $text = dead_job(acme => 'odd', payload => q('"{no JSON"'));
    my $liar = dead_job(acme => 'odd', payload => q('{"id":"order-8"}'));

    ctl('dead', 'requeue', '--reason', 'odd');
    my %entries = map { my %f = @{ $_->[1] }; (split /\t/, $f{h})[1], $f{j} }
        $redis->xrange('setter:{mm}:inbox', '-', '+');
    is($entries{$text}, '{no JSON', 'kept text is text again');
    is($entries{$liar}, '{"id": "order-8"}',
        'a name that the id is not made from is not believed');
    is(keys %entries, 2, 'all are there');
};

subtest 'dead requeue: Redis refuses' => sub {
    $postgres->sql('system', 'DELETE FROM jobs');
    my $id = dead_job(acme => 'x');
    $redis->acl('SETUSER', 'default', '-xadd');
    is(ctl('dead', 'requeue', $id), 1, 'fails');
    like($err, qr/queued on record, and workers bring them back/, 'says so');
    $redis->acl('SETUSER', 'default', '+xadd');
    is($postgres->value('system', "SELECT status FROM jobs
        WHERE id = '$id'"), 'queued', 'it is');
};

subtest 'job unknown, job settle' => sub {
    my $turn = dead_job(acme => 'x', status => "'done'");
    my ($one, $two, $sent) = map { reply_of(acme => $turn =~
        s/.$/$_/r, $_ eq 'c' ? 'sent' : 'unknown') } qw(a b c);
    reply_of(other => $turn, 'unknown');

    is(ctl('--json', 'job', 'unknown', 'acme'), 0, 'unknown');
    my %listed = map { $_->{id} => 1 } @{ json() };
    ok($listed{$one} && $listed{$two} && !$listed{$sent}, "a tenant's");
    ctl('--json', 'job', 'unknown');
    is((grep { $_->{tenant} eq 'other' } @{ json() }), 1, 'or all');

    is(ctl('job', 'settle', $one, 'sent'), 0, 'settled as sent');
    is(ctl('job', 'settle', $two, 'failed'), 0, 'or failed');
    is_deeply([map { "@$_" } $postgres->sql('system', "SELECT state,
        sent_at IS NOT NULL, coalesce(error, '-') FROM messages
        WHERE id IN ('$one', '$two') ORDER BY id")],
        ['sent t -', 'failed f a person says so'], 'on record');
    is(ctl('job', 'settle', $one, 'failed'), 1, 'not twice');
    like($err, qr/the reply is sent, not unknown/, 'says so');
    is(ctl('job', 'settle', $turn, 'sent'), 1, 'a job is no message');
    like($err, qr/there is no reply \Q$turn/, 'says so');
    is(ctl('job', 'settle', 'x', 'sent'), 1, 'what is no id');
    is(ctl('job', 'settle', $one, 'lost'), 2, 'what is no state');
};

subtest 'doctor' => sub {
    local $env{SETTER_ADMIN_DATABASE_URL} = $migrated;

    is(ctl('--json', 'doctor'), 0, 'well') or diag $out, $err;
    like(doctor('redis'), qr/^ok the append-only file is on$/m, 'redis');
    like(doctor('workers'), qr/^warn no worker is alive: start/m, 'no worker');
    Setter::Queue->new($redis, tag => 'mm')->claim;
    like(doctor('workers'), qr/^ok 1 claimed/m, 'one worker');

    like(doctor('instagram'), qr/^warn INSTAGRAM_ACCESS_TOKEN is not set$/m,
        'an account that lacks something');
    like(doctor('instagram', 'INSTAGRAM_ACCESS_TOKEN=x'),
        qr{^ok https://graph\.instagram\.com/v23\.0$}m, 'one that is whole');

    is(ctl('SETTER_REDIS_URL=unix:/nowhere', 'doctor'), 1, 'no Redis');
    like($out, qr/^fail +redis .*check SETTER_REDIS_URL/m, 'says what to do');
    $redis->config('SET', 'maxmemory-policy', 'allkeys-lru');
    is(ctl('doctor'), 1, 'a Redis that evicts');
    like($err, qr/allkeys-lru.*noeviction/, 'says what is wrong');
    $redis->config('SET', 'maxmemory-policy', 'noeviction');
    $redis->config('SET', 'appendonly', 'no');
    like(doctor('redis'), qr/^warn .*set appendonly yes/m,
        'no append-only file');

    my $superuser = $postgres->url('postgres');
    like(doctor(database => "SETTER_DATABASE_URL=$superuser"),
        qr/^fail .*row-level security/m, 'a role that sees all tenants');
    my $template = $superuser =~ s{/setter\?}{/template1?}r;
    like(doctor(database => "SETTER_DATABASE_URL=$template"),
        qr/^fail .*run setterctl migrate/m, 'a database without tables');
    is(ctl('SETTER_DATABASE_URL=', 'doctor'), 1, 'no database');
    like($out, qr/^fail +database .*check SETTER_DATABASE_URL/m, 'said');

    is(ctl('OPENAI_BASE_URL=', 'doctor'), 1, 'no key for the model');
    like($out, qr/^fail +model .*OPENAI_API_KEY/m, 'says what to set');
    is(ctl('MANYCHAT_API_KEY=', 'doctor'), 0, 'an account without a key');
    like($out, qr/^warn +manychat .*MANYCHAT_API_KEY/m, 'is a warning');
    like(doctor(model => 'OPENAI_BASE_URL=http://x/"\\'),
        qr{^ok http://x/"\\$}m, 'JSON is escaped');
};

done_testing;
