package Setter::Chat;

# A model that tells what it was asked: chat completions on loopback.  Gone
# with the object.
#
#   my $model = Setter::Chat->start;
#   worker(OPENAI_BASE_URL => $model->url);
#   $model->last;               # the last request, decoded
#   $model->last_messages;      # its messages

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use JSON::XS ();

sub start {
    my ($class) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                         Listen => 5) or die "listen: $!";
    my $self = bless { port => $listener->sockport, owner => $$,
                       file => File::Temp->new }, $class;

    defined($self->{pid} = fork) or die "fork: $!";
    if ($self->{pid} == 0) {
        serve($listener, "$self->{file}");
    }
    return $self;
}

sub serve {
    my ($listener, $file) = @_;
    my $json = JSON::XS->new->utf8;

    while (my $client = $listener->accept) {
        local $/ = "\r\n\r\n";
        my $head = <$client>;
        my ($length) = $head =~ /content-length: (\d+)/i;
        read $client, (my $body), $length;

        open my $out, '>', $file or die "$file: $!";
        print $out $body;
        close $out;

        my $request = $json->decode($body);
        my $answer = $json->encode({ model => $request->{model}, choices => [{
            index => 0, finish_reason => 'stop', message => {
                role => 'assistant',
                content => "answer to $request->{messages}[-1]{content}",
            } }] });
        print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
            'Content-Length: ', length $answer, "\r\nConnection: close\r\n",
            "\r\n$answer";
        close $client;
    }
}

sub url { "http://127.0.0.1:$_[0]{port}/v1" }

sub last {
    open my $in, '<', "$_[0]{file}" or die "file: $!";
    local $/;

    return JSON::XS->new->utf8->decode(scalar <$in>);
}

sub last_messages { @{ $_[0]->last->{messages} } }

sub DESTROY {
    my ($self) = @_;

    if ($self->{owner} == $$) {
        local $?;
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }
}

1;
