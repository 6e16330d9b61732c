# A thousand tenants at once, each with a number of its own at one app of
# Meta's: one URL takes their messages, and each person is answered from the
# number that he wrote to, in order, with nothing of another tenant's.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use JSON::XS qw(encode_json);
use lib "$FindBin::Bin/../lib";
use Setter::Stack;
use Test::More;

use constant { TENANTS => 1000, ROUNDS => 3 };

my $stack = Setter::Stack->new(SETTER_RECONCILE_MS => 1000,
    SETTER_DEBOUNCE => '100ms max=200ms');

sub number { 800_000_000_000 + $_[0] }      # a tenant's
sub person { 15_550_100_000 + $_[0] % 100 } # the same ones write to many

# One body with a message to each of the tenants.
sub say_all {
    my ($round) = @_;
    my $body = encode_json({ object => 'whatsapp_business_account', entry => [
        map { { id => "$_", changes => [ { field => 'messages', value => {
            messaging_product => 'whatsapp',
            metadata => { phone_number_id => '' . number($_) },
            messages => [ { id => "wamid.$round.$_", type => 'text',
                from => '' . person($_), timestamp => time,
                text => { body => "round $round of tenant $_" } } ] } } ] } }
        1 .. TENANTS ] });
    return $stack->post('/webhook/meta', $body, 'X-Hub-Signature-256' =>
        'sha256=' . hmac_sha256_hex($body, $stack->env('META_APP_SECRET')));
}

subtest 'a thousand channels are published' => sub {
    $stack->psql("INSERT INTO channels (tenant, provider, address)
        SELECT 'tenant-' || n, 'meta', 800000000000 + n
        FROM generate_series(1, ${\ TENANTS }) AS n");
    ok $stack->wait_for('nginx to know them', 30, sub {
        $stack->redis->hlen('setter:{mm}:channels') == TENANTS });
};

subtest 'each is answered from its own number, in order' => sub {
    for my $round (1 .. ROUNDS) {
        my $answer = say_all($round);
        is $answer->{status}, 200, "round $round is taken";
        $stack->wait_for('its answers', 60, sub {
            scalar($stack->sent) >= $round * TENANTS });
    }

    my (%texts, @wrong);
    for my $message ($stack->sent) {
        my ($round, $n) = $message->{text} =~ /round (\d) of tenant (\d+)\z/;
        push @wrong, "$message->{from} $message->{to}: $message->{text}"
            if $message->{from} ne number($n)
            || $message->{to} ne person($n)
            || $message->{text} =~ /tenant (?!$n\b)/;
        push @{ $texts{$n} }, $round;
    }
    is_deeply [@wrong[0 .. ($#wrong > 4 ? 4 : $#wrong)]], [],
        'nothing of another tenant\'s';
    is scalar(keys %texts), TENANTS, 'all were answered';
    is_deeply [grep { "@{ $texts{$_} }" ne '1 2 3' } keys %texts], [],
        'each round once, in order';
};

subtest 'a repeat is answered by none' => sub {
    is say_all(1)->{status}, 200, 'taken';
    sleep 2;
    is scalar($stack->sent), ROUNDS * TENANTS, 'nothing more was sent';
};

subtest 'the record keeps them apart' => sub {
    is_deeply [$stack->psql("SELECT count(*), count(DISTINCT tenant)
        FROM messages WHERE direction = 'in'")],
        [ [ROUNDS * TENANTS, TENANTS] ], 'each message is its tenant\'s';
    is_deeply [$stack->psql("SELECT count(*) FROM messages AS m
        WHERE m.text !~ ('tenant ' || substr(m.tenant, 8) || '\$')")],
        [ [0] ], 'and says so itself';
};

done_testing;
