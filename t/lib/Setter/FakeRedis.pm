package Setter::FakeRedis;

# A Redis that misbehaves as a script tells it to, on a port of loopback.
#
#   my $fake = Setter::FakeRedis->new(free_port());
#   $fake->play(<<'SCRIPT');
#   connect 1: close
#   XADD 1: -LOADING Redis is loading the dataset in memory
#   XADD 2: delay 0.2
#   SCRIPT
#   ...
#   $fake->received;        # [connection, command, arguments ...], ...
#   $fake->stop;
#
# A line is a command, or "connect", the number of the time it is meant for
# (none: every time) and what to do; the first line that fits wins, what no
# line is about is answered as a healthy Redis would.  To do:
#   +TEXT -TEXT :N     this reply           nil       the null reply
#   raw TEXT           these bytes (with \r, \n, \0)
#   bulk TEXT          a bulk string (with \r, \n)
#   last TEXT          these bytes and the connection's end, in one packet
#   delay S            the healthy reply, S seconds later
#   close              ends the connection instead of replying
#   reset              the same with a RST
#   silence            nothing is said on this connection any more
#   deaf               nothing is read from it any more, either
#   half               the first half of the healthy reply, then silence

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_CORK
    TCP_NODELAY);
use Time::HiRes qw(sleep time);


sub new {
    my ($class, $port) = @_;

    return bless {
        port  => $port,
        owner => $$,
        log   => File::Temp->new(TEMPLATE => 'setter-fake-XXXXXX',
                                 TMPDIR => 1),
    }, $class;
}

sub port { $_[0]{port} }


# Starts the script from its beginning; it listens when this returns.
sub play {
    my ($self, $script) = @_;

    $self->stop;
    truncate $self->{log}, 0;

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 64, ReuseAddr => 1,
        Blocking => 0) or die "fake Redis: port $self->{port}: $!\n";
    my @rules = parse_script($script);

    defined($self->{pid} = fork) or die "fork: $!\n";
    return if $self->{pid} != 0;

    $SIG{$_} = 'DEFAULT' for qw(TERM INT __DIE__);
    $SIG{PIPE} = 'IGNORE';
    open my $log, '>>', $self->{log}->filename or POSIX::_exit(1);
    $log->autoflush(1);
    my $parent = $self->{owner};

    eval {
        serve({ listener => $listener, rules => \@rules, log => $log,
                select => IO::Select->new($listener), connections => {},
                parent => $parent });
        1;
    } or print STDERR "# fake Redis: $@";
    POSIX::_exit(0);
}


sub parse_script {
    my ($script) = @_;

    return map {
        /^\s*(\w+)(?:\s+(\d+))?\s*:\s*(.*?)\s*\z/
            or die "fake Redis: no rule: \"$_\"\n";
        { command => uc $1, time => $2, action => $3 }
    } grep { /\S/ } split /\n/, $script;
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    local $?;
    waitpid $pid, 0;
}


sub DESTROY {
    my ($self) = @_;

    $self->stop if $self->{owner} == $$;
}


# The commands that came: [number of the connection, command, arguments].
sub received {
    my ($self) = @_;

    open my $log, '<', $self->{log}->filename or die "fake Redis: $!\n";
    return map { chomp; [map { s/%([0-9a-f]{2})/chr hex $1/egr }
        split /\t/, $_, -1] } <$log>;
}


# The child from here on.  A connection is { id, in, out }, out being a list
# of [time, bytes, what to do then].

sub serve {
    my ($fake) = @_;

    while (getppid() == $fake->{parent}) {
        my $now = time;
        my $wait = 1;

        for my $c (values %{ $fake->{connections} }) {
            flush_out($fake, $c, $now);
            next if !$c->{out} || !@{ $c->{out} };
            my $left = $c->{out}[0][0] - $now;
            $wait = $left if $left < $wait;
        }

        for my $socket ($fake->{select}->can_read($wait > 0 ? $wait : 0)) {
            if ($socket == $fake->{listener}) {
                take_connection($fake);
            } else {
                take_bytes($fake, $fake->{connections}{$socket});
            }
        }
    }
}


sub take_connection {
    my ($fake) = @_;

    my $socket = $fake->{listener}->accept or return;
    my $c = { socket => $socket, id => ++$fake->{accepted}, in => '',
              out => [] };

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    print { $fake->{log} } "$c->{id}\tconnect\n";
    $fake->{select}->add($socket);
    $fake->{connections}{$socket} = $c;

    my $action = action($fake, 'CONNECT');
    return if !defined $action;
    act($fake, $c, $action, '');
    flush_out($fake, $c, time);
}


