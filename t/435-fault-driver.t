# The fault suite's provider: a schedule that does not wait, messages that
# come again until they are accepted, and a true account of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::XS ();
use POSIX ();
use Setter::FaultDriver;
use Test::More;
use Time::HiRes qw(sleep time);

my $json = JSON::XS->new->utf8;
my $dir = File::Temp->newdir;
my $listener = listen_on(0);

sub listen_on {
    my ($port) = @_;
    return IO::Socket::INET->new(Listen => 128, ReuseAddr => 1,
        LocalAddr => '127.0.0.1', LocalPort => $port) || die "listen: $!";
}

# A server whose answers the code decides, from the path, the body, how often
# that body and how many requests came before: "201 SUCCESS", "hold" or "cut".
# What it held is answered when it has held so many.  Returns its pid.
sub serve {
    my ($code, $many) = @_;
    my $requests = 0;
    my $parent = $$;
    defined(my $pid = fork) or die "fork: $!";
    return $pid if $pid;

    my $select = IO::Select->new($listener);
    my (%seen, %in, @held);
    while (getppid() == $parent) {
        for my $socket ($select->can_read(1)) {
            if ($socket == $listener) {
                $select->add(scalar $listener->accept);
                next;
            }
            my $n = sysread $socket, $in{$socket}, 65536,
                length($in{$socket} // '');
            my ($path, $body) = ($in{$socket} // '')
                =~ m{\APOST (\S+) .*?\r\n\r\n(\{.*\})\z}s;
            my $what = !$n ? 'cut'
                : defined $body
                ? $code->($path, $body, $seen{$body}++, $requests++)
                : next;
            $in{$socket} = '';
            if ($what eq 'hold') {
                push @held, $socket;
                next if @held < $many;
                answer($_, '201 SUCCESS') for splice @held;
            } elsif ($what eq 'cut') {
                $select->remove($socket);
                close $socket;
            } else {
                answer($socket, $what);
            }
        }
    }
    POSIX::_exit(0);
}

sub answer {
    my ($socket, $what) = @_;
    my ($status, $text) = split ' ', $what;
    my $body = qq({"id":"the-id","status":"$text"});
    print { $socket } "HTTP/1.1 $status X\r\nContent-Length: ",
        length $body, "\r\n\r\n$body";
    $socket->flush;
}

# Lets a driver run for so long against such a server: its attempts.
sub drive {
    my ($seconds, $args, @server) = @_;
    my $pid = serve(@server);
    my $driver = Setter::FaultDriver->start(port => $listener->sockport,
        file => "$dir/attempts", base => 1000, rate => 50, seed => 1,
        %$args);
    sleep $seconds;
    my @attempts = $driver->stop;
    kill KILL => $pid;
    waitpid $pid, 0;
    return @attempts;
}

sub name { return "c$_[0]{c} n$_[0]{n}" }

sub by_name {
    my %by;
    push @{ $by{ name($_) } }, $_ for @_;
    return \%by;
}

subtest 'all is accepted' => sub {
    my @attempts = drive(1, {}, sub { '201 SUCCESS' });
    cmp_ok scalar(@attempts), '>=', 25, 'a steady rate';
    is_deeply [ grep { !$_->{ok} || $_->{status} != 201
        || $_->{id} ne 'the-id' } @attempts ], [], 'each once, on record';
    my @due = sort { $a <=> $b } map { $_->{due} } @attempts;
    is_deeply [ grep { abs($due[$_] - $due[0] - $_ / 50) > 0.001 }
        0 .. $#due ], [], 'due by the schedule';

    my %numbers;
    push @{ $numbers{ $_->{c} } }, $_->{n}
        for sort { $a->{due} <=> $b->{due} } @attempts;
    is_deeply [ grep { "@{ $numbers{$_} }" ne join ' ',
        1 .. @{ $numbers{$_} } } keys %numbers ], [], 'numbered in order';
};

subtest 'the schedule does not wait for answers' => sub {
    my @attempts = drive(1, {}, sub { $_[3] < 20 ? 'hold' : '201 SUCCESS' },
        20);
    cmp_ok scalar(@attempts), '>=', 20, 'twenty were under way at once';
    is_deeply [ grep { !$_->{ok} } @attempts ], [], 'and were accepted';
};

subtest 'what was not accepted comes again' => sub {
    my @attempts = drive(0.5, {}, sub {
        my ($path, $body, $before) = @_;
        return $before == 0 ? '503 ERROR' : $before == 1 ? 'cut'
            : '201 SUCCESS';
    });
    my $by = by_name(@attempts);
    is_deeply [ grep { join(' ', map { $_->{status} } @{ $by->{$_} })
        ne '503 0 201' } keys %$by ], [], 'refused, cut, accepted';
    is_deeply [ grep { $_->{ok} != ($_->{status} == 201) } @attempts ], [],
        'only the last counts';
    my ($tries) = values %$by;
    cmp_ok $tries->[2]{begun}, '>', $tries->[1]{ended}, 'one after the other';
};

subtest 'a 201 that says ERROR' => sub {
    my @attempts = drive(1, {}, sub {
        my ($path, $body, $before) = @_;
        return $before || $path !~ /instagram/ ? '201 SUCCESS' : '201 ERROR';
    });
    my @refused = grep { !$_->{ok} } @attempts;
    cmp_ok scalar(@refused), '>', 0, 'is no acceptance';
    my $by = by_name(@attempts);
    is_deeply [ grep { @{ $by->{ name($_) } } > 1 } @refused ], [],
        'and not repeated, where that door always answers so';
};

subtest 'copies' => sub {
    my @attempts = drive(0.5, { copies => 3 }, sub { 'hold' }, 3);
    my $by = by_name(@attempts);
    is_deeply [ grep { @{ $by->{$_} } != 3 } keys %$by ], [],
        'three posts of each message, at once';
};

subtest 'nobody listens' => sub {
    my $port = $listener->sockport;
    close $listener;
    my $driver = Setter::FaultDriver->start(port => $port,
        file => "$dir/attempts", base => 1000, rate => 50, seed => 1);
    sleep 0.5;
    $listener = listen_on($port);
    my $pid = serve(sub { '201 SUCCESS' });
    my @attempts = $driver->stop;
    kill KILL => $pid;
    waitpid $pid, 0;
    my $by = by_name(@attempts);
    cmp_ok scalar(grep { $_->{status} == 0 } @attempts), '>', 0, 'no answer';
    is_deeply [ grep { !$by->{$_}[-1]{ok} } keys %$by ], [],
        'all is accepted in the end';
};

done_testing;
