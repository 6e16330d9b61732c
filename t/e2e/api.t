# The API of tenants, keys, channels and conversations on a whole stack: what
# is set there is in effect, one tenant sees nothing of another, and no secret
# is where it need not be.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use JSON::XS qw(encode_json);
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;
use Time::HiRes qw(sleep);

my $stack = Setter::Stack->new(SETTER_DEBOUNCE => '100ms max=200ms');
my $admin = $stack->env('SETTER_ADMIN_TOKEN');
my $secret = 'EAAG-very-secret-credential';
my $signing = 'app-secret-of-acme-alone';

# Asks as who has that token; body is data.  The answer, its content as data.
sub api {
    my ($token, $method, $path, $body, %headers) = @_;
    $headers{Authorization} = "Bearer $token" if defined $token;
    my $answer = $stack->request($method,
        $stack->env('SETTER_URL') . "/api/$path", $body, %headers);
    $answer->{data} = $answer->{json};
    return $answer;
}

sub is_problem {
    my ($answer, $status, $detail, $name) = @_;
    is $answer->{status}, $status, $name;
    is $answer->{headers}{'content-type'}, 'application/problem+json',
        '... as a problem';
    is $answer->{data}{status}, $status, '... that has the status';
    like $answer->{data}{detail} // $answer->{data}{title}, $detail,
        '... and says why';
}

my %key;

subtest 'an administrator adds tenants, with settings' => sub {
    for my $slug (qw(acme globex)) {
        my $answer = api($admin, 'POST', 'tenants',
            { slug => $slug, name => ucfirst $slug, cap => 7, held => \0 });
        is $answer->{status}, 201, "$slug is added";
        is $answer->{headers}{location}, "/api/tenants/$slug", 'is there';
        ok $answer->{headers}{etag}, 'has a version';
        is_deeply [@{ $answer->{data} }{qw(slug status cap name guard held)}],
            [$slug, 'active', 7, ucfirst $slug, 60, JSON::XS::false],
            'is as said';
        ok $stack->redis->sismember('setter:{mm}:known', $slug),
            'nginx knows it';
    }

    is_problem(api($admin, 'POST', 'tenants', { slug => 'acme', cap => 9 }),
        409, qr/already/, 'not twice');
    is api($admin, 'GET', 'tenants/acme')->{data}{cap}, 7,
        'and what it has stays';
};

subtest 'what is wrong is named, and nothing is done' => sub {
    for my $case (
        [{ slug => 'Acme' }, 'slug'], [{ slug => 1 }, 'slug'], [{}, 'slug'],
        [{ slug => 'x', colour => 'red' }, 'colour'],
        [{ slug => 'x', cap => 0 }, 'cap'],
        [{ slug => 'x', cap => '7' }, 'cap'],
        [{ slug => 'x', cap => 1.5 }, 'cap'],
        [{ slug => 'x', worker => 'theirs' }, 'worker'],
        [{ slug => 'x', name => 'x' x 201 }, 'name'],
        [{ slug => 'x', name => ['x'] }, 'name'],
        [{ slug => 'x', model => 'a b' }, 'model'],
        [{ slug => 'x', time_zone => 'Europe/Atlantis' }, 'time_zone'],
        [{ slug => 'x', window_policy => 'wait' }, 'window_policy'],
        [{ slug => 'x', window_template => 'a/b/c' }, 'window_template'],
        [{ slug => 'x', status => 'seen' }, 'status'],
        [{ slug => 'x', held => 'yes' }, 'held'],
    ) {
        my $answer = api($admin, 'POST', 'tenants', $case->[0]);
        is_problem($answer, 422, qr/./, encode_json($case->[0]));
        is $answer->{data}{errors}[0]{field}, $case->[1], '... by its field';
    }
    is_problem(api($admin, 'POST', 'tenants', '{"slug":"x","slug":"x"}'), 400,
        qr/duplicate/, 'a body that is no JSON');
    is_problem(api($admin, 'GET', 'tenants/x'), 404, qr/Not Found/, 'no x');
    is_problem(api($admin, 'DELETE', 'tenants/acme'), 405, qr/Not Allowed/,
        'nobody is deleted');
    is_problem(api($admin, 'GET', 'tenants?limit=0'), 400, qr/limit/, 'limit');
    is_problem(api($admin, 'GET', 'tenants?what=1'), 400, qr/"what"/, 'what');
    is_problem(api($admin, 'PATCH', 'tenants/acme', { slug => 'b' }), 422,
        qr/cannot be changed/, 'slug');
    is_problem(api(undef, 'GET', 'tenants'), 401, qr/./, 'nobody');
    is_problem(api('x', 'GET', 'tenants'), 401, qr/./, 'somebody');
    is_problem(api($admin, 'PATCH', 'tenants/acme', { name => 'x' x 70_000 }),
        413, qr/large/, 'too much');
};

