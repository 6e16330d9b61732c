package Setter::Master;

# The processes of a block's nginx, for suites that say master_on().

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(master workers_of until_true reload);


# The master's pid.
sub master {
    my $root = Test::Nginx::Util::server_root();

    open my $file, '<', "$root/logs/nginx.pid" or die "pid: $!";
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


1;
