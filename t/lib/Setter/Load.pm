package Setter::Load;

# Messages sent to the nginx of a suite while something happens to it, and
# what has become of them.
#
#   my @sent = under_load(6, sub { reload() });
#   verdict(@sent);
#       # "0 lost, 0 doubled, 0 disordered, 0 refused; all accepted"
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

use Setter::Master ();

our @EXPORT = qw(send_message answer tally say_all under_load answered verdict
    texts drained log_lines metric);

# Where the messages go, and what metric() reads.
our $CONFIG = <<'EOC';
    location /w {
        setter_tenant acme;
        setter_webhook generic;
        setter_set provider meta;
    }
    location /metrics { setter_api metrics; }
EOC

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

# Sends these texts one after another.
sub say_all { return tally(map { answer(send_message(text => "$_")) } @_) }

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

# Without those whose nginx worker was killed before it answered.
sub answered {
    return grep { !ref || $_->[2] ne 'no answer' } @_;
}

# Compares what was answered with what has reached the inbox: messages that
# were accepted and are not there; that are there as two jobs; that stand
# behind a later one of the same person; and that are there although they
# were refused.  A job that is there more than once counts where it is first.
sub verdict {
    my (@sent) = @_;
    my $done = pop @sent;
    # what came last may be in the spool still
    my $drained = drained();
    my %bad = map { $_ => 0 } qw(lost doubled disordered refused);
    my (%job, %last);

    for my $entry (@{ Setter::Suite::redis()->xrange('setter:{mm}:inbox',
        '-', '+') })
    {
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

    my $n = @sent;
    my $tally = tally(map { $_->[2] } @sent);
    return join(', ', map { "$bad{$_} $_" }
        qw(lost doubled disordered refused)) . '; '
        . ($n > 20 && $tally eq "$n accepted" ? 'all accepted' : $tally)
        . ($done ? '' : '; not done') . ($drained ? '' : '; not drained');
}

# The texts in the inbox, once there are so many and none is in the spool.
sub texts {
    my ($n) = @_;
    my @texts;
    Setter::Master::until_true(sub {
        @texts = map { { @{ $_->[1] } }->{j} =~ /"text":"([^"]*)"/ }
            @{ Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+') };
        return @texts >= $n && metric('setter_spool_records') == 0;
    });
    return @texts;
}

# All that is in the spool has been sent to Redis.
sub drained {
    return Setter::Master::until_true(sub {
        (metric('setter_spool_records') // 0) == 0
    });
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
