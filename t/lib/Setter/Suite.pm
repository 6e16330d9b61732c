package Setter::Suite;

# What the module's suites share; to be used before Test::Nginx::Socket:
#
#   use Setter::Suite;      finds the module and the harness
#   use Setter::Suite qw(redis fake);       and starts a Redis, and a scripted
#                                           one, of the suite's own
#   use Setter::Suite qw(tls);              and starts one that has TLS, too
#   use Setter::Suite qw(unloaded);         leaves it to the blocks to load
#                                           $TEST_NGINX_SETTER_MODULE
#
# Test::Nginx::Socket is the one in PERL5LIB where there is one, else that in
# t/lib/harness.  SETTER_GENUINE=1 insists on the former, 0 on the latter.
# The module is the one of $SETTER_BUILD (build); TEST_NGINX_LOAD_MODULES
# wins.  In configurations
#   $TEST_NGINX_REDIS       is the Redis's address for setter_redis
#   $TEST_NGINX_FAKE        is the scripted one's, and $TEST_NGINX_FAKE_PORT
#                           its port alone
#   $TEST_NGINX_NOWHERE     is one where nothing listens
#   $TEST_NGINX_TLS         is host and port of the one with TLS, whose
#                           certificate is for redis.test and 127.0.0.1
#   $TEST_NGINX_CERTIFICATES    is the folder of Certificates.pm
# and a block without http_config has "setter_redis $TEST_NGINX_REDIS;
# setter_tenants any;".  Before each block the Redis, if it runs, is emptied.
#
# Sections of the suites:
#   queued      how many jobs the request made; 1 where only "job" is given,
#               and 0 has to be said
#   job         lines about the last of them: "path: text", "path ~ regex",
#               "! path".  A path leads into the envelope; header.NAME is a
#               field of the header line
#   envelope_like   regex on the envelope as it is stored
#   fake        the script of the scripted Redis (FakeRedis.pm)
#   fake_saw    lines "COMMAND argument ...", each the beginning of a command
#               that it received, "! COMMAND ..." of none, "N x COMMAND ..."
#               of exactly N
# Each may be an array, one element a request, as other expectations.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Spec;
use IO::Socket::INET;
use JSON::XS;
use Test::More ();
use Time::HiRes qw(sleep time);

use Setter::Certificates;
use Setter::FakeRedis;
use Setter::Redis;

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my @HEADER = qw(version id tenant kind lane received_ms debounce_ms
    debounce_max_ms send_at_ms);
my $JSON = JSON::XS->new->canonical->allow_nonref;
my $JSON_UTF8 = JSON::XS->new->utf8->allow_nonref;

our ($server, $fake, $certificates);
my $redis;
my %last;               # of each inbox, the id of the last entry seen
my @scripts;            # of the blocks, for the scripted Redis


sub import {
    my ($class, @wanted) = @_;
    my %wanted = map { $_ => 1 } @wanted;

    find_module();
    $ENV{TEST_NGINX_SETTER_MODULE} = $ENV{TEST_NGINX_LOAD_MODULES};
    $ENV{TEST_NGINX_LOAD_MODULES} = '' if $wanted{unloaded};
    find_harness();
    $ENV{TEST_NGINX_NOWHERE} = 'redis://127.0.0.1:' . free_port();

    if ($wanted{redis} || $wanted{tls}) {
        $server = Setter::Redis->start($wanted{tls} ? tls_settings() : ());
        $ENV{TEST_NGINX_REDIS} = $server->url;
    }

    if ($wanted{fake}) {
        $fake = Setter::FakeRedis->new(free_port());
        $ENV{TEST_NGINX_FAKE_PORT} = $fake->port;
        $ENV{TEST_NGINX_FAKE} = 'redis://127.0.0.1:' . $fake->port;
    }

    hook_into_harness();
}


sub tls_settings {
    my $port = free_port();

    $certificates = Setter::Certificates->make;
    $ENV{TEST_NGINX_TLS} = "127.0.0.1:$port";
    $ENV{TEST_NGINX_CERTIFICATES} = $certificates->dir;
    return ($certificates->server('good'), 'tls-port' => $port);
}


