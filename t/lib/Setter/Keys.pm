package Setter::Keys;

# Keys of tenants, as "setterctl key add" makes and publishes them.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);

use constant SECRET => '0123456789-abcdefghijklmnop_ABCDEFGHIJKLMNO';

sub key { "stk_$_[0]_" . SECRET }

sub bearer { 'Authorization: Bearer ' . key($_[0]) }

# redis: a Redis.pm handle; the keys of these tenants are good from here on,
# in the only partition or the one of this tag
sub grant {
    my ($redis, $tenants, $tag) = @_;

    $redis->sadd('setter:{' . ($tag // 'mm') . '}:keys',
        "$_/" . sha256_hex(key($_))) for ref $tenants ? @$tenants : $tenants;
}

1;