subtest 'a page of tenants after the other' => sub {
    api($admin, 'POST', 'tenants', { slug => "page-$_" }) for 1 .. 5;
    my (@slugs, $next);
    do {
        my $page = api($admin, 'GET', 'tenants?limit=2&status=active'
            . ($next ? "&after=$next" : ''))->{data};
        push @slugs, map { $_->{slug} } @{ $page->{tenants} };
        $next = $page->{next};
    } while $next;
    is_deeply [grep { /^(?:page|acme|globex)/ } @slugs],
        [qw(acme globex), map { "page-$_" } 1 .. 5], 'all of them, once';
};

subtest 'a change says which version it is of' => sub {
    my $first = api($admin, 'GET', 'tenants/acme')->{headers}{etag};
    my $changed = api($admin, 'PATCH', 'tenants/acme', { cap => 8 },
        'If-Match' => $first);
    is $changed->{status}, 200, 'with the one that it has';
    is $changed->{data}{cap}, 8, 'it is set';
    isnt $changed->{headers}{etag}, $first, 'and is another version';
    is $stack->redis->hget('setter:{mm}:tenant:acme', 'cap'), 8,
        'the queue goes by it';

    is_problem(api($admin, 'PATCH', 'tenants/acme', { cap => 9, held => \1 },
        'If-Match' => $_), 412, qr/changed since/, "not with $_")
        for $first, '"x"', 'x';
    my $now = api($admin, 'GET', 'tenants/acme')->{data};
    is_deeply [@$now{qw(cap held)}], [8, JSON::XS::false], 'none of it';
    is api($admin, 'PATCH', 'tenants/acme', { cap => undef },
        'If-Match' => '*')->{data}{cap}, 200, 'null is the default';
};

subtest 'keys: made, in effect, revoked' => sub {
    for my $slug (qw(acme globex)) {
        my $made = api($admin, 'POST', "tenants/$slug/keys",
            { name => 'own' });
        is $made->{status}, 201, "a key of $slug";
        $key{$slug} = $made->{data}{key};
        like $key{$slug}, qr/^stk_${slug}_/, 'is shown';
    }
    is api($key{acme}, 'GET', 'tenants/acme')->{data}{slug}, 'acme',
        'is good at once';

    my $more = api($key{acme}, 'POST', 'tenants/acme/keys')->{data};
    is api($more->{key}, 'GET', 'tenants/acme')->{status}, 200,
        'who has one makes others';
    is_deeply [map { $_->{ending} }
        @{ api($key{acme}, 'GET', 'tenants/acme/keys')->{data}{keys} }],
        [map { substr $_, -4 } $key{acme}, $more->{key}],
        'which are listed by how they end';
    is api($key{acme}, 'DELETE', "tenants/acme/keys/$more->{id}")->{status},
        204, 'and revoked';
    ok $stack->wait_for('nginx to refuse it', 5, sub {
        api($more->{key}, 'GET', 'tenants/acme')->{status} == 401 }),
        'in effect soon';
    is_problem(api($key{acme}, 'DELETE', 'tenants/acme/keys/4711'), 404,
        qr/Not Found/, 'no such key');
    is_problem(api($key{acme}, 'POST', 'tenants/acme/keys',
        { name => 'x' x 101 }), 422, qr/name/, 'no such name');
};