sub find_module {
    return if defined $ENV{TEST_NGINX_LOAD_MODULES};

    my $build = File::Spec->rel2abs($ENV{SETTER_BUILD} // 'build', $ROOT);
    my $module = "$build/ngx_http_setter_module.so";

    die "$module is not built: run \"make module\"\n" if !-e $module;
    $ENV{TEST_NGINX_LOAD_MODULES} = $module;
}


sub find_harness {
    my $wanted = $ENV{SETTER_GENUINE} // '';
    my ($found) = grep { -e "$_/Test/Nginx/Socket.pm" } @INC;

    die "SETTER_GENUINE: no Test::Nginx::Socket in PERL5LIB\n"
        if $wanted eq '1' && !defined $found;

    if ($wanted eq '0' || !defined $found) {
        unshift @INC, "$ROOT/t/lib/harness";

    } elsif (!defined $ENV{TEST_NGINX_PORT}
             && !defined $ENV{TEST_NGINX_SERVROOT})
    {
        $ENV{TEST_NGINX_RANDOMIZE} = 1;
    }
}


sub hook_into_harness {
    require Test::Nginx::Socket;

    if (Test::Nginx::Socket->can('allow_sections')) {
        Test::Nginx::Socket::allow_sections(
            qw(queued job envelope_like fake fake_saw));
    }
    Test::Nginx::Socket::add_block_preprocessor(\&prepare);
    Test::Nginx::Socket::add_response_body_check(\&check);
}


# below the ephemeral ports, so that no outgoing connection takes it
sub free_port {
    for (1 .. 200) {
        my $port = 10000 + int rand 22000;
        return $port if IO::Socket::INET->new(Listen => 1,
            LocalAddr => '127.0.0.1', LocalPort => $port);
    }
    die "no free port\n";
}


sub prepare {
    my ($block) = @_;

    $block->set_value('http_config',
        "setter_redis \$TEST_NGINX_REDIS;\nsetter_tenants any;\n")
        if !defined $block->http_config && defined $server;

    # the former nginx has ended when this runs
    push @scripts, scalar $block->fake;
    my $own = $block->post_setup_server_root // '';
    $block->set_value('post_setup_server_root',
        "Setter::Suite::begin($#scripts);\n$own");
}


sub begin {
    my ($n) = @_;

    redis()->flushall if $server && $server->runs;
    %last = ();
    $fake->stop if $fake;
    $fake->play($scripts[$n]) if defined $scripts[$n];
}


# Posts a body to the nginx of the block, beside the block's own requests, on
# a connection of its own; returns status, body and the head of the answer.
sub post {
    my ($uri, $body, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client(),
        Timeout => 10) or die "connect: $!\n";
    $socket->autoflush(1);
    print $socket join("\r\n", "POST $uri HTTP/1.1", 'Host: localhost',
        'Connection: close', 'Content-Length: ' . length $body, @headers, '',
        $body);

    local $/;
    my ($head, $text) = split /\r\n\r\n/, <$socket> // '', 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)};

    return ($status // 0, $text, $head);
}


# A connection to the Redis; made again when the server was.
sub redis {
    return $redis if $redis && eval { $redis->ping };
    return $redis = $server->client;
}


# The entries that have come to the inboxes since the last look: [h, j].
sub new_entries {
    my @entries;

    for my $key (sort { $a cmp $b } redis()->keys('setter:*:inbox')) {
        my $from = defined $last{$key} ? "($last{$key}" : '-';
        for my $entry (redis()->xrange($key, $from, '+')) {
            my ($id, $fields) = @$entry;
            my %fields = @$fields;
            $last{$key} = $id;
            push @entries, [@fields{qw(h j)}];
        }
    }
    return @entries;
}


sub expected {
    my ($block, $section, $i) = @_;

    my ($value) = $block->$section;
    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}


sub check {
    my ($block, $body, $i, $repeat, $dry_run) = @_;

    return if $dry_run;

    my $name = $block->name . " - request $i";
    my $queued = expected($block, 'queued', $i);
    my $job = expected($block, 'job', $i);
    my $like = expected($block, 'envelope_like', $i);
    my $saw = expected($block, 'fake_saw', $i);

    check_seen($name, $saw) if defined $saw;
    return if !defined $queued && !defined $job && !defined $like;

    my @entries = new_entries();
    Test::More::is(scalar @entries, $queued // 1, "$name - queued");
    return if !@entries;

    check_job($name, $entries[-1], $job, $body) if defined $job;
    Test::More::like($entries[-1][1], qr/$like/s, "$name - envelope")
        if defined $like;
}


sub check_job {
    my ($name, $entry, $lines, $body) = @_;

    my ($header, $text) = @$entry;
    my $job = eval { $JSON_UTF8->decode($text) };
    my %header;

    Test::More::ok(defined $job, "$name - the envelope is JSON")
        or return Test::More::diag($text);
    @header{@HEADER} = split /\t/, $header, -1;

    my $answer = eval { $JSON_UTF8->decode($body) };
    Test::More::is($answer->{id}, $job->{id}, "$name - the id answered")
        if ref $answer eq 'HASH' && exists $answer->{id};
    Test::More::is($header{$_}, $job->{$_}, "$name - $_ is in the header")
        for qw(id tenant kind lane);

    check_line($name, { %$job, header => \%header }, $_)
        for grep { /\S/ } split /\n/, $lines;
}


sub check_line {
    my ($name, $job, $line) = @_;

    if ($line =~ /^\s*!\s*(\S+)/) {
        Test::More::ok(!defined walk($job, $1), "$name - no $1");

    } elsif ($line =~ /^\s*(\S+?)\s*:\s?(.*)\z/) {
        Test::More::is(text_of(walk($job, $1)), $2, "$name - $1");

    } elsif ($line =~ /^\s*(\S+)\s+~\s+(.*?)\s*\z/) {
        Test::More::like(text_of(walk($job, $1)), qr/$2/, "$name - $1");

    } else {
        die "$name: job: \"$line\" says nothing\n";
    }
}


# A reference to the value at a path, or nothing.
sub walk {
    my ($value, $path) = @_;

    for my $step (split /\./, $path) {
        if (ref $value eq 'HASH' && exists $value->{$step}) {
            $value = $value->{$step};
        } elsif (ref $value eq 'ARRAY' && $step =~ /^\d+\z/
                 && $step < @$value)
        {
            $value = $value->[$step];
        } else {
            return;
        }
    }
    return \$value;
}


# A string as it is, in UTF-8; anything else as JSON.
sub text_of {
    my ($place) = @_;

    return undef if !defined $place;
    my $text = defined $$place && !ref $$place && !JSON::XS::is_bool($$place)
        ? "$$place" : $JSON->encode($$place);
    utf8::encode($text) if utf8::is_utf8($text);
    return $text;
}


# What was sent is seen a moment later where nothing was replied.
sub check_seen {
    my ($name, $lines) = @_;

    for my $line (grep { /\S/ } split /\n/, $lines) {
        my ($not, $times, $command)
            = $line =~ /^\s*(!\s*)?(?:(\d+)\s+x\s+)?(.*?)\s*\z/;
        my $until = time + 3;
        my @seen;

        while (1) {
            @seen = map { join ' ', @$_[1 .. $#$_] } $fake->received;
            my $n = grep { index($_, $command) == 0 } @seen;
            $times = 0 if $not;
            my $ok = defined $times ? $n == $times : $n > 0;
            if ($ok || time > $until) {
                Test::More::ok($ok, "$name - fake_saw: $line")
                    or Test::More::diag(map { "$_\n" } @seen);
                last;
            }
            sleep 0.01;
        }
    }
}


# a suite that is killed ends its servers as well
$SIG{$_} ||= sub { exit 1 } for qw(HUP INT PIPE TERM);

END {
    local $?;
    undef $fake;
    undef $redis;
    undef $server;
    undef $certificates;
}


1;
