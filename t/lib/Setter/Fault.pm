package Setter::Fault;

# Runs faults against an embedded stack of its own under a steady load, and
# says what became of every message.
#
#   my $run = Setter::Fault->new(form => 'short');
#   my $result = $run->row($row);       # of Setter::FaultRows
#   $result->{verdict};                 # see Setter::FaultCheck
#   my @missed = Setter::Fault::missed($row, $result);
#
# Conversations of a row are its own: their numbers begin with the row's.

use strict;
use warnings;

use File::Temp ();
use List::Util qw(sum0);
use Redis;
use Setter::FaultCheck;
use Setter::FaultDriver;
use Setter::FaultInject;
use Setter::FaultRows;
use Setter::Sandbox;
use Setter::Stack;
use Time::HiRes qw(sleep time);
use Time::Local qw(timegm);

# Messages/s, s of load before and behind the fault, s a row may take, and s
# for what is left to be answered.
my %FORMS = (
    long  => { rate => 40, lead => 3, tail => 3, limit => 400, drain => 120 },
    short => { rate => 25, lead => 0.5, tail => 0.5, limit => 60,
               drain => 45 },
);

my %NORMAL = (
    chat     => { latency_ms => [ 50, 250 ] },
    manychat => { latency_ms => [ 10, 80 ] },
    infobip  => { latency_ms => [ 10, 80 ] },
);

my %WORKER = (
    SETTER_LEASE_MS        => 1000 * Setter::FaultRows::LEASE,
    SETTER_SEND_TIMEOUT_MS => 1000 * Setter::FaultRows::SEND,
    SETTER_LLM_TIMEOUT_MS  => 1000 * Setter::FaultRows::MODEL,
);

my @LISTS = qw(lost twice disorder invented untrue);