subtest 'a tenant sets what is its own to set' => sub {
    is api($key{acme}, 'PATCH', 'tenants/acme',
        { prompt => 'Be kind.', retention_days => 30, typing => 'off' }
    )->{data}{prompt}, 'Be kind.', 'its prompt';
    is_problem(api($key{acme}, 'PATCH', 'tenants/acme', { @$_ }), 403,
        qr/$_->[0].*administrator/, "not $_->[0]")
        for [cap => 9], [quota_day => 0], [weight => 2], [status => 'active'],
            [held => \0];
    is_problem(api($key{acme}, 'POST', 'tenants', { slug => 'third' }), 403,
        qr/administrator/, 'nor another tenant');
};

my %channel;

subtest 'channels: added, in effect, secrets nowhere' => sub {
    my $made = api($key{acme}, 'POST', 'channels', { provider => 'meta',
        address => '106540352242922', credential => $secret,
        signing => $signing, preferred => \1 });
    is $made->{status}, 201, 'is added' or diag $made->{content};
    $channel{acme} = $made->{data}{id};
    is $made->{headers}{location}, "/api/channels/$channel{acme}", 'is there';
    is_deeply [@{ $made->{data} }{qw(tenant provider credential signing)}],
        ['acme', 'meta', JSON::XS::true, JSON::XS::true],
        'is shown without its secrets';

    $channel{globex} = api($admin, 'POST', 'channels?tenant=globex',
        { provider => 'infobip', address => '15550100', })->{data}{id};
    is_deeply [map { $_->{tenant} } @{ api($admin, 'GET',
        "channels?tenant=$_")->{data}{channels} }], [$_],
        "an administrator names $_" for qw(acme globex);
    is_problem(api($admin, 'GET', 'channels'), 404, qr/tenant/i, 'or nobody');

    my $body = encode_json({ object => 'whatsapp_business_account', entry => [
        { id => '1', changes => [ { field => 'messages', value => {
            messaging_product => 'whatsapp',
            metadata => { phone_number_id => '106540352242922' },
            messages => [ { id => 'wamid.api', type => 'text',
                from => '15550100123', timestamp => time,
                text => { body => 'By our own secret' } } ] } } ] } ] });
    is $stack->post('/webhook/meta/acme', $body, 'X-Hub-Signature-256' =>
        'sha256=' . hmac_sha256_hex($body, $signing))->{status}, 200,
        'its own secret signs webhooks';
    my ($sent) = $stack->wait_sent_to('15550100123', 1);
    is $sent->{from}, '106540352242922', 'it is answered from its number';
    is $sent->{text}, 'By our own secret', 'in full';
};

subtest 'a channel is changed and removed' => sub {
    my $path = "channels/$channel{acme}";
    my $etag = api($key{acme}, 'GET', $path)->{headers}{etag};
    my $changed = api($key{acme}, 'PATCH', $path,
        { account => 'AC1', signing => undef }, 'If-Match' => $etag);
    is_deeply [@{ $changed->{data} }{qw(account signing credential)}],
        ['AC1', JSON::XS::false, JSON::XS::true], 'is changed';
    is_problem(api($key{acme}, $_->[0], $path, $_->[1], 'If-Match' => $etag),
        412, qr/changed since/, "$_->[0] of an old version")
        for [PATCH => { account => 'AC2' }], ['DELETE'];
    is_problem(api($key{acme}, 'PATCH', $path, { @$_ }), 422, qr/./,
        "not $_->[0]")
        for [account => 'a b'], [base_url => 'ftp://x'], [preferred => 1],
            [credential => "a\nb"], [address => '1'], [colour => 'red'];
    is_problem(api($key{acme}, 'POST', 'channels',
        { provider => $_->[0], address => $_->[1] }), $_->[2], qr/./,
        "no $_->[0] $_->[1]")
        for ['fax', '1', 422], ['meta', 'a b', 422],
            ['meta', '106540352242922', 409];
    is api($key{acme}, 'DELETE', $path)->{status}, 204, 'is removed';
    is_problem(api($key{acme}, 'GET', $path), 404, qr/Not Found/, 'is gone');
    is $stack->redis->hget('setter:{mm}:channels', 'meta/106540352242922'),
        undef, 'nobody\'s number';
};

