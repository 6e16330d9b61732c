# One tenant does not get at another: its key on every route that takes one,
# its signature on every webhook, and every command of setterctl that names a
# tenant, with the other's ids.  Nothing of the other's changes, nothing of it
# is told.  The routes of the API are in t/e2e/api.t.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use File::Temp ();
use FindBin;
use JSON::XS qw(encode_json);
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;

my $stack = Setter::Stack->new(SETTER_DEBOUNCE => '100ms max=200ms');
my $redis = $stack->redis;
my $url = $stack->env('SETTER_URL');
my %number = (acme => '106540352242001', globex => '106540352242002');
my %person = (acme => '15550104001', globex => '15550104002');
my $secret = 'globex alone may know this';
my (%key, %signing, @files);

sub file {
    push @files, my $file = File::Temp->new;
    print $file $_[0];
    close $file;
    return "$file";
}

# A message to the tenant's number, signed with its own app's secret, or
# another's, at its URL or another's.
sub whatsapp {
    my ($text, %with) = @_;
    my $body = encode_json({ object => 'whatsapp_business_account', entry => [
        { id => '1', changes => [ { field => 'messages', value => {
            messaging_product => 'whatsapp',
            metadata => { phone_number_id => $number{$with{to}} },
            messages => [ { id => "wamid.$text.$with{to}", type => 'text',
                from => $person{$with{to}}, timestamp => time,
                text => { body => $text } } ] } } ] } ] });
    return $stack->post("/webhook/meta/$with{at}", $body,
        'X-Hub-Signature-256' => 'sha256='
            . hmac_sha256_hex($body, $signing{$with{by}}));
}

for my $slug (qw(acme globex)) {
    $stack->ctl('tenant', 'add', $slug);
    chomp($key{$slug} = $stack->ctl('key', 'add', $slug));
    $signing{$slug} = "app-secret-of-$slug";
    $stack->ctl('channel', 'add', $slug, 'meta', $number{$slug},
        'signing=' . file($signing{$slug}), 'credential='
            . file("token-of-$slug"));
    is whatsapp($slug eq 'globex' ? $secret : 'Hello', to => $slug,
        at => $slug, by => $slug)->{status}, 200, "$slug has a message";
    $stack->wait_sent_to($person{$slug}, 1);
}

my ($lane, $job) = @{ ($stack->psql("SELECT lane, id FROM jobs
    WHERE tenant = 'globex'"))[0] };
$stack->wait_state($job, 'sent');

# All that the other has, but what time alone changes.
sub rows {
    return join "\n", map { my $table = $_; map { join '|', $table,
        map { $_ // '' } @$_ } $stack->psql("SELECT t::text FROM $table AS t
        WHERE " . ($table eq 'tenants' ? 'slug' : 'tenant') . " = 'globex'
        ORDER BY 1") } qw(tenants contacts conversations jobs messages keys
        channels);
}

sub keys_of {
    return join "\n", sort map { my $key = $_; map { "$key $_" }
        $redis->type($key) eq 'hash'
            ? do { my %h = $redis->hgetall($key); map { "$_=$h{$_}" }
                sort keys %h }
        : $redis->type($key) eq 'set' ? $redis->smembers($key)
        : $redis->type($key) eq 'zset' ? $redis->zrange($key, 0, -1) : ()
    } grep { !/:(?:state|worker|workers|seen|reply|pace|inbox)/ }
        $redis->keys('*');
}

my ($rows, $keys) = (rows(), join "\n", grep { /globex/ }
    split /\n/, keys_of());
like $rows, qr/\Q$secret/, 'there is something to see';
like $keys, qr/globex/, 'and to change';

sub untouched {
    my ($name, $told) = @_;
    is rows(), $rows, "$name: its rows are as before";
    is join("\n", grep { /globex/ } split /\n/, keys_of()), $keys,
        "$name: so is what nginx and the queue know";
    unlike $told // '', qr/\Q$secret\E|token-of-globex|app-secret-of-globex/,
        "$name: nothing is told";
}

sub request {
    my ($method, $path, $body) = @_;
    return $stack->request($method, "$url$path", $body,
        Authorization => "Bearer $key{acme}");
}

subtest 'a key is good for its own tenant on every route' => sub {
    for my $case (
        [404, 'GET', "/api/jobs/$job"],
        [403, 'POST', '/messages/send', { to => $person{globex},
            message => 'x', tenant_id => 'globex' }],
        [403, 'POST', '/webhook/inbound', { from => $person{globex},
            message => 'x', tenant_id => 'globex' }],
        (map { [409, 'POST', "/queue/jobs/$job/$_", { token => '1' }] }
            qw(complete fail extend)),
        [204, 'GET', '/queue/next-job?wait=0'],
    ) {
        my ($status, @request) = @$case;
        my $answer = request(@request);
        my $name = "$request[0] $request[1]";
        ok((grep { $answer->{status} == $_ } $status, 404),
            "$name: $answer->{status}") or diag $answer->{content};
        untouched($name, $answer->{content});
    }
};

subtest 'an app of one tenant speaks for no other' => sub {
    is whatsapp('a', to => 'globex', at => 'globex', by => 'acme')->{status},
        401, 'at the other\'s URL its signature is none';
    untouched('signed by another');

    is whatsapp('b', to => 'globex', at => 'acme', by => 'acme')->{status},
        200, 'at its own URL the other\'s number is set aside';
    untouched('to the other\'s number');
};

# What the command printed, with its exit status.
sub ctl {
    my $out = eval { $stack->ctl(@_) } // $@;
    return $out;
}

subtest 'a command that names one tenant touches no other' => sub {
    for my $case (
        ['channel', 'set', 'acme', 'meta', $number{globex}, 'account=x'],
        ['channel', 'add', 'acme', 'meta', $number{globex}],
        ['channel', 'remove', 'acme', 'meta', $number{globex}],
        ['channel', 'send', 'acme', 'meta', $number{globex}, '15550100', 'x'],
        ['channel', 'list', 'acme'], ['key', 'list', 'acme'],
        ['key', 'revoke', 'acme'], ['tenant', 'show', 'acme'],
        ['tenant', 'set', 'acme', 'cap=3', 'prompt='], ['depth', 'acme'],
        ['tenant', 'hold', 'acme'], ['tenant', 'release', 'acme'],
        ['tenant', 'suspend', 'acme'], ['tenant', 'add', 'acme'],
        ['job', 'unknown', 'acme'], ['dead', 'list', 'acme'],
        ['dead', 'requeue', '--tenant', 'acme'], ['lane', 'list', 'acme'],
        ['lane', 'hold', $lane =~ s/^globex/acme/r],
        ['lane', 'takeover', $lane =~ s/^globex/acme/r],
        ['lane', 'handback', $lane =~ s/^globex/acme/r],
        ['lane', 'release', $lane =~ s/^globex/acme/r],
        ['channel', 'remove', 'acme', 'meta', $number{acme}],
    ) {
        my $told = ctl(@$case);
        untouched("@$case", $told);
        unlike $told, qr/globex/, "@$case: it is not even named"
            if $case->[1] =~ /^(?:list|show|unknown)$/;
    }
};

subtest 'the other goes on all the while' => sub {
    is whatsapp('And now?', to => 'globex', at => 'globex', by => 'globex'
        )->{status}, 200, 'its next message is taken';
    is scalar($stack->wait_sent_to($person{globex}, 2)), 2, 'and answered';
    is $stack->request('GET', "$url/api/jobs/$job", undef,
        Authorization => "Bearer $key{globex}")->{status}, 200,
        'its key tells of its job';
};

done_testing;
