package Setter::FaultDriver;

# A provider that posts numbered messages of many conversations at a steady
# rate, whatever becomes of them: the schedule does not wait for answers.
# What was not accepted comes again, as the same message.  It runs in a
# process of its own.
#
#   my $driver = Setter::FaultDriver->start(port => 8080, file => '/tmp/l',
#       base => 1000, rate => 40, copies => 1, seed => 7);
#   ...
#   my @attempts = $driver->stop;   # repeats until all is accepted, or 60 s
#
# Conversations are numbered from base on.  Each belongs to one of 50 tenants
# and comes through one of three doors: ManyChat's with true statuses, the
# engine's, and ManyChat's that always answers 201, where nobody comes again.
# A message's text is its name, as "c1007 n3".

use strict;
use warnings;

use Errno qw(EAGAIN EINPROGRESS);
use JSON::XS ();
use List::Util qw(max min);
use POSIX ();
use Socket qw(AF_INET INADDR_LOOPBACK IPPROTO_TCP MSG_DONTWAIT MSG_PEEK
    SOCK_STREAM TCP_NODELAY pack_sockaddr_in);
use Time::HiRes qw(time);

use constant {
    TENANTS       => 50,
    CONVERSATIONS => 150,   # of a driver
    AGAIN         => 1 / 3, # of the messages follow one of the same person
    PATIENCE      => 10,    # s that a provider waits for an answer
    PAUSE         => 0.5,   # s before it comes again, then doubling
    MAX_PAUSE     => 4,
    LAST          => 60,    # s for all that is left when it is to stop
};

my $json = JSON::XS->new->utf8->canonical;

my @DOORS = (
    { path => '/api/lead/messages', to => sub { 1_000_000_000 + $_[0] },
      body => \&lead },
    { path => '/webhook/inbound', to => sub { 155_501_000_000 + $_[0] },
      body => \&engine },
    { path => '/webhook/setter/manychat/instagram', body => \&lead,
      to => sub { 2_000_000_000 + $_[0] }, compat => 1 },
);

sub lead {
    my ($message) = @_;
    return { lead_identification => "lead-$message->{c}",
        lead_message => $message->{text}, chat_id => "$message->{to}",
        message_id => "m $message->{text}" };
}

sub engine {
    my ($message) = @_;
    return { from => "$message->{to}", message => $message->{text},
        tenant_id => $message->{tenant}, message_id => "m $message->{text}" };
}

sub start {
    my ($class, %args) = @_;
    pipe my $heard, my $said or die "pipe: $!\n";
    my $self = bless { %args, said => $said, owner => $$ }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";
    if ($self->{pid} == 0) {
        close $said;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP ALRM __DIE__ __WARN__);
        $SIG{PIPE} = 'IGNORE';
        $self->{heard} = $heard;
        eval { $self->run; 1 } or print STDERR "driver: $@";
        POSIX::_exit($@ ? 1 : 0);
    }
    close $heard;
    return $self;
}

# Ends the schedule, waits for what is under way, and returns all attempts.
sub stop {
    my ($self) = @_;
    syswrite $self->{said}, '.';    # others may hold the pipe open
    $self->reap;
    open my $in, '<', $self->{file} or die "$self->{file}: $!\n";
    return map { $json->decode($_) } <$in>;
}

sub reap {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    local $?;
    waitpid $pid, 0;
    die "the driver ended with status $?\n" if $?;
}

