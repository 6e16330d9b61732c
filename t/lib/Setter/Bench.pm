package Setter::Bench;

# What the benchmarks share: private servers, wrk, CPU time of a process,
# medians and a table.  Everything started is ended by stop_all().

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Redis;
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(free_port cpu_seconds median percentile spawn start_redis
    start_nginx run_wrk stop_all work_dir table redis_pipeline);

my @pids;
my $owner = $$;
my $dir;


# A private directory that every user may enter (nginx workers are not root).
sub work_dir {
    if (!$dir) {
        $dir = tempdir('setter-bench-XXXXXX', TMPDIR => 1);
        chmod 0755, $dir;
    }
    return $dir;
}


sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1,
        LocalAddr => '127.0.0.1', LocalPort => 0) or die "no free port: $!\n";
    return $socket->sockport;
}


# CPU time of a process and its threads so far, in seconds: the scheduler's
# own count, in ns.
sub cpu_seconds {
    my ($pid) = @_;
    my $ns = 0;
    for my $file (glob "/proc/$pid/task/*/schedstat") {
        $ns += (split ' ', (read_line($file) // 0))[0];
    }
    return $ns / 1e9;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[ $#sorted / 2 ];
}


sub percentile {
    my ($part, @values) = @_;
    my @sorted = sort { $a <=> $b } @values;
    my $i = int($part * @sorted);
    return $sorted[ $i > $#sorted ? $#sorted : $i ];
}


sub spawn {
    my (@command) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', work_dir() . '/output.log';
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    push @pids, $pid;
    return $pid;
}


# A Redis with the persistence we ship with: AOF, one fsync a second.
sub start_redis {
    my ($path) = @_;
    make_path($path);
    my $socket = "$path/redis.sock";
    my $pid = spawn('redis-server', '--port', 0, '--unixsocket', $socket,
        '--unixsocketperm', 777, '--dir', $path, '--save', '',
        '--appendonly', 'yes', '--appendfsync', 'everysec',
        '--maxmemory-policy', 'noeviction', '--logfile', "$path/redis.log");
    my $client;
    for (1 .. 200) {
        $client = eval { Redis->new(sock => $socket) } and last;
        sleep 0.05;
    }
    die "redis did not start: see $path/redis.log\n" unless $client;
    return { pid => $pid, socket => $socket, client => $client };
}


# peer: name, load (load_module lines), http, server (inside location /).
# Sets its port and worker (pid).
sub start_nginx {
    my ($base, $peer) = @_;
    (my $name = lc $peer->{name}) =~ s/\W+/-/g;
    my $path = "$base/$name";
    make_path("$path/logs");
    $peer->{port} = free_port();

    open my $conf, '>', "$path/nginx.conf" or die "$path: $!\n";
    print $conf ($peer->{load} // '') . <<"CONF";
worker_processes 1;
daemon off;
pid $path/nginx.pid;
error_log $path/logs/error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    @{[ $peer->{http} // '' ]}
    server {
        listen 127.0.0.1:$peer->{port};
        location / { $peer->{server} }
    }
}
CONF
    close $conf;

    my $pid = spawn('nginx', '-p', $path, '-c', "$path/nginx.conf",
        '-e', "$path/logs/error.log");
    for (1 .. 200) {
        my ($worker) = split ' ',
            read_line("/proc/$pid/task/$pid/children") // '';
        if ($worker && IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                PeerPort => $peer->{port})) {
            $peer->{worker} = $worker;
            return;
        }
        sleep 0.05;
    }
    die "nginx of $peer->{name} did not start:\n"
        . `cat $path/logs/error.log $base/output.log`;
}


sub read_line {
    my ($file) = @_;
    open my $in, '<', $file or return;
    return scalar <$in>;
}


# Returns requests, rps, p50 and p99 (ms), failed (answers other than 201, or
# the peer's status).  What the peer has as lua may make requests of the body.
sub run_wrk {
    my ($peer, $body, $seconds) = @_;
    my $status = $peer->{status} // 201;
    my $more = $peer->{lua} // '';
    my $script = work_dir() . '/wrk.lua';
    open my $lua, '>', $script or die "$script: $!\n";
    print $lua <<"LUA";
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Host"] = "acme.example.com"
wrk.body = [==[$body]==]
$more
threads = {}
function setup(thread) table.insert(threads, thread) end
function init() failed = 0 end
function response(status) if status ~= $status then failed = failed + 1 end end
function done(summary, latency)
    local failed = 0
    for _, t in ipairs(threads) do failed = failed + t:get("failed") end
    local e = summary.errors
    print(string.format("RESULT %d %d %d %d %d", summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99),
        failed + e.connect + e.read + e.write + e.timeout))
end
LUA
    close $lua;
    my $url = "http://127.0.0.1:$peer->{port}/webhook";
    my $out = `wrk -t1 -c64 -d${seconds}s -s $script $url 2>&1`;
    my ($n, $us, $p50, $p99, $failed) =
        $out =~ /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/m
        or die "wrk: $out\n";
    return { requests => $n, rps => $n * 1e6 / $us, p50 => $p50 / 1000,
        p99 => $p99 / 1000, failed => $failed };
}


# Sends commands in batches on the client's connection without waiting for
# each reply; returns the replies.
sub redis_pipeline {
    my ($client, @commands) = @_;
    my @replies;
    while (my @batch = splice @commands, 0, 500) {
        for my $command (@batch) {
            my ($name, @args) = @$command;
            $client->$name(@args, sub {
                my ($reply, $error) = @_;
                die "$name: $error\n" if defined $error;
                push @replies, $reply;
            });
        }
        $client->wait_all_responses;
    }
    return @replies;
}


# Rows of cells as a Markdown table; the first row is the heading.
sub table {
    my (@rows) = @_;
    my @width;
    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $len = length $row->[$i];
            $width[$i] = $len if $len > ($width[$i] // 0);
        }
    }
    my $text = '';
    for my $n (0 .. $#rows) {
        $text .= '| ' . join(' | ', map {
            sprintf(($_ ? '%*s' : '%-*s'), $width[$_], $rows[$n][$_])
        } 0 .. $#width) . " |\n";
        next if $n;
        $text .= '|' . join('|', map {
            $_ ? '-' x ($width[$_] + 1) . ':' : '-' x ($width[0] + 2)
        } 0 .. $#width) . "|\n";
    }
    return $text;
}


sub stop_all {
    return unless $$ == $owner;
    my $status = $?;
    kill 'TERM', @pids if @pids;
    for my $pid (@pids) {
        my $gone;
        for (1 .. 100) {
            $gone = waitpid($pid, WNOHANG) != 0 and last;
            sleep 0.05;
        }
        kill 'KILL', $pid unless $gone;
    }
    @pids = ();
    remove_tree($dir) if $dir && !$ENV{BENCH_KEEP};
    $? = $status;
}

1;
