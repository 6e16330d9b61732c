package Setter::Worker;

# A setter-worker process with an environment of its own; killed with the
# object.
#
#   my $worker = Setter::Worker->start(SETTER_REDIS_URL => …, …);
#   my $worker = Setter::Worker->start(['--once'], SETTER_REDIS_URL => …);
#   $worker->wait_log(sub { $_->{step} eq 'asked' });
#   my $status = $worker->stop('TERM');

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use JSON::XS ();
use POSIX ();
use Time::HiRes qw(sleep time);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::XS->new->utf8;
my @reports;

# Another version's may take its place.
our $program = "$root/" . ($ENV{SETTER_BUILD} // 'build') . '/setter-worker';

sub start {
    my $class = shift;
    my @options = ref $_[0] ? @{ shift() } : ();
    my %env = @_;
    my $self = bless { log => File::Temp->new(TEMPLATE =>
        'setter-worker-XXXXXX', TMPDIR => 1), owner => $$ }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";
    if ($self->{pid} == 0) {
        open STDERR, '>>', "$self->{log}";
        %ENV = (PATH => $ENV{PATH}, %env);
        exec($program, @options) or POSIX::_exit(127);
    }

    return $self;
}

# Runs a worker that is to end by itself: its status and what it wrote.
sub run {
    my $class = shift;
    my $self = $class->start(@_);

    return ($self->wait, $self->text);
}

# Waits until it has ended by itself; its exit status.
sub wait {
    my ($self) = @_;

    local $?;
    waitpid delete $self->{pid}, 0;
    push @reports, grep { /Sanitizer|runtime error/ } split /\n/, $self->text;
    return $? >> 8;
}

# Whether it still runs; one that has ended is reaped, its "end" says how.
sub runs {
    my ($self) = @_;

    local $?;
    return 0 if !$self->{pid};
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
    delete $self->{pid};
    $self->{end} = $? & 127 ? 'signal ' . ($? & 127) : 'status ' . ($? >> 8);
    return 0;
}

sub signal { kill $_[1], $_[0]{pid} or die "kill: $!" }

# Ends it; its exit status.
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'CONT', $pid;
    kill $signal // 'TERM', $pid;
    local $?;
    waitpid $pid, 0;
    push @reports, grep { /Sanitizer|runtime error/ } split /\n/, $self->text;
    return $? >> 8;
}

# What sanitizers said of the workers that have ended.
sub reports { @reports }

sub text {
    my ($self) = @_;

    open my $in, '<', "$self->{log}" or die "log: $!";
    local $/;
    return scalar <$in>;
}

# The log's lines so far.
sub lines { map { $json->decode($_) } grep { /^\{.*\}$/ }
            split /\n/, $_[0]->text }

# The lines at the end of turns.
sub turns { grep { $_->{msg} eq 'turn' } $_[0]->lines }

# Waits for a line; the code looks at $_.
sub wait_log {
    my ($self, $code, $seconds) = @_;
    my $limit = time + ($seconds // 10);

    while (time < $limit) {
        for ($self->lines) {
            return $_ if $code->();
        }
        sleep 0.01;
    }

    return undef;
}

sub wait_step {
    my ($self, $step) = @_;

    return $self->wait_log(sub { ($_->{step} // '') eq $step });
}

sub DESTROY {
    my ($self) = @_;

    $self->stop('KILL') if $self->{owner} == $$;
}

1;