sub DESTROY {
    my ($self) = @_;
    return if ($self->{owner} // 0) != $$ || !$self->{pid};
    kill 'KILL', $self->{pid};
    local $?;
    waitpid $self->{pid}, 0;
}


# --- the process: everything below runs there

# queue: [ when, message ], what is to be sent again.  open: connections in
# use, by descriptor; idle: those kept, latest last.
sub run {
    my ($self) = @_;
    srand $self->{seed};
    @$self{qw(queue open idle numbers serial)} = ([], {}, [], {}, 0);
    $self->{begun} = time;
    open $self->{out}, '>', $self->{file} or die "$self->{file}: $!\n";

    while ($self->goes_on) {
        $self->send_due;
        $self->wait_and_move;
        $self->give_up_late;
    }
    close $self->{out} or die "$self->{file}: $!\n";
}

sub goes_on {
    my ($self) = @_;
    return 0 if getppid() != $self->{owner};
    return !$self->{ends} || time < $self->{ends}
        && (@{ $self->{queue} } || %{ $self->{open} });
}

sub next_due { return $_[0]{begun} + $_[0]{serial} / $_[0]{rate} }

sub send_due {
    my ($self) = @_;
    while (!$self->{ends} && $self->next_due <= time) {
        my $due = $self->next_due;
        my $message = $self->next_message;
        $self->{serial}++;
        $self->send_message($message, $due) for 1 .. $self->{copies} // 1;
    }
    while (@{ $self->{queue} } && $self->{queue}[0][0] <= time) {
        my ($due, $message) = @{ shift @{ $self->{queue} } };
        $self->send_message($message, $due);
    }
}

# The next of somebody, often of whoever wrote last.
sub next_message {
    my ($self) = @_;
    my $i = $self->{last};
    $i = int rand CONVERSATIONS if !defined $i || rand() >= AGAIN;
    $self->{last} = $i;

    my $c = $self->{base} + $i;
    my $n = ++$self->{numbers}{$c};
    my $door = $DOORS[ $i % @DOORS ];
    my %message = (c => $c, n => $n, text => "c$c n$n", door => $door,
        tenant => 't' . $i % TENANTS, to => $door->{to}->($c), tries => 0);
    my $body = $json->encode($door->{body}->(\%message));
    $message{request} = join "\r\n", "POST $door->{path} HTTP/1.1",
        "Host: $message{tenant}.example.com",
        'Content-Type: application/json', 'Content-Length: ' . length $body,
        '', $body;
    return \%message;
}

sub send_message {
    my ($self, $message, $due) = @_;
    my $socket = $self->kept // $self->connect;
    my $try = { message => $message, due => $due, begun => time,
        socket => $socket, out => $message->{request}, in => '' };
    return $self->ended($try, 0) if !$socket;

    $self->{open}{ fileno $socket } = $try;
    $self->write_out($try);
}

# A connection that the server has not closed meanwhile.
sub kept {
    my ($self) = @_;
    while (my $socket = pop @{ $self->{idle} }) {
        return $socket
            if !defined recv $socket, my $byte, 1, MSG_PEEK | MSG_DONTWAIT;
    }
    return undef;
}

sub connect {
    my ($self) = @_;
    socket my $socket, AF_INET, SOCK_STREAM, IPPROTO_TCP
        or die "socket: $!\n";
    $socket->blocking(0);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return $socket if CORE::connect($socket,
        pack_sockaddr_in($self->{port}, INADDR_LOOPBACK))
        || $! == EINPROGRESS;
    return undef;
}

# A word on the pipe ends the schedule.
sub wait_and_move {
    my ($self) = @_;
    my ($read, $write) = ('', '');
    my $heard = fileno $self->{heard};
    vec($read, $heard, 1) = 1 if !$self->{ends};
    for my $fd (keys %{ $self->{open} }) {
        vec($read, $fd, 1) = 1;
        vec($write, $fd, 1) = 1 if length $self->{open}{$fd}{out};
    }

    my @next = $self->{ends} ? () : $self->next_due;
    push @next, $self->{queue}[0][0] if @{ $self->{queue} };
    select $read, $write, undef, max(0, min(0.25, map { $_ - time } @next));

    $self->{ends} = time + LAST if !$self->{ends} && vec $read, $heard, 1;
    for my $fd (keys %{ $self->{open} }) {
        my $try = $self->{open}{$fd};
        $self->write_out($try) if vec $write, $fd, 1;
        $self->read_in($try) if $try->{socket} && vec $read, $fd, 1;
    }
}

sub write_out {
    my ($self, $try) = @_;
    my $n = syswrite $try->{socket}, $try->{out};
    if (defined $n) {
        substr $try->{out}, 0, $n, '';
    } elsif ($! != EAGAIN) {
        $self->ended($try, 0);
    }
}

sub read_in {
    my ($self, $try) = @_;
    my $n = sysread $try->{socket}, $try->{in}, 65536, length $try->{in};
    return if !defined $n && $! == EAGAIN;
    return $self->ended($try, 0) if !$n;

    my ($head, $body) = split /\r\n\r\n/, $try->{in}, 2;
    return if !defined $body
        || length $body < ($head =~ /^Content-Length: (\d+)/mi ? $1 : 0);
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    push @{ $self->{idle} }, $try->{socket}
        if $head !~ /^Connection: close/mi;
    $self->ended($try, $status, $body);
}

sub give_up_late {
    my ($self) = @_;
    $self->ended($_, 0) for grep { $_->{begun} + PATIENCE < time }
        values %{ $self->{open} };
}

# status 0: there was no answer.
sub ended {
    my ($self, $try, $status, $body) = @_;
    my ($message, $now) = ($try->{message}, time);
    my $answer = $status && eval { $json->decode($body) } || {};
    my $ok = $status == 201 && ($answer->{status} // '') eq 'SUCCESS';

    delete $self->{open}{ fileno $try->{socket} } if $try->{socket};
    delete $try->{socket};
    print { $self->{out} } $json->encode({
        (map { $_ => $message->{$_} } qw(c n tenant)), to => "$message->{to}",
        due => $try->{due}, begun => $try->{begun}, ended => $now,
        ok => $ok ? 1 : 0, status => 0 + $status, id => $answer->{id} }), "\n";

    $message->{accepted} ||= $ok;
    $self->repeat($message, $now) if !$message->{accepted}
        && !($status == 201 && $message->{door}{compat});
}

sub repeat {
    my ($self, $message, $now) = @_;
    my $pause = min(MAX_PAUSE, PAUSE * 2 ** $message->{tries}++);
    my $queue = $self->{queue};
    push @$queue, [ $now + $pause * (0.75 + rand 0.5), $message ];
    @$queue = sort { $a->[0] <=> $b->[0] } @$queue;
}

1;