sub take_bytes {
    my ($fake, $c) = @_;

    my $n = sysread $c->{socket}, $c->{in}, 65536, length $c->{in};

    if (!$n) {
        drop($fake, $c);
        return;
    }

    while (my @command = next_command($c)) {
        print { $fake->{log} } join("\t", $c->{id}, map {
            s/([\t\n\r%])/sprintf '%%%02x', ord $1/egr } @command), "\n";

        my $name = uc $command[0];
        my $action = action($fake, $name);
        my $healthy = transaction($c, $name, $action,
            healthy($fake, @command));
        act($fake, $c, $action // 'delay 0', $healthy)
            if !$c->{silent};
    }

    flush_out($fake, $c, time);
}


# Takes one command, an array of bulk strings, off what has come.
sub next_command {
    my ($c) = @_;

    $c->{in} =~ /\A\*(\d+)\r\n/ or return;
    my ($n, $at) = ($1, $+[0]);
    my @words;

    for (1 .. $n) {
        pos($c->{in}) = $at;
        $c->{in} =~ /\G\$(\d+)\r\n/gc or return;
        my ($length, $from) = ($1, pos $c->{in});
        return if length $c->{in} < $from + $length + 2;
        push @words, substr $c->{in}, $from, $length;
        $at = $from + $length + 2;
    }

    substr $c->{in}, 0, $at, '';
    return @words;
}


# What a command replies in a transaction, or ends one with: one command that
# is refused, by the script, refuses all.
sub transaction {
    my ($c, $name, $action, $healthy) = @_;

    if ($name eq 'MULTI') {
        $c->{multi} = [];

    } elsif (defined $c->{multi} && $name eq 'EXEC') {
        my @replies = @{ delete $c->{multi} };
        return delete $c->{abort}
            ? "-EXECABORT Transaction discarded because of previous errors.\r\n"
            : '*' . @replies . "\r\n" . join '', @replies;

    } elsif (defined $c->{multi}) {
        push @{ $c->{multi} }, $healthy;
        $c->{abort} = 1 if defined $action && $action =~ /^-/;
        return "+QUEUED\r\n";
    }

    return $healthy;
}


# What the script says of this time of the command.
sub action {
    my ($fake, $command) = @_;

    my $time = ++$fake->{times}{$command};

    for my $rule (@{ $fake->{rules} }) {
        return $rule->{action} if $rule->{command} eq $command
            && (!defined $rule->{time} || $rule->{time} == $time);
    }
    return;
}


sub act {
    my ($fake, $c, $action, $healthy) = @_;

    my $say = sub { push @{ $c->{out} }, [time + ($_[1] // 0), $_[0]] };

    if ($action =~ /^[-+:]/) {
        $say->("$action\r\n");

    } elsif ($action =~ /^nil\z/) {
        $say->("\$-1\r\n");

    } elsif ($action =~ /^raw (.*)/s) {
        $say->(unescape($1));

    } elsif ($action =~ /^last (.*)/s) {
        push @{ $c->{out} }, [time, unescape($1), 'last'];

    } elsif ($action =~ /^bulk (.*)/s) {
        $say->(bulk(unescape($1)));

    } elsif ($action =~ /^delay ([\d.]+)/) {
        $say->($healthy, $1);

    } elsif ($action =~ /^(?:close|reset)\z/) {
        push @{ $c->{out} }, [time, '', $action];

    } elsif ($action eq 'silence') {
        $c->{silent} = 1;

    } elsif ($action eq 'deaf') {
        $c->{silent} = 1;
        $fake->{select}->remove($c->{socket});

    } elsif ($action eq 'half') {
        $say->(substr $healthy, 0, length($healthy) / 2);
        $c->{silent} = 1;

    } else {
        die "no such action: \"$action\"\n";
    }
}


sub unescape {
    my ($text) = @_;

    my %byte = (r => "\r", n => "\n", 0 => "\0", '\\' => '\\');
    return $text =~ s/\\([rn0\\])/$byte{$1}/gr;
}


sub bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }


sub flush_out {
    my ($fake, $c, $now) = @_;

    while (@{ $c->{out} } && $c->{out}[0][0] <= $now) {
        my (undef, $bytes, $end) = @{ shift @{ $c->{out} } };

        setsockopt $c->{socket}, IPPROTO_TCP, TCP_CORK, 1
            if ($end // '') eq 'last';
        # the test's replies are small: the socket takes them at once
        syswrite $c->{socket}, $bytes if length $bytes;
        next if !defined $end;
        setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
            if $end eq 'reset';
        drop($fake, $c);
        return;
    }
}


sub drop {
    my ($fake, $c) = @_;

    $fake->{select}->remove($c->{socket});
    delete $fake->{connections}{ $c->{socket} };
    $c->{out} = [];
    close $c->{socket};
}


# What a Redis in good health replies.
sub healthy {
    my ($fake, $name, @args) = @_;

    $name = uc $name;

    return "+PONG\r\n" if $name eq 'PING';
    return bulk("# Server\r\nrun_id:" . 'a' x 40 . "\r\n"
        . "# Memory\r\nused_memory:1000000\r\nmaxmemory:0\r\n"
        . "maxmemory_policy:noeviction\r\n") if $name eq 'INFO';
    return bulk(sprintf '%d-0', ++$fake->{entries}) if $name eq 'XADD';
    return ':' . ($fake->{entries} // 0) . "\r\n" if $name eq 'XLEN';
    return ":1\r\n" if $name eq 'SISMEMBER';
    return "\$-1\r\n" if $name eq 'HGET';
    return set($fake, @args) if $name eq 'SET';

    if ($name eq 'GET') {
        my $value = $fake->{strings}{$args[0]};
        return defined $value ? bulk($value) : "\$-1\r\n";
    }

    return "+OK\r\n";
}


sub set {
    my ($fake, $key, $value, @options) = @_;

    return "\$-1\r\n" if defined $fake->{strings}{$key}
                        && grep { uc $_ eq 'NX' } @options;
    $fake->{strings}{$key} = $value;
    return "+OK\r\n";
}


1;