sub new {
    my ($class, %args) = @_;
    my $self = bless { form => $args{form}, %{ $FORMS{ $args{form} } },
        rows => 0, undo => [], after => [],
        seed => $args{seed} // time % 100_000,
        files => File::Temp->newdir('setter-fault-XXXXXX', TMPDIR => 1) },
        $class;
    $self->{stack} = Setter::Stack->new(%WORKER, SETTER_WORKERS => 2,
        SETTER_DEBOUNCE => '200ms max=800ms');

    # many answers to one person are what is wanted here
    $self->{stack}->psql("INSERT INTO tenants (slug, guard)
        SELECT 't' || n, 0 FROM generate_series(0, 49) AS n");
    $self->behave;
    return $self;
}

sub stack { return $_[0]{stack} }

sub stop { $_[0]{stack}->stop }


# --- one fault

# Dies with the reason where it could not be run to its end; the result has
# only "skipped", and why, where this machine cannot run it.
sub row {
    my ($self, $row) = @_;
    local $SIG{ALRM} = sub { die "it takes longer than $self->{limit} s\n" };
    alarm $self->{limit};
    my $result = eval { $self->run_row($row) };
    my $error = $@;
    alarm 0;
    $self->put_right($_) for qw(undo after);
    die "$row->{name}: $error" if !$result;
    return $result;
}

sub run_row {
    my ($self, $row) = @_;
    my $prepare = $row->{prepare};
    my $lacks = $prepare && Setter::FaultInject->can($prepare)->($self);
    return { skipped => $lacks } if $lacks;

    my $base = 1000 * ++$self->{rows};
    my ($began) = map { $_->[0] } $self->stack->psql('SELECT now()');
    my ($last) = map { $_->{seq} } ($self->stack->sent)[-1] // { seq => 0 };
    my $result = { before => $self->resources };
    my $driver = Setter::FaultDriver->start(
        port => $self->stack->env('SETTER_URL') =~ /:(\d+)$/,
        file => "$self->{files}/$row->{name}", base => $base,
        rate => $row->{rate} // $self->{rate}, copies => $row->{copies},
        seed => $self->{seed} + $self->{rows});

    sleep $self->{lead};
    $self->{from} = time;
    my $until = Setter::FaultInject->can($row->{inject})->($self,
        %{ $row->{args} // {} }, %{ $row->{ $self->{form} } // {} });
    my $end = time;
    $self->put_right('undo');
    sleep $self->{tail};
    my @attempts = $driver->stop;
    $self->drain($began);
    $self->put_right('after');
    $result->{after} = $self->resources;

    $result->{verdict} = Setter::FaultCheck::check(
        from => $self->{from}, until => $until, end => $end,
        attempts => \@attempts, sent => [ $self->sent($last) ],
        $self->record($began));
    return $result;
}

# The webhook's time counts from then on, where it is not the fault's begin.
sub measure_from { $_[0]{from} = $_[1] }

# What an injector has to have put right in any case; the last comes first.
sub undo {
    my ($self, $code) = @_;
    push @{ $self->{undo} }, $code;
}

# The same for when the load is over and all is answered.
sub afterwards {
    my ($self, $code) = @_;
    push @{ $self->{after} }, $code;
}

sub put_right {
    my ($self, $what) = @_;
    while (my $code = pop @{ $self->{$what} }) {
        eval { $code->(); 1 } or warn "while putting right: $@";
    }
}

# Until the spool and the queue are empty and the record has no unfinished job,
# seen twice, for something may be on its way from the one to the other; or
# until the time is over: the verdict tells the difference.
sub drain {
    my ($self, $began) = @_;
    my ($until, $idle) = (time + $self->{drain}, 0);
    while (time < $until && $idle < 2) {
        sleep 0.1;
        $idle = $self->queued == 0 && !$self->unfinished($began)
            ? $idle + 1 : 0;
    }
}

sub queued {
    my ($self) = @_;
    my $answer = $self->stack->request(GET =>
        $self->stack->env('SETTER_URL') . '/health');
    my $queue = $answer->{json}{queue} or return -1;
    return sum0 @$queue{qw(inbox waiting later ready due leased suspects)},
        $answer->{json}{spool} ? $answer->{json}{spool}{records} : 0;
}

sub unfinished {
    my ($self, $began) = @_;
    my ($row) = $self->stack->psql("SELECT count(*) FROM jobs
        WHERE status IN ('queued', 'processing') AND updated_at >= '$began'");
    return $row->[0];
}


# --- the ledgers

# What reached people behind this number.
sub sent {
    my ($self, $last) = @_;
    return map { {
        seq => $_->{seq}, at => unix_time($_->{at}), to => "$_->{to}",
        text => $_->{text} =~ s/\n/ /gr,
    } } $self->stack->sent($last);
}

# Unix time of RFC 3339 text, with its ms.
sub unix_time {
    my ($y, $mon, $d, $h, $min, $s) =
        $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/ or die $_[0];
    return timegm(int $s, $min, $h, $d, $mon - 1, $y) + $s - int $s;
}

# What PostgreSQL knows of what came since.
sub record {
    my ($self, $began) = @_;
    my %jobs = map { $_->[0] => { status => $_->[1], turn => $_->[2] } }
        $self->stack->psql("SELECT id, status, turn FROM jobs
            WHERE updated_at >= '$began'");
    my @replies = map { { to => $_->[0], state => $_->[1],
                          turn => $_->[2], text => $_->[3] } }
        $self->stack->psql("SELECT address, state, turn,
            translate(text, E'\\n', ' ') FROM messages
            WHERE direction = 'out' AND updated_at >= '$began'");
    return (jobs => \%jobs, replies => \@replies);
}


# --- for the injectors

# Endpoints that are not named behave as they do without a fault.
sub behave {
    my ($self, %faults) = @_;
    my %behaviour = map { $_ => { %{ $NORMAL{$_} }, %{ $faults{$_} // {} } } }
        keys %NORMAL;
    $self->undo(sub { $self->behave }) if %faults;
    $self->stack->behaviour(\%behaviour);
}

# For a worker that the stack does not keep.
sub worker_environment {
    my ($self) = @_;
    return (%WORKER,
        Setter::Sandbox::environment($self->stack->env('SANDBOX_URL')),
        map { $_ => $self->stack->env($_) }
            qw(SETTER_REDIS_URL SETTER_DATABASE_URL));
}

# Waits until the sandbox's calls are as the code wants them.
sub wait_calls {
    my ($self, $code) = @_;
    $self->stack->wait_for('calls to be under way', 20, sub {
        $code->($self->stack->sandbox('GET', '/sandbox/calls'));
    });
}

# The folder of nginx's spool, where it has one.
sub spool {
    my ($self) = @_;
    return slurp($self->stack->dir . '/nginx/stack.conf')
        =~ /^\s*setter_spool\s+(\/[^\s;]+)/m ? $1 : undef;
}

# One of nginx's metrics, without labels.
sub metric {
    my ($self, $name) = @_;
    my $answer = $self->stack->request(GET =>
        $self->stack->env('SETTER_URL') . '/metrics');
    return $answer->{content} =~ /^\Q$name\E (\S+)$/m ? $1 : -1;
}

# For who looks into what happened.
sub say { shift; print STDERR map { "# $_\n" } @_ }

# How many turns a worker has in hand.
sub turns_of {
    my ($self, $service) = @_;
    my ($redis, $pid) = ($self->redis, $self->stack->pid($service));
    return grep { ($redis->hget($_, 'worker') // '') =~ /-$pid\z/ }
        $redis->keys('setter:*:claim:*');
}

sub redis_socket {
    my ($self) = @_;
    my ($path) = $self->stack->env('SETTER_REDIS_URL') =~ /^unix:(.*)/;
    return $path;
}

# A connection of its own to Redis itself.
sub redis { return Redis->new(sock => $_[0]->redis_socket, reconnect => 0) }

sub children {
    my ($pid) = @_;
    return map { split } map { slurp($_) } glob "/proc/$pid/task/*/children";
}

# Empty where the process has gone.
sub slurp {
    open my $in, '<', $_[0] or return '';
    local $/;
    return scalar(<$in>) // '';
}

sub titled {
    my ($title, @pids) = @_;
    return grep { slurp("/proc/$_/cmdline") =~ $title } @pids;
}

# Those that take requests.
sub nginx_workers {
    my ($self) = @_;
    return titled(qr/worker process\0*\z/,
        children($self->stack->pid('nginx')));
}

# PostgreSQL's processes that serve Setter's workers.
sub worker_backends {
    my ($self) = @_;
    return titled(qr/^postgres: setter_worker /,
        children($self->stack->pid('postgres')));
}


# --- what it costs

# MiB of a process's own memory and descriptors, by service.
sub resources {
    my ($self) = @_;
    my %pids = (nginx => [ $self->nginx_workers ],
        workers => [ $self->stack->worker_pids ],
        redis => [ $self->stack->pid('redis') ]);
    return { map {
        my @of = @{ $pids{$_} };
        $_ => { mib => sum0(map { anonymous($_) } @of) / 1024,
                fds => sum0(map { scalar(() = glob "/proc/$_/fd/*") } @of) };
    } keys %pids };
}

sub anonymous {
    my ($kib) = slurp("/proc/$_[0]/status") =~ /^RssAnon:\s+(\d+)/m;
    return $kib // 0;
}


# --- aims

# What must not be, in words: nothing, where all is well.
sub wrong {
    my ($row, $verdict) = @_;
    my @wrong = map {
        my @names = @{ $verdict->{$_} };
        @names ? "$_ " . @names . ": @names[0 .. ($#names > 4 ? 4 : $#names)]"
            : ();
    } @LISTS;
    push @wrong, "$verdict->{unknown} unknown, and no connection was cut"
        if $verdict->{unknown} && !$row->{cuts};
    push @wrong, 'nothing was accepted' if !$verdict->{accepted};
    return @wrong;
}

# The same of a result, and the aims that depend on the machine.
sub missed {
    my ($row, $result) = @_;
    my $verdict = $result->{verdict};
    my @missed = wrong($row, $verdict);
    push @missed, sprintf 'recovery %.1f s, aim %g s', $verdict->{recovery},
        $row->{within}
        if defined $row->{within} && $verdict->{recovery} > $row->{within};
    push @missed, sprintf 'webhook p99 %.0f ms, aim %d ms',
        1000 * $verdict->{p99}, $row->{p99}
        if $row->{p99} && 1000 * $verdict->{p99} > $row->{p99};
    push @missed, growth(@$result{qw(before after)}) if $row->{settled};
    return @missed;
}

# A line of them, for the log of a test.
sub figures {
    my ($result) = @_;
    my $v = $result->{verdict};
    return sprintf 'accepted %d, refused %d, unknown %d, dead %d, recovery'
        . ' %.1f s, webhook p99 %.0f ms, reply p50 %.1f s',
        @$v{qw(accepted refused unknown dead recovery)},
        1000 * ($v->{p99} // 0), $v->{reply} // 0;
}

# By more than what a process rearranges.
sub growth {
    my ($before, $after) = @_;
    return map {
        my ($was, $is) = map { $_->{mib} } $before->{$_}, $after->{$_};
        my ($had, $has) = map { $_->{fds} } $before->{$_}, $after->{$_};
        ($is > $was * 1.1 + 1 ? sprintf '%s grew from %.1f to %.1f MiB', $_,
                $was, $is : ()),
        ($has > $had + 16 ? "$_ grew from $had to $has descriptors" : ());
    } sort keys %$before;
}

1;
