package Test::Nginx::Util;

# The nginx under test: its settings, its private directory, its
# configuration file, its start and its end.

use strict;
use warnings;

use Cwd qw(getcwd);
use Errno qw(ESRCH);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our $RANDOM_PORTS_FROM = 10000;     # below the ephemeral ports, so that no
our $RANDOM_PORTS_TO = 32000;       # outgoing connection takes one meanwhile

our $Binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
our $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT};
our $ServerPortForClient = $ENV{TEST_NGINX_CLIENT_PORT}
    || $ENV{TEST_NGINX_PORT};
our $ServerAddr = '127.0.0.1';
our $ServerName = 'localhost';
our $ServRoot;

our $Timeout = $ENV{TEST_NGINX_TIMEOUT} || 3;
our $SleepTime = $ENV{TEST_NGINX_SLEEP} || 0.015;
our $LogLevel = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
our $MasterProcess = ($ENV{TEST_NGINX_MASTER_PROCESS} || 'off') eq 'on';
our $Workers = 1;
our $WorkerConnections = 64;
our $Preamble = '';
our $RootLocation = 1;
our @Env;
our $Verbose = $ENV{TEST_NGINX_VERBOSE};

our $QUIT_TIME = 15;    # seconds; who needs longer will never quit

my $pid;                # of the running nginx
my $root_made;
my $owner = $$;


sub note {
    print STDERR map { "# $_\n" } split /\n/, join '', @_ if $Verbose;
}


# A port of 127.0.0.1 that nothing listens on.
sub free_port {
    for (1 .. 200) {
        my $port = $RANDOM_PORTS_FROM
            + int rand($RANDOM_PORTS_TO - $RANDOM_PORTS_FROM);
        my $socket = IO::Socket::INET->new(LocalAddr => $ServerAddr,
            LocalPort => $port, Listen => 1, ReuseAddr => 0);
        return $port if $socket;
    }

    die "no free port found on $ServerAddr\n";
}


# Ports and server root, chosen when first needed: by default a free port
# and a directory of its own, so that suites run side by side.
sub settle {
    return if defined $ServRoot;

    my $chosen = !defined $ServerPort || $ENV{TEST_NGINX_RANDOMIZE};
    if ($chosen) {
        $ServerPort = free_port();
        $ServerPortForClient = $ServerPort;
    }
    $ServerPortForClient = $ServerPort if !defined $ServerPortForClient;

    $ServRoot = $ENV{TEST_NGINX_SERVROOT};
    if (!defined $ServRoot || $ENV{TEST_NGINX_RANDOMIZE}) {
        $ServRoot = getcwd() . "/t/servroot_$ServerPort";
    }
    $ServRoot = getcwd() . "/$ServRoot" if $ServRoot !~ m{^/};
    $ServRoot =~ s{/+\z}{};

    $ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;
    $ENV{TEST_NGINX_SERVER_PORT} = $ServerPort;
    $ENV{TEST_NGINX_HTML_DIR} = "$ServRoot/html";
}


sub server_root { settle(); return $ServRoot }
sub html_dir { settle(); return "$ServRoot/html" }
sub server_port { settle(); return $ServerPort }
sub server_port_for_client { settle(); return $ServerPortForClient }


