package Setter::Load;

# Messages sent to the nginx of a suite (Setter::Suite, master_on()) while
# something happens to it, and what has become of them.
#
#   my @sent = under_load(6, sub { reload() });
#   verdict(@sent);
#       # "0 lost, 0 doubled, 0 disordered, 0 refused; 815 accepted"
#
# Each of the clients is one person: it sends the next message when the last
# one was answered, each over a new connection, and every message says who
# wrote it and which it is.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use JSON::XS ();
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(master workers_of until_true reload send_message answer tally
    under_load verdict log_lines metric);

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

sub until_true {
    my ($condition) = @_;
    my $end = time + 20;

    while (time < $end) {
        return 1 if $condition->();
        sleep 0.01;
    }
    return 0;
}

# Reloads, and waits until a worker of the new configuration is there and
# those of the old one have left.
sub reload {
    my %old = map { $_ => 1 } workers_of(master());

    kill 'HUP', master();
    return until_true(sub {
        my @now = workers_of(master());
        return @now && !grep { $old{$_} } @now;
    });
}

sub send_message {
    my (%members) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => main::server_port_for_client(), Timeout => 10)
        or die "connect: $!";
    my $body = JSON::XS->new->utf8->canonical->encode(
        { from => '1', text => 'a', %members });

    $socket->autoflush(1);
    print $socket "POST /w HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";
    return $socket;
}

# What became of a message.
sub answer {
    my ($socket) = @_;
    local $/;
    my $text = <$socket> // '';
    close $socket;
    return $text =~ /^HTTP\/1\.1 201 .*"SUCCESS"/s ? 'accepted'
        : $text =~ /^HTTP\/1\.1 (\d+)/ ? $1 : 'no answer';
}

sub tally {
    my %n;
    $n{$_}++ for @_;
    return join ', ', map { "$n{$_} $_" } sort { $a cmp $b } keys %n;
}

# Returns [person, number, answer] of each message, then, as the last one,
# whether $code has returned something true.
sub under_load {
    my ($persons, $code, %members) = @_;

    my @clients = map { client($_, %members) } 1 .. $persons;

    sleep 0.1;
    my $done = $code->();
    sleep 0.1;
    kill 'TERM', map { $_->{pid} } @clients;

    my @sent;
    for my $client (@clients) {
        my $reader = $client->{reader};
        push @sent, map { chomp; [ split /\t/ ] } <$reader>;
        waitpid $client->{pid}, 0;
    }
    return (@sent, $done);
}

sub client {
    my ($person, %members) = @_;

    pipe my $reader, my $writer or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid != 0) {
        close $writer;
        return { pid => $pid, reader => $reader };
    }

    my $go = 1;
    $SIG{TERM} = sub { $go = 0 };
    my @lines;
    for (my $n = 1; $go; $n++) {
        my $answer = eval {
            answer(send_message(%members, from => "p$person", text => "$n"))
        } // "died: $@";
        push @lines, "$person\t$n\t$answer\n";
    }
    print $writer @lines;
    close $writer;
    POSIX::_exit(0);
}

# Compares what was answered with what has reached the inbox: messages that
# were accepted and are not there; that are there as two jobs; that stand
# behind a later one of the same person; and that are there although they
# were refused.  A job that is there more than once counts where it is first.
sub verdict {
    my (@sent) = @_;
    my $done = pop @sent;
    my $redis = Setter::Suite::redis();
    my %bad = map { $_ => 0 } qw(lost doubled disordered refused);
    my (%job, %at, %last);
    my $n = 0;

    for my $entry (@{ $redis->xrange('setter:{mm}:inbox', '-', '+') }) {
        my %field = @{ $entry->[1] };
        my $job = JSON::XS::decode_json($field{j});
        my $key = "$job->{from} $job->{text}";

        if (exists $job{$key}) {
            $bad{doubled}++ if $job{$key} ne $job->{id};
            next;
        }
        $job{$key} = $job->{id};
        $bad{disordered}++ if $job->{text} < ($last{ $job->{from} } // 0);
        $last{ $job->{from} } = $job->{text};
    }

    for my $message (@sent) {
        my ($person, $number, $answer) = @$message;
        my $there = exists $job{"p$person $number"};
        $bad{lost}++ if $answer eq 'accepted' && !$there;
        $bad{refused}++ if $answer eq '503' && $there;
    }

    return join(', ', map { "$bad{$_} $_" }
        qw(lost doubled disordered refused)) . '; '
        . tally(map { $_->[2] } @sent) . ($done ? '' : '; not done');
}

# The lines of the error log that match.
sub log_lines {
    my ($pattern) = @_;
    open my $file, '<', main::server_root() . '/logs/error.log' or return;
    return grep { /$pattern/ } <$file>;
}

# The value of a metric.
sub metric {
    my ($name) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => main::server_port_for_client(), Timeout => 10)
        or die "connect: $!";
    print $socket "GET /metrics HTTP/1.0\r\n\r\n";
    local $/;
    my ($value) = <$socket> =~ /^\Q$name\E (\S+)$/m;
    return $value;
}

1;
