package Setter::Stack;

# A private embedded stack for a test: started by scripts/run in a folder of
# its own under /tmp, on free ports, and ended when the object or the test
# goes.
#
#   my $stack = Setter::Stack->new(SETTER_LEASE_MS => 2000);
#   my $answer = $stack->say('Hello', chat_id => '1001');
#   my ($reply) = $stack->wait_sent_to('1001', 1);

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Spec ();
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run ();
use JSON::XS ();
use Redis;
use Time::HiRes qw(sleep time);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::XS->new->utf8->canonical->allow_nonref;
my @running;

# What scripts are started through, to be somebody else.
our @become;

END {
    local $?;
    $running[0]->stop while @running;
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

# A folder that the services' users may enter, gone with the test.
sub folder {
    my $dir = tempdir('setter-e2e-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0711, $dir or die "$dir: $!";
    return $dir;
}

sub root { return $root }

sub free_ports {
    my ($n) = @_;
    my @sockets = map {
        IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
            or die "no free port: $!"
    } 1 .. $n;
    return map { $_->sockport } @sockets;
}

# The environment of a stack's scripts: nothing of the caller's reaches it
# but what a shell needs.
sub environment {
    my (%more) = @_;
    my ($port, $sandbox_port) = free_ports(2);
    my %env = (
        (map { $_ => $ENV{$_} }
            grep { defined $ENV{$_} } qw(PATH HOME BUILD LANG ASAN_OPTIONS
                TEST_NGINX_BINARY)),
        RUN_DIR      => folder() . '/run',
        SETTER_PORT  => $port,
        SANDBOX_PORT => $sandbox_port,
        %more,
    );
    return \%env;
}

# Runs a script of the repository to its end: (status, what it wrote).
sub script {
    my ($env, @command) = @_;
    local %ENV = %$env;
    $command[0] = "$root/scripts/$command[0]";
    IPC::Run::run([ @become, @command ], \undef, '>&', \my $output);
    return ($? >> 8, $output);
}

sub new {
    my ($class, %more) = @_;
    my $self = $class->attach(environment(%more, DETACH => 1));
    my ($status, $output) = script($self->{env}, 'run');
    die "scripts/run ended with status $status:\n$output" if $status;
    return $self;
}

# A stack that the caller starts; it ends with the test all the same.
sub attach {
    my ($class, $env) = @_;
    my $self = bless { env => $env, dir => $env->{RUN_DIR},
        http => HTTP::Tiny->new(timeout => 30) }, $class;
    push @running, $self;
    return $self;
}

sub stop {
    my ($self) = @_;
    @running = grep { $_ != $self } @running;
    $self->{redis} = undef;
    my ($status, $output) = script($self->{env}, 'stop');
    warn "scripts/stop ended with status $status:\n$output" if $status;
    return $output;
}

sub dir { return $_[0]{dir} }

# A variable of RUN_DIR/env, as it is now.
sub env {
    my ($self, $name) = @_;
    my ($value) = slurp("$self->{dir}/env") =~ /^\Q$name\E=(.*)$/m;
    return $value;
}

# What setterctl prints; dies with what it complains of.
sub ctl {
    my ($self, @words) = @_;
    my $build = File::Spec->rel2abs($self->{env}{BUILD} // 'build', $root);
    local %ENV = (%{ $self->{env} }, map { $_ => $self->env($_) }
        qw(SETTER_REDIS_URL SETTER_DATABASE_URL SETTER_ADMIN_DATABASE_URL
           SETTER_MASTER_KEY));
    my ($output, $error);
    IPC::Run::run([ "$build/setterctl", @words ], \undef, \$output, \$error)
        or die "setterctl @words: $error";
    return $output;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    return <$in>;
}

sub log_of {
    my ($self, $name) = @_;
    return slurp("$self->{dir}/log/$name.log");
}

sub wait_for {
    my ($self, $what, $seconds, $condition) = @_;
    my $until = time + $seconds;
    while (time < $until) {
        my $result = $condition->();
        return $result if $result;
        sleep 0.02;
    }
    die "waited ${seconds} s for $what\n";
}


# --- HTTP

sub request {
    my ($self, $method, $url, $body, %headers) = @_;
    my %options = (headers => \%headers);
    my $host = delete $headers{Host};
    if (defined $host) {
        $url =~ s{//127\.0\.0\.1}{//$host};
        $options{peer} = '127.0.0.1';
    }
    if (defined $body) {
        $headers{'Content-Type'} ||= 'application/json';
        $options{content} = ref $body ? $json->encode($body) : $body;
    }
    my $answer = $self->{http}->request($method, $url, \%options);
    $answer->{json} = eval { $json->decode($answer->{content}) };
    return $answer;
}

sub post {
    my ($self, $path, $body, %headers) = @_;
    return $self->request('POST', $self->env('SETTER_URL') . $path, $body,
        %headers);
}

sub health {
    my ($self) = @_;
    return $self->request('GET', $self->env('SETTER_URL') . '/health');
}

# A lead writes through ManyChat; the members given replace or add.
sub say {
    my ($self, $text, %members) = @_;
    my $host = delete $members{Host};
    return $self->post('/webhook/setter/manychat/instagram', {
        lead_identification => 'lead-1',
        lead_message        => $text,
        chat_id             => '1000000000000001',
        %members,
    }, $host ? (Host => $host) : ());
}

sub sandbox {
    my ($self, $method, $path, $body) = @_;
    my $answer = $self->request($method, $self->env('SANDBOX_URL') . $path,
        $body);
    die "$method $path: $answer->{status} $answer->{content}\n"
        unless $answer->{success};
    return $answer->{json};
}

sub sent {
    my ($self, $since) = @_;
    return @{ $self->sandbox('GET', '/sandbox/sent?since=' . ($since || 0)) };
}

# What one person was sent.
sub sent_to {
    my ($self, $to) = @_;
    return grep { $_->{to} eq $to } $self->sent;
}

sub wait_sent_to {
    my ($self, $to, $n, $seconds) = @_;
    my @sent;
    $self->wait_for("$n messages to $to", $seconds || 20,
        sub { (@sent = $self->sent_to($to)) >= $n });
    return @sent;
}

sub behaviour {
    my ($self, $behaviour) = @_;
    return $self->sandbox('PUT', '/sandbox/behaviour', $behaviour);
}

sub calls {
    my ($self, $endpoint) = @_;
    return $self->sandbox('GET', '/sandbox/calls')->{$endpoint};
}


# --- the record and the queue

# Rows of a query as arrays of text; the system role sees every tenant.
sub psql {
    my ($self, $sql) = @_;
    my ($password) = slurp("$self->{dir}/secrets")
        =~ /^system_password=(.*)$/m;
    local $ENV{PGPASSWORD} = $password;
    my ($out, $err);
    IPC::Run::run([ 'psql', '-XAtq', '-F', "\t", '-v', 'ON_ERROR_STOP=1',
        '-h', "$self->{dir}/postgres", '-U', 'setter_system', '-d', 'setter',
        '-c', $sql ], \undef, \$out, \$err) or die "psql: $err";
    return map { [ split /\t/, $_, -1 ] } split /\n/, $out;
}

sub job_status {
    my ($self, $id) = @_;
    my ($row) = $self->psql("SELECT status FROM jobs WHERE id = '$id'");
    return $row ? $row->[0] : '';
}

# The state of the reply to a turn, by its first job.
sub reply_state {
    my ($self, $id) = @_;
    my ($row) = $self->psql("SELECT state FROM messages
        WHERE turn = '$id' AND direction = 'out'");
    return $row ? $row->[0] : '';
}

sub wait_state {
    my ($self, $id, $state) = @_;
    return $self->wait_for("the reply to $id to be $state", 20,
        sub { $self->reply_state($id) eq $state });
}

sub redis {
    my ($self) = @_;
    my ($socket) = $self->env('SETTER_REDIS_URL') =~ /^unix:(.*)/;
    return $self->{redis} ||= Redis->new(sock => $socket, reconnect => 5);
}


# --- processes

sub pid {
    my ($self, $service) = @_;
    my $file = "$self->{dir}/pids/$service";
    return -e $file ? int slurp($file) : 0;
}

sub worker_pids {
    my ($self) = @_;
    return map { m{([^/]+)\z} && $self->pid($1) }
        sort glob "$self->{dir}/pids/worker.*";
}

# Signals a service; returns its pid.
sub signal {
    my ($self, $signal, $service) = @_;
    my $pid = $self->pid($service) or die "$service does not run\n";
    kill $signal, $pid or die "kill $signal $service: $!\n";
    return $pid;
}

# Waits until a service runs under another pid than this.
sub wait_restart {
    my ($self, $service, $old) = @_;
    return $self->wait_for("$service again", 10, sub {
        my $pid = $self->pid($service);
        return $pid && $pid != $old && kill(0, $pid) ? $pid : 0;
    });
}

1;
