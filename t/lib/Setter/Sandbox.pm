# The sandbox for a test: started on a free port in a folder of its own,
# stopped when the object goes.
#
#   my $sandbox = Setter::Sandbox->start;
#   $sandbox->behave({ chat => { latency_ms => 400 } });
#   my ($status, $answer) = $sandbox->post('/v1/chat/completions', ...);
#   $sandbox->wait_until(sub { $sandbox->calls->{chat}{open} == 3 });

package Setter::Sandbox;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp;
use HTTP::Response;
use IO::Socket::INET;
use JSON::XS;
use Time::HiRes qw(sleep time);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');


sub start {
    my ($class) = @_;
    my $self = bless {
        dir  => File::Temp->newdir('setter-sandbox-XXXXXX', TMPDIR => 1),
        port => free_port(),
    }, $class;

    $self->write_configuration;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        exec '/usr/sbin/nginx', '-p', "$self->{dir}",
             '-e', "$self->{dir}/error.log", '-c', "$self->{dir}/nginx.conf",
             '-g', 'daemon off;';
        die "nginx: $!";
    }

    $self->{pid} = $pid;
    $self->{owner} = $$;
    $self->wait_until(sub {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}");
    }) or die 'the sandbox does not start: ' . $self->error_log;

    return $self;
}


# What a worker needs to talk to the sandbox at that URL, which has no path.
sub environment {
    my ($url) = @_;

    return (OPENAI_BASE_URL => "$url/v1", OPENAI_API_KEY => 'sandbox',
            MANYCHAT_BASE_URL => $url, MANYCHAT_API_KEY => '1:sandbox',
            INFOBIP_BASE_URL => $url, INFOBIP_API_KEY => 'sandbox',
            INFOBIP_SENDER => '15550199',
            META_BASE_URL => "$url/v23.0", META_ACCESS_TOKEN => 'sandbox',
            META_PHONE_NUMBER_ID => '100000000000001',
            INSTAGRAM_BASE_URL => "$url/instagram/v23.0",
            INSTAGRAM_ACCESS_TOKEN => 'sandbox',
            INSTAGRAM_ACCOUNT_ID => '17800000000000001',
            TWILIO_BASE_URL => $url, TWILIO_ACCOUNT_SID => 'ACsandbox',
            TWILIO_AUTH_TOKEN => 'sandbox',
            SETTER_EGRESS_ALLOW => $url =~ s{^http://}{}r);
}


sub free_port {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
           ->sockport;
}


sub write_configuration {
    my ($self) = @_;
    my $conf = slurp("$ROOT/nginx/sandbox.conf");

    $conf =~ s/\@PORT\@/$self->{port}/g;
    $conf =~ s/\@LUA_DIR\@/$ROOT\/nginx\/sandbox/g;

    open my $out, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!";
    print $out $conf;
    close $out or die "nginx.conf: $!";
}


sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
    local $/;
    return <$in>;
}


# Asks every 10 ms, 10 s long at most; what the condition gave at last.
sub wait_until {
    my ($self, $condition) = @_;
    my $end = time + 10;

    while (time < $end) {
        my $result = $condition->();
        return $result if $result;
        sleep 0.01;
    }

    return $condition->();
}


sub port { return $_[0]{port} }
sub url  { return "http://127.0.0.1:$_[0]{port}" }

sub error_log { return slurp("$_[0]{dir}/error.log") }

sub worker_pid {
    my ($self) = @_;

    return (split ' ', slurp("/proc/$self->{pid}/task/$self->{pid}/children"))
           [0];
}


# A request's bytes; HTTP/1.0, so that the answer is never chunked.
sub request_bytes {
    my ($method, $path, $body, %headers) = @_;

    $body = '' if !defined $body;
    $body = encode_json($body) if ref $body;
    %headers = (Host => 'sandbox', 'Content-Type' => 'application/json',
                'Content-Length' => length $body, %headers);

    return join("\r\n", "$method $path HTTP/1.0",
                map({ "$_: $headers{$_}" } keys %headers), '', $body);
}


# Sends a request on a connection of its own and returns the socket: the
# answer is for the caller to read, or to leave.
sub send_request {
    my $self = shift;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}")
        or die "connect: $!";

    $socket->print(request_bytes(@_));

    return $socket;
}


# One request: the status, the answer (from JSON where it is JSON), headers.
sub request {
    my $self = shift;
    my $socket = $self->send_request(@_);
    my $response = HTTP::Response->parse(do { local $/; <$socket> });
    my $answer = eval { decode_json($response->content) };

    return ($response->code, $answer // $response->content,
            $response->headers);
}

sub post { my $self = shift; return $self->request('POST', @_) }
sub get  { my $self = shift; return $self->request('GET', @_) }


# Dies unless the sandbox takes it: a test never runs on a refused behaviour.
sub behave {
    my ($self, $behaviour) = @_;
    my ($status, $answer) = $self->request('PUT', '/sandbox/behaviour',
                                           $behaviour);

    die "behaviour: $answer->{error}" if $status != 200;
}

sub reset { $_[0]->request('DELETE', '/sandbox/behaviour') }

sub sent {
    my ($self, $since) = @_;

    return ($self->get('/sandbox/sent?since=' . ($since // 0)))[1];
}

sub calls       { return ($_[0]->get('/sandbox/calls'))[1] }
sub reset_calls { $_[0]->request('DELETE', '/sandbox/calls') }


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};

    if ($pid && $self->{owner} == $$) {
        local $?;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
}

sub DESTROY { $_[0]->stop }


1;