# Messages to a number are whose it is: that is not for a tenant to say.
subtest 'a number is a tenant\'s when an administrator has confirmed it' =>
sub {
    my $owner = sub { $stack->redis->hget('setter:{mm}:channels', $_[0]) };
    my %made = map { $_ => api($key{acme}, 'POST', 'channels',
        { provider => 'infobip', address => $_, account => 'A' })->{data} }
        qw(15550100 15550177);
    is $made{$_}{confirmed}, JSON::XS::false, "$_ may be said to be one's own"
        for sort keys %made;
    is $owner->('infobip/15550100'), 'globex', 'but stays another\'s';
    is $owner->('infobip/15550177'), undef, 'or nobody\'s';
    is_problem(api($key{acme}, 'PATCH', "channels/$made{15550177}{id}",
        { confirmed => \1 }), 403, qr/administrator/, 'not for it to say');
    is_problem(api($admin, 'PATCH',
        "channels/$made{15550100}{id}?tenant=acme", { confirmed => \1 }),
        422, qr/another tenant/, 'nor twice for anybody');
    is api($admin, 'PATCH', "channels/$made{15550177}{id}?tenant=acme",
        { confirmed => \1 })->{data}{confirmed}, JSON::XS::true,
        'an administrator says so';
    is $owner->('infobip/15550177'), 'acme', 'and it is';
    is api($key{acme}, 'DELETE', "channels/$made{$_}{id}")->{status}, 204,
        "$_ is removed" for sort keys %made;
    is $owner->('infobip/15550100'), 'globex', 'the other\'s is the other\'s';
    is $owner->('infobip/15550177'), undef, 'this is nobody\'s';
};

subtest 'who does not exist has no keys and channels' => sub {
    is_problem(api($admin, 'POST', 'tenants/nobody/keys', {}), 404,
        qr/no such tenant/, 'a key');
    is_problem(api($admin, 'POST', 'channels?tenant=nobody',
        { provider => 'meta', address => '1' }), 404, qr/no such tenant/,
        'a channel');
    is_problem(api($admin, 'POST', 'tenants', { slug => 'setter' }), 422,
        qr/own/, 'and nobody has the name that calls have');
};

subtest 'one tenant does not get at another' => sub {
    my ($conversation) = @{ api($key{acme}, 'GET',
        'conversations')->{data}{conversations} };
    my $id = $conversation->{id};
    ok $id, 'acme has a conversation';

    for my $case (['GET', 'tenants/acme'], ['PATCH', 'tenants/acme', {}],
        ['GET', 'tenants/acme/keys'], ['POST', 'tenants/acme/keys', {}],
        ['DELETE', 'tenants/acme/keys/1'],
        ['GET', "conversations/$id"],
        ['POST', "conversations/$id/takeover"],
        ['POST', "conversations/$id/release"],
        ['GET', "channels/$channel{acme}"]) {
        is_problem(api($key{globex}, @$case), 404, qr/Not Found/, "@$case");
    }
    my $path = "channels/$channel{globex}";
    is_problem(api($key{acme}, @$_), 404, qr/Not Found/, "@$_")
        for ['GET', $path], ['PATCH', $path, { account => 'x' }],
            ['DELETE', $path];
    for my $case (['GET', 'channels?tenant=globex'],
        ['GET', 'conversations?tenant=globex'],
        ['POST', 'channels?tenant=globex',
            { provider => 'meta', address => '1' }],
        ['POST', 'channels', { provider => 'meta', address => '1',
            tenant => 'globex' }]) {
        is_problem(api($key{acme}, @$case), 403, qr/another tenant/,
            "@$case");
    }
    is_deeply [map { $_->{slug} } @{ api($key{globex}, 'GET',
        'tenants')->{data}{tenants} }], ['globex'], 'lists itself alone';
    is_deeply api($key{globex}, 'GET', 'conversations')->{data}{conversations},
        [], 'has no conversation';
    is scalar @{ api($admin, 'GET',
        'conversations?tenant=acme')->{data}{conversations} }, 1,
        'an administrator sees it';
};