# Takes the place of $TEST_NGINX_XXX in a section's value; rand_ports keeps
# the block's $TEST_NGINX_RAND_PORT_N.
sub expand {
    my ($value, $rand_ports, $where) = @_;

    return $value if !defined $value;

    if (ref $value eq 'ARRAY') {
        return [map { expand($_, $rand_ports, $where) } @$value];
    }
    return $value if ref $value;

    $value =~ s{\$(TEST_NGINX_\w+)|\$\{(TEST_NGINX_\w+)\}}
               {expand_name($1 // $2, $rand_ports, $where)}eg;
    return $value;
}


sub expand_name {
    my ($name, $rand_ports, $where) = @_;

    if ($name =~ /^TEST_NGINX_RAND_PORT_(\d+)\z/) {
        return $rand_ports->{$1} ||= free_port();
    }
    return $ENV{$name} if defined $ENV{$name};

    die "$where: \$$name is not in the environment\n";
}


sub make_root {
    settle();

    if (-e $ServRoot && !-e "$ServRoot/conf" && !-e "$ServRoot/logs") {
        opendir my $dir, $ServRoot or die "$ServRoot: $!\n";
        die "$ServRoot is not a server root: it stays as it is\n"
            if grep { !/^\.\.?\z/ } readdir $dir;
    }

    remove_tree($ServRoot);
    make_path(map { "$ServRoot/$_" } qw(conf logs html));
    $root_made = 1;
    write_file("$ServRoot/html/index.html",
        "<html><head><title>It works!</title></head>"
        . "<body>It works!</body></html>");
}


sub write_file {
    my ($path, $content) = @_;

    make_path(dirname($path));
    open my $file, '>:raw', $path or die "$path: $!\n";
    utf8::encode($content) if utf8::is_utf8($content);
    print $file $content;
    close $file or die "$path: $!\n";
}


# user_files: ">>> path [date]" and content, or an array of
# [path, content, date]; a path is relative to html/
sub write_user_files {
    my ($files) = @_;

    my @files;

    if (ref $files eq 'ARRAY') {
        @files = @$files;

    } else {
        my (undef, @parts) = split /^>>> +(\S+)(?: +(\S+))? *\n/m, $files;
        while (@parts) {
            my ($path, $date, $content) = splice @parts, 0, 3;
            push @files, [$path, $content, $date];
        }
        die "user_files: no \">>> path\" line\n" if !@files;
    }

    for my $file (@files) {
        my ($path, $content, $date) = @$file;
        $path = "$ServRoot/html/$path" if $path !~ m{^/};
        write_file($path, $content // '');
        next if !defined $date;
        system('touch', '-t', $date, $path) == 0
            or die "user_files: touch -t $date failed\n";
    }
}


sub load_modules {
    return join '', map { "load_module $_;\n" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
}


sub env_lines {
    my @names = qw(LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS LSAN_OPTIONS
                   UBSAN_OPTIONS);

    return join '', map { "env $_;\n" }
        (grep { defined $ENV{$_} } @names),
        map { / / ? "'$_'" : $_ } @Env;
}


# conf: the block's parts, already expanded
sub configuration {
    my (%conf) = @_;

    my $listen = listen_directive($conf{http2});
    my $master = $MasterProcess ? 'on' : 'off';
    my $name = $conf{server_name} // $ServerName;
    my $level = $conf{log_level} // $LogLevel;
    my $error_log = $conf{error_log_file} // "$ServRoot/logs/error.log";
    my $postpone = $ENV{TEST_NGINX_POSTPONE_OUTPUT};
    my $event_type = $ENV{TEST_NGINX_EVENT_TYPE};
    my $user = $ENV{TEST_NGINX_WORKER_USER} // ($> == 0 ? 'root' : undef);

    my $text = load_modules()
        . "worker_processes $Workers;\n"
        . "daemon on;\n"
        . "master_process $master;\n"
        . "error_log $error_log $level;\n"
        . "pid $ServRoot/logs/nginx.pid;\n"
        . (defined $user ? "user $user;\n" : '')
        . env_lines()
        . ($conf{main_config} // '') . "\n"
        . "http {\n"
        . "    access_log $ServRoot/logs/access.log;\n"
        . join('', map { "    ${_}_temp_path $ServRoot/${_}_temp;\n" }
               qw(client_body proxy fastcgi uwsgi scgi))
        . "    default_type text/plain;\n"
        . "    keepalive_timeout 68s;\n"
        . (defined $postpone ? "    postpone_output $postpone;\n" : '')
        . ($conf{http_config} // '') . "\n"
        . "    server {\n"
        . "        $listen\n"
        . "        server_name '$name';\n"
        . "        client_max_body_size 30M;\n"
        . "$Preamble\n"
        . ($conf{config} // '') . "\n"
        . ($RootLocation ? "        location / {\n"
            . "            root $ServRoot/html;\n"
            . "            index index.html;\n"
            . "        }\n" : '')
        . "    }\n"
        . "}\n"
        . ($conf{post_main_config} // '') . "\n"
        . "events {\n"
        . "    accept_mutex off;\n"
        . "    worker_connections $WorkerConnections;\n"
        . (defined $event_type ? "    use $event_type;\n" : '')
        . "}\n";

    return $text;
}


sub listen_directive {
    my ($http2) = @_;

    my $listen = "listen $ServerAddr:$ServerPort"
        . ($ENV{TEST_NGINX_REUSE_PORT} ? ' reuseport' : '');

    return "$listen;" if !$http2;
    return version() < 1025001 ? "$listen http2;" : "$listen; http2 on;";
}


# nginx's version as a number, 1.22.1 being 1022001
sub version {
    my ($major, $minor, $patch) = build_info()
        =~ m{nginx/(\d+)\.(\d+)\.(\d+)};

    die "cannot tell the version of $Binary\n" if !defined $patch;
    return ($major * 1000 + $minor) * 1000 + $patch;
}


{
    my $info;

    sub build_info { return $info //= `'$Binary' -V 2>&1` }
}


# Starts nginx on the configuration text; returns its exit status (0: it
# runs) and what it said on its standard error.
sub start {
    my ($text) = @_;

    my $conf = "$ServRoot/conf/nginx.conf";
    my $stderr = "$ServRoot/logs/stderr.log";

    write_file($conf, $text);

    local $ENV{ASAN_OPTIONS} = join ':', grep { defined && length }
        $ENV{ASAN_OPTIONS}, "log_path=$ServRoot/logs/sanitizer";

    my $child = fork // die "fork: $!\n";
    if ($child == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $stderr;
        open STDERR, '>&', \*STDOUT;
        exec $Binary, '-e', "$ServRoot/logs/error.log", '-p', "$ServRoot/",
            '-c', $conf or POSIX::_exit(127);
    }
    waitpid $child, 0;
    my $status = $?;

    if ($status == 0) {
        $pid = read_pid();
        note("nginx $pid listens on $ServerPort");
    }
    return ($status, read_file($stderr));
}


# the daemon writes its pid file shortly after its parent has left
sub read_pid {
    my $until = time + $Timeout + 10;

    while (time < $until) {
        my $text = read_file("$ServRoot/logs/nginx.pid");
        return $1 if $text =~ /^(\d+)\n/;
        sleep 0.005;
    }
    die "nginx has written no pid file\n";
}


sub read_file {
    my ($path, $offset) = @_;

    open my $file, '<:raw', $path or return '';
    seek $file, $offset, 0 if $offset;
    local $/;
    return <$file> // '';
}


sub pid { return $pid }


# a process that has ended but has no parent to collect it counts as gone
sub gone {
    my ($process) = @_;

    return 1 if kill(0, $process) == 0 && $! == ESRCH;
    return read_file("/proc/$process/stat") =~ /\) Z /;
}


# Ends nginx; returns what is to be said of it, nothing when it left well.
sub stop {
    return if !defined $pid;

    my $process = $pid;
    $pid = undef;
    return "nginx $process was gone before its end" if gone($process);

    my $signal = $ENV{TEST_NGINX_FAST_SHUTDOWN} ? 'TERM' : 'QUIT';
    my $until = time + $QUIT_TIME;

    # a single process that is asked before it first waits for events has
    # noticed, but waits: the next signal wakes it
    while (time < $until) {
        kill $signal, $process;
        for (1 .. 50) {
            return if gone($process);
            sleep 0.005;
        }
    }

    my @workers = split ' ', read_file("/proc/$process/task/$process/children");
    kill 'KILL', $process, @workers;
    return "nginx $process did not quit within $QUIT_TIME s";
}


sub remove_root { remove_tree($ServRoot) if $root_made }


# a suite that died, or was killed, must not leave its nginx behind
$SIG{$_} ||= sub { exit 1 } for qw(HUP INT PIPE TERM);

END {
    if ($$ == $owner && defined $pid && !$ENV{TEST_NGINX_NO_CLEAN}) {
        my $status = $?;
        stop();
        $? = $status;
    }
}


1;
