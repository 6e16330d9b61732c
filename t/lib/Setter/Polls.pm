package Setter::Polls;

# What suites of the API for outside workers share: an nginx of the block with
# its routes, a Redis with the queue's functions and tenants whose messages
# are for outside workers.  Everything is exported.

use strict;
use warnings;

use Exporter qw(import);
use JSON::XS;
use Setter::Http;
use Setter::Keys;
use Setter::Queue;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($routes queue until_true poll order say record_all
    outside_tenants master workers_of logged connections left);

our $routes = <<'EOC';
    setter_verify key;
    location = /queue/next-job { setter_api next_job wait=20s; }
    location = /queue/one { setter_api next_job jobs=1; }
    location = /queue/brief {
        setter_api next_job wait=3s lease=2s failures=2;
    }
    location ~ ^/queue/jobs/(?<job>[^/]+)/complete$ {
        setter_api complete id=$job;
    }
    location ~ ^/queue/jobs/(?<job>[^/]+)/fail$ { setter_api fail id=$job; }
    location ~ ^/queue/jobs/(?<job>[^/]+)/extend$ {
        setter_api extend id=$job lease=40s;
    }
    location /health { setter_api health; }
EOC

my $json = JSON::XS->new->utf8->canonical;
my ($n, %queue) = (0);

sub queue {
    my $redis = Setter::Suite::redis();

    return $queue{$redis} //= Setter::Queue->new($redis, tag => 'mm');
}

# For post_setup_server_root: the functions, keys and settings.
sub outside_tenants {
    my @tenants = @_;

    $Setter::Suite::server->load_library(Setter::Suite::redis());
    Setter::Keys::grant(Setter::Suite::redis(), \@tenants);
    queue()->tenant($_, outside => 1) for @tenants;
}

sub until_true {
    my ($condition, $seconds) = @_;
    my $end = time + ($seconds // 15);

    while (time < $end) {
        my $result = $condition->();
        return $result if $result;
        sleep 0.005;
    }
    return;
}

# Starts a poll for the tenant.
sub poll {
    my ($tenant, $uri) = @_;

    return Setter::Http->new(main::server_port_for_client(), 'GET',
        $uri // '/queue/next-job?wait=20', undef, Setter::Keys::bearer($tenant));
}

# What a worker does with a job, { status, json, … }.
sub order {
    my ($tenant, $id, $what, $body) = @_;

    return Setter::Http->new(main::server_port_for_client(), 'POST',
        "/queue/jobs/$id/$what", ref $body ? $json->encode($body) : $body,
        Setter::Keys::bearer($tenant))->answer;
}

# A message comes; returns its id.  lane: behind "<tenant>/conv/".
sub say {
    my ($tenant, $lane, $text, %more) = @_;
    my $id = sprintf '019ab000-0000-7000-8000-%012d', ++$n;

    $lane = "$tenant/conv/$lane";
    queue()->append(id => $id, lane => $lane, envelope =>
        $json->encode({ id => $id, kind => 'message', tenant => $tenant,
            lane => $lane, text => $text }), %more);
    return $id;
}

# Our workers put on record what there is to.
sub record_all {
    for my $turn (@{ queue()->claim->{turns} }) {
        queue()->complete($turn) if $turn->{jobs}[0]{kind} eq 'record';
    }
}

sub master {
    open my $file, '<', main::server_root() . '/logs/nginx.pid'
        or die "pid: $!";
    return <$file> + 0;
}

sub workers_of {
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/task/$pid/children" or return;
    return split ' ', <$file> // '';
}

# A process of nginx has gone.
sub left {
    my ($pid, $seconds) = @_;

    return until_true(sub {
        !grep { $_ == $pid } workers_of(master());
    }, $seconds);
}

# Lines of a log so far.
sub logged {
    my ($line, $log) = @_;

    open my $file, '<', main::server_root() . '/logs/'
        . ($log // 'error') . '.log' or return 0;
    return scalar grep { $_ =~ $line } <$file>;
}

# Connections that nginx has to Redis.
sub connections {
    return scalar grep { /setter-nginx/ }
        split /\n/, Setter::Suite::redis()->client('LIST');
}

1;
