# Jobs as versions of the module have written them, from t/data/corpus: this
# version's worker takes each.  Workers are replaced one by one, and what is
# in Redis meanwhile may be older, or newer, than they are.
#
# A file is a header's line and an envelope's, in a folder named after the
# version; "later" has what a version to come may add.  Its name begins with
# what has to become of it.  Files are added with each release, and those of
# released versions never change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(basename);
use JSON::XS ();
use Setter::Postgres;
use Setter::Redis;
use Setter::Sandbox;
use Setter::Worker;
use Test::More;
use Time::HiRes qw(sleep time);

my $RECEIVED = 5;       # field of the header: ms of Unix time

my $json = JSON::XS->new->utf8;
my $postgres = Setter::Postgres->start;
my $server = Setter::Redis->start;
my $sandbox = Setter::Sandbox->start;
my $redis = $server->client;
my $worker = Setter::Worker->start(
    SETTER_REDIS_URL    => $server->url,
    SETTER_DATABASE_URL => $postgres->url('worker'),
    Setter::Sandbox::environment($sandbox->url),
);

# Appends a file's job as if it had just come: an answer may be sent for a
# day only.
sub append {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    chomp(my ($line, $envelope) = <$in>);
    my @header = split /\t/, $line;
    $header[$RECEIVED] = int(time * 1000);
    $redis->xadd('setter:{mm}:inbox', '*', h => join("\t", @header),
        j => $envelope);
    return (\@header, $json->decode($envelope));
}

sub status {
    my ($id) = @_;
    my ($row) = $postgres->sql('system',
        "SELECT status, coalesce(reason, '') FROM jobs WHERE id = '$id'");
    return $row ? @$row : ('', '');
}

sub wait_finished {
    my ($id) = @_;
    my $until = time + 60;
    sleep 0.05 while (status($id))[0] !~ /^(?:done|dead|failed)$/
        && time < $until;
    return status($id);
}

my @files = glob "$FindBin::Bin/data/corpus/*/*";
cmp_ok scalar(@files), '>', 6, 'there is a corpus';
my %job = map { $_ => [ append($_) ] } @files;

for my $file (@files) {
    my ($version, $name) = $file =~ m{([^/]+)/([^/]+)$};
    my ($header, $envelope) = @{ $job{$file} };
    my ($status, $reason) = wait_finished($header->[1]);

    if ($name =~ /^answered\./) {
        is $status, 'done', "$version, $name: done" or diag $reason;
        my @texts = map { $_->{text} } grep { $_->{to} eq $envelope->{from} }
            @{ $sandbox->sent };
        is_deeply \@texts, [ $envelope->{text} ], 'and answered once';
        my ($payload) = map { $_->[0] } $postgres->sql('system',
            "SELECT payload FROM jobs WHERE id = '$header->[1]'");
        is_deeply $json->decode($payload), $envelope, 'the whole is kept';
    } elsif ($name =~ /^dead\./) {
        is $status, 'dead', "$version, $name: dead";
        isnt $reason, '', 'and says why';
    } else {
        fail "$file: what has to become of it?";
    }
}

is $worker->stop, 0, 'the worker is well';
done_testing;
