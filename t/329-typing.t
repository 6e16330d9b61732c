#!/usr/bin/perl

# Typing indicators: people see that an answer is being written, and nothing
# of that touches the answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Turns;
use Test::More;

start();
ctl('tenant', 'add', 'acme');

my %meta = (provider => 'meta', to => '100000000000001');

# A message of that provider's, answered after so many ms; how many calls the
# provider had.
sub calls {
    my ($provider, $ms, $behaviour, %more) = @_;
    fresh({ chat => { latency_ms => $ms }, %{ $behaviour // {} } });
    my $lane = "acme/conv/$provider:100000000000001:" . ++$chat;
    wait_job(message($lane, 'Hello', %meta, provider => $provider,
        provider_id => "wamid.$chat", %more), 'done');
    is(scalar @{ texts($lane) }, 1, 'it is answered, once');
    return $sandbox->calls->{$provider}{count};
}

my $worker = worker();

is(calls(meta => 0), 1, 'a quick answer needs no more than itself');
is(calls(meta => 2000), 2, 'a slow one is told of before');
is(calls(meta => 2000, {}, provider_id => undef), 1,
    'a message without an id cannot be shown as read');
is(calls(meta => 2000, { meta => { fail_first => { status => 500,
    count => 1 } } }), 2, 'that it fails is no matter');
is(calls(instagram => 2000, {}, to => '17800000000000123'), 2,
    'Instagram shows it, too');
is(calls(twilio => 2000, {}, to => '15550100399'), 2, 'and Twilio');
is(calls(infobip => 2000, {}, to => '15550100299'), 1,
    'a provider that cannot show it is not asked to');
is((ctl('tenant', 'set', 'acme', 'typing=off'))[0], 0, 'a tenant without');
is(calls(meta => 2000), 1, 'is not shown');
is((ctl('tenant', 'set', 'acme', 'typing=maybe'))[0], 1, 'on or off');

done_testing;