subtest 'who is held is asked about all the same' => sub {
    is api($admin, 'PATCH', 'tenants/globex', { held => \1 }
    )->{data}{held}, JSON::XS::true, 'is held';
    is api($key{globex}, 'GET', 'conversations')->{status}, 200,
        'its own key is answered';
    is api($admin, 'PATCH', 'tenants/globex', { held => \0 }
    )->{data}{held}, JSON::XS::false, 'and it is released';
};

subtest 'openapi.json tells all of it' => sub {
    my $told = JSON::XS->new->decode(Setter::Stack::slurp(
        Setter::Stack::root() . '/nginx/openapi.json'));
    my $schema = $told->{components}{schemas};
    my %is = (Tenant => api($admin, 'GET', 'tenants/acme')->{data},
        Key => api($admin, 'GET', 'tenants/acme/keys')->{data}{keys}[0],
        Channel => api($admin, 'GET', "channels/$channel{globex}"
            . '?tenant=globex')->{data},
        Conversation => api($admin, 'GET', 'conversations?tenant=acme'
            )->{data}{conversations}[0]);
    $is{Message} = $is{Conversation}{last_message};
    is_deeply [sort keys %{ $schema->{$_}{properties} }],
        [sort keys %{ $is{$_} }], "what a $_ has" for sort keys %is;

    for my $path (sort keys %{ $told->{paths} }) {
        (my $url = $path) =~ s/\{slug\}/acme/;
        $url =~ s/\{id\}/$path =~ m{channels|keys} ? 4711
            : '019ab000-0000-7000-8000-00000000000a'/e;
        my %has = map { uc($_) => 1 } grep { $_ ne 'parameters' }
            keys %{ $told->{paths}{$path} };
        for my $method (qw(GET POST PATCH DELETE)) {
            my $answer = api($admin, $method, substr($url, 5)
                . '?tenant=acme', $method eq 'POST' ? { no => 1 }
                    : $method eq 'PATCH' ? {} : undef);
            is $answer->{status} == 405 ? 1 : 0, $has{$method} ? 0 : 1,
                "$method $path";
        }
    }
};

subtest 'who is suspended is let in no more' => sub {
    is api($admin, 'PATCH', 'tenants/globex', { status => 'suspended' }
    )->{data}{status}, 'suspended', 'is suspended';
    ok !$stack->redis->sismember('setter:{mm}:known', 'globex'),
        'nginx knows it no more';
    is api($admin, 'PATCH', 'tenants/globex', { status => 'active' }
    )->{data}{status}, 'active', 'and is active again';
};

subtest 'no secret is where it need not be' => sub {
    sleep 1;    # Redis writes its file each second
    my @files = grep { -f } glob($stack->dir . '/redis/* '
        . $stack->dir . '/redis/*/* ' . $stack->dir . '/log/*');
    cmp_ok scalar @files, '>', 3, 'files to look at';
    for my $text ($secret, $signing, $key{acme}) {
        my @with = grep { index(Setter::Stack::slurp($_), $text) >= 0 } @files;
        is "@with", '', 'not "' . substr($text, 0, 12) . '..."';
    }
    my $rows = join ' ', $stack->psql("SELECT coalesce(credential, ''),
        coalesce(signing, '') FROM channels");
    ok index($rows, $secret) < 0 && index($rows, $signing) < 0,
        'nor in the record';
};

done_testing;
