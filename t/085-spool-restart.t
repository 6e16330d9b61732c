# The spool outlives nginx: the next one takes over what it finds.  The blocks
# are the lives of one folder.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Setter::Load;
use Setter::Master;
use Test::Nginx::Socket 'no_plan';

use File::Temp ();

our $server = $Setter::Suite::server;
our $dir = File::Temp->newdir('setter-spool-XXXXXX', TMPDIR => 1);
chmod 0711, $dir;
$ENV{TEST_NGINX_SPOOL} = "$dir/spool";

add_block_preprocessor(sub {
    my ($block) = @_;

    # what earlier blocks' Redis acknowledged and the present one has not
    my $own = $block->post_setup_server_root // '';
    $block->set_value('post_setup_server_root',
        "unlink glob \"\$main::dir/spool/recent-*\";\n$own")
        if $block->name !~ /it forgot|and forgot/;

    $block->set_value('config', $Setter::Load::CONFIG);
    $block->set_value('request', 'GET /metrics');
    $block->set_value('timeout', '20');
    $block->set_value('http_config', <<'EOC') if !defined $block->http_config;
    setter_redis $TEST_NGINX_REDIS backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SPOOL/;
EOC
});

sub jobs {
    my @files = glob "$dir/spool/jobs-*";
    return @files;
}

# Rewrites the configuration and reloads; what the error log says against it.
sub reload_with {
    my ($from, $to) = @_;
    my $conf = server_root() . '/conf/nginx.conf';
    open my $in, '<', $conf or die;
    my $text = do { local $/; <$in> };
    open my $out, '>', $conf or die;
    print $out $text =~ s/\Q$from\E/$to/r;
    close $out;
    kill 'HUP', master();
    my @said;
    until_true(sub { @said = log_lines(qr/\[emerg\]/) });
    open $out, '>', $conf or die;
    print $out $text;
    return $said[0] =~ s/.*\d: //r =~ s/\n//r;
}

master_on();
workers(2);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: jobs are accepted while Redis is away
--- response_body_filters eval
sub {
    $main::server->stop('KILL');
    return main::say_all('a' .. 'f') . ', ' . scalar main::jobs();
}
--- response_body_like chomp
^6 accepted, [12]$



=== TEST 2: the next nginx finds them, and puts behind them what comes
--- response_body_filters eval
sub {
    my $found = main::metric('setter_spool_records') > 0;
    my $said = main::say_all('g' .. 'i');
    $main::server->run;
    return CORE::join ' ', "$found, $said:", main::texts(9);
}
--- response_body chomp
1, 3 accepted: a b c d e f g h i
--- error_log
is drained, 9 jobs



=== TEST 3: what is drained leaves no file, and the next one knows nothing of it
--- response_body_filters eval
sub {
    my $said = main::say_all('a');
    return CORE::join ' ', "$said:", main::texts(1), scalar main::jobs();
}
--- response_body chomp
1 accepted: a 0



=== TEST 4: what Redis acknowledged and forgot while nginx was stopped
--- post_setup_server_root
$main::server->stop('KILL');
$main::server->run;
--- response_body_filters eval
sub { CORE::join ' ', main::texts(1) }
--- response_body chomp
a



=== TEST 5: what it forgot days ago is not brought back
--- post_setup_server_root
$main::server->stop('KILL');
$main::server->run;
my $then = time - 2 * 24 * 60 * 60;
utime $then, $then, glob "$main::dir/spool/recent-*";
--- response_body_filters eval
sub {
    my $said = main::say_all('z');
    return CORE::join ' ', "$said:", main::texts(1);
}
--- response_body chomp
1 accepted: z



=== TEST 6: files of another user, whom the workers ran as before
--- response_body_filters eval
sub {
    $main::server->stop('KILL');
    my $said = main::say_all('a' .. 'c');
    chown 65534, 65534, main::jobs();
    return $said;
}
--- response_body chomp
3 accepted



=== TEST 7: are the workers' now
--- response_body_filters eval
sub {
    my %owner = map { (stat)[4] => 1 } main::jobs();
    $main::server->run;
    return CORE::join ' ', keys %owner, main::texts(3);
}
--- response_body chomp
0 a b c



=== TEST 8: the folder cannot be left while there are jobs in it
--- response_body_filters eval
sub {
    $main::server->stop('KILL');
    my $said = main::say_all('a' .. 'c');
    my $moved = main::reload_with("setter_spool $ENV{TEST_NGINX_SPOOL}",
        "setter_spool $main::dir/other");
    $said .= ' ' . main::say_all('d');
    $main::server->run;
    return CORE::join ' ', "$said, $moved:", main::texts(4);
}
--- response_body_like chomp
^3 accepted 1 accepted, .*"setter_spool" must stay ".*/spool" while there are jobs in it: a b c d$
--- error_log
must stay



=== TEST 9: nor left out
--- response_body_filters eval
sub {
    $main::server->stop('KILL');
    my $said = main::say_all('a' .. 'c');
    my $moved = main::reload_with("setter_spool $ENV{TEST_NGINX_SPOOL}/",
        'setter_spool off');
    $main::server->run;
    return CORE::join ' ', "$said, $moved:", main::texts(3);
}
--- response_body_like chomp
^3 accepted, .*must stay.*: a b c$
--- error_log
must stay



=== TEST 10: files that nobody knows how to read stay where they are
--- post_setup_server_root
open my $file, '>', "$main::dir/spool/notes.txt" or die;
close $file;
--- response_body_filters eval
sub {
    my $said = main::say_all('a');
    return CORE::join ' ', "$said:", main::texts(1),
        -e "$main::dir/spool/notes.txt" ? 'there' : 'gone';
}
--- response_body chomp
1 accepted: a there



=== TEST 11: with empty files, as a machine that stopped leaves them
--- post_setup_server_root
for my $name ('jobs-1-1', 'recent-1-1') {
    open my $file, '>', "$main::dir/spool/$name" or die;
    close $file;
}
--- response_body_filters eval
sub {
    my $said = main::say_all('a');
    return CORE::join ' ', "$said:", main::texts(1), scalar main::jobs();
}
--- response_body chomp
1 accepted: a 0
--- no_error_log
damaged



=== TEST 12: Redis comes before nginx has read what is there
--- http_config
    setter_redis $TEST_NGINX_REDIS timeout=200ms backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SPOOL max=1m;
--- response_body_filters eval
sub {
    $main::server->stop('KILL');
    return main::say_all(map { "$_" } 1 .. 200);
}
--- response_body chomp
200 accepted



=== TEST 13: and they are in order
--- post_setup_server_root
$main::server->run;
--- response_body_filters eval
sub {
    my $said = main::say_all(201 .. 220);
    my @texts = main::texts(220);
    return "$said, " . ("@texts" eq CORE::join(' ', 1 .. 220) ? 'in order'
        : "@texts");
}
--- response_body chomp
20 accepted, in order
