package Setter::Lanes;

# What the tests of the queue's functions share: a Redis, the queue of one
# partition on it, and short words for what they do all the time.

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use Time::HiRes qw(sleep);

use Setter::Queue;
use Setter::Redis;

our @EXPORT = qw($server $redis $queue test no_grace append claim ids lanes
    due rings now_due wait_until avoid_midnight sort_all share lapse slug
    key);

our $server = Setter::Redis->start;
our $redis = $server->client;
our $queue;

# Every test starts from nothing but the library, past the grace of a Redis
# that has just come up.
sub test {
    my ($name, $code, %settings) = @_;

    subtest $name => sub {
        $redis->flushall;
        $server->load_library($redis);
        $queue = Setter::Queue->new($redis, %settings);
        $queue->claim(slots => 0);
        no_grace();
        $code->();
    };
}

sub no_grace { $redis->hset(key('state'), grace => 0) }

sub key { $queue->key($_[0]) }

sub append { $queue->append(lane => 'acme/conv/a', @_) }

sub claim { $queue->claim(@_)->{turns} }

sub ids { [map { $_->{id} } @{ $_[0]{jobs} }] }

sub lanes { [map { $_->{lane} =~ s{.*/}{}r } @{ $_[0] }] }

sub slug { $_[0]{lane} =~ s{/.*}{}r }

sub due { $redis->zscore(key('due'), $_[0] // 'acme/conv/a') }

sub rings { scalar grep { $_ eq '' } @{ $queue->scan->{inbox} } }

# The lane's time comes.
sub now_due { $redis->zadd(key($_[0]), 'XX', 1, $_[1]) }

# Waits until Redis's clock has passed ms.
sub wait_until {
    my ($ms) = @_;
    my $left;

    sleep $left / 1000 while ($left = $ms - $queue->now + 1) > 0;
}

# Where days are counted none may end just then.
sub avoid_midnight {
    my $left = 86_400_000 - $queue->now % 86_400_000;

    wait_until($queue->now + $left) if $left < 20_000;
}

# The leases of these turns end, as if their workers were gone.
sub lapse { $redis->zadd(key('leased'), 'XX', 1, $_->{lane}) for @_ }

sub sort_all {
    $queue->claim(slots => 0) while $redis->xlen(key('inbox'));
}

# How many of the turns each tenant, or each kind, has: { name => turns }.
sub share {
    my ($of, @turns) = @_;
    my %share;

    $share{ $of->($_) }++ for @turns;
    return \%share;
}

1;
