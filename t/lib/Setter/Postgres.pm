package Setter::Postgres;

# A private PostgreSQL cluster on a unix socket in a temporary folder, with
# the migrations applied; gone with the object.  Roles that log in: owner,
# worker and system.
#
#   my $postgres = Setter::Postgres->start;
#   my @rows = $postgres->sql('system', 'SELECT id, state FROM messages');
#   $postgres->url('worker');

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IPC::Run ();
use POSIX ();
use Time::HiRes qw(sleep time);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my ($bin) = reverse sort glob '/usr/lib/postgresql/*/bin';

# PostgreSQL does not run as root
my @become = $> == 0 ? qw(setpriv --reuid=postgres --regid=postgres
                          --clear-groups) : ();

sub start {
    my ($class) = @_;
    my $self = bless {
        dir   => File::Temp->newdir('setter-postgres-XXXXXX', TMPDIR => 1),
        owner => $$,
    }, $class;

    chown((getpwnam 'postgres')[2, 3], "$self->{dir}") if $> == 0;
    chmod 0755, "$self->{dir}";

    run(@become, "$bin/initdb", '-D', "$self->{dir}/data", '-A', 'trust',
        '-U', 'postgres', '--no-sync', '--encoding=UTF8',
        '--locale=C.UTF-8');
    $self->run_server;

    $self->sql('postgres', 'CREATE ROLE owner LOGIN CREATEROLE', 'postgres');
    $self->sql('postgres', 'CREATE DATABASE setter OWNER owner', 'postgres');
    $self->migrate($_, 'setter') for $self->migrations;
    $self->sql('postgres', "CREATE ROLE $_ LOGIN; GRANT setter_$_ TO $_")
        for qw(worker system);

    return $self;
}

# Starts the server, again after stop(), and waits until it answers.
sub run_server {
    my ($self) = @_;
    my $limit = time + 30;

    defined($self->{pid} = fork) or die "fork: $!\n";
    if ($self->{pid} == 0) {
        open STDERR, '>>', '/dev/null';
        chdir '/';
        exec(@become, "$bin/postgres", '-D', "$self->{dir}/data", '-c',
            'listen_addresses=', '-c', "unix_socket_directories=$self->{dir}",
            '-c', 'fsync=off') or POSIX::_exit(127);
    }

    until (eval { $self->sql('postgres', 'SELECT 1', 'postgres') }) {
        die "PostgreSQL does not start\n"
            if time > $limit or waitpid($self->{pid}, POSIX::WNOHANG()) != 0;
        sleep 0.02;
    }
}

sub migrations { sort glob "$root/workers/sql/*.sql" }

sub migrate {
    my ($self, $file, $database) = @_;

    run('psql', '-qX1', '-v', 'ON_ERROR_STOP=1', '-h', "$self->{dir}",
        '-U', 'owner', '-d', $database, '-f', $file);
}

sub run {
    my ($out);

    IPC::Run::run([@_], \undef, '>&', \$out) or die "@_: $out";
    return $out;
}

# Rows as arrays of text; dies with the server's message.
sub sql {
    my ($self, $user, $sql, $database) = @_;
    my ($out, $err);

    IPC::Run::run(['psql', '-XAtq', '-F', "\t", '-v', 'ON_ERROR_STOP=1',
        '-h', "$self->{dir}", '-U', $user, '-d', $database // 'setter',
        '-c', $sql], \undef, \$out, \$err) or die $err;
    return map { [split /\t/, $_, -1] } split /\n/, $out;
}

# One value.
sub value {
    my $self = shift;
    my ($row) = $self->sql(@_);

    return $row && $row->[0];
}

# The same for one tenant, as a worker's unit of work sets it.
sub as_tenant {
    my ($self, $tenant, $sql) = @_;

    return $self->sql('worker', "SET setter.tenant = '$tenant'; $sql");
}

sub url {
    my ($self, $user) = @_;

    return "postgresql://$user@/setter?host=$self->{dir}";
}

# signal: INT (fast, default), QUIT (at once)
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;

    kill $signal // 'INT', $pid;
    local $?;
    waitpid $pid, 0;
}

sub DESTROY {
    my ($self) = @_;

    $self->stop('QUIT') if $self->{owner} == $$;
}

1;
