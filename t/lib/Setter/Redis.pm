package Setter::Redis;

# A private redis-server on a unix socket in a temporary folder, gone with the
# object.
#
#   my $server = Setter::Redis->start(appendonly => 'yes');
#   my $redis = $server->client;        # a Redis.pm handle
#   $server->url;                       # unix:/tmp/…/redis.sock

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use Redis;
use Time::HiRes qw(sleep time);

# whoever ends a test ends its servers too
$SIG{$_} //= sub { exit 1 } for qw(INT TERM HUP);

use constant ROOT => dirname(__FILE__) . '/../../..';

# settings: what redis.conf takes; they win over the defaults here
sub start {
    my ($class, %settings) = @_;

    my $dir = File::Temp->newdir('setter-redis-XXXXXX', TMPDIR => 1);
    my $self = bless {
        dir   => $dir,
        sock  => "$dir/redis.sock",
        owner => $$,
        settings => {
            port => 0, save => '', dir => "$dir", daemonize => 'no',
            unixsocket => "$dir/redis.sock", logfile => "$dir/redis.log",
            'maxmemory-policy' => 'noeviction', %settings,
        },
    }, $class;

    $self->run;

    return $self;
}

# Starts the process, again after stop(), and waits until it answers.
sub run {
    my ($self) = @_;
    my $settings = $self->{settings};
    my $limit = time + 20;

    defined($self->{pid} = fork) or die "fork: $!\n";
    if ($self->{pid} == 0) {
        exec('redis-server', map { ("--$_", $settings->{$_}) }
            sort keys %$settings) or POSIX::_exit(127);
    }

    until (eval { $self->client->ping }) {
        die "redis-server does not answer: see $self->{dir}/redis.log\n"
            if time > $limit or waitpid($self->{pid}, POSIX::WNOHANG()) != 0;
        sleep 0.01;
    }
}

# One that is busy with a function hears no TERM.
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;
    my $limit = time + 5;

    kill $signal // 'TERM', $pid;
    local $?;
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        kill 'KILL', $pid if time > $limit;
        sleep 0.01;
    }
}

# STOP and CONT, for one that is frozen meanwhile
sub signal { kill $_[1], $_[0]{pid} or die "kill: $!\n" }

sub runs { defined $_[0]{pid} }

sub url { 'unix:' . $_[0]{sock} }

sub client { Redis->new(sock => $_[0]{sock}, reconnect => 0) }

# The queue's functions, as the workers load them.
sub load_library {
    my ($self, $redis) = @_;

    $redis->function('LOAD', 'REPLACE', library());
}

sub library {
    my $path = ($ENV{SETTER_BUILD} // 'build') . '/lanes.lua';

    $path = ROOT . "/$path" if $path !~ m{^/};
    open my $file, '<', $path or die "$path, which make builds: $!\n";
    local $/;

    return scalar <$file>;
}

sub DESTROY {
    my ($self) = @_;

    $self->stop('KILL') if $self->{owner} == $$;
}

1;
