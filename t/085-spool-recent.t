# Redis has forgotten what it acknowledged a moment ago: it is told again,
# once, and before anything new.

use FindBin;
use lib "$FindBin::Bin/lib";

use Setter::Suite qw(redis);
use Setter::Load;
use Setter::Master;
use Test::Nginx::Socket 'no_plan';

use Time::HiRes qw(sleep time);

our $server = $Setter::Suite::server;   # it keeps nothing over a restart

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $Setter::Load::CONFIG);
    $block->set_value('request', 'GET /metrics');
    $block->set_value('timeout', '20');
    $block->set_value('http_config', <<'EOC');
    setter_redis $TEST_NGINX_REDIS backoff=50ms,200ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
EOC
});

sub restart {
    $server->stop('KILL');
    $server->run;
}

sub slurp {
    open my $file, '<:raw', $_[0] or return '';
    local $/;
    return <$file>;
}

sub recent {
    my @files = glob server_root() . '/spool/recent-*';
    return @files;
}

master_on();
workers(3);
no_long_string();
run_tests();

__DATA__

=== TEST 1: restarted and empty: what it had acknowledged comes back, once
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'p');
    main::restart();
    return CORE::join ' ', "$answers:", main::texts(16);
}
--- response_body chomp
16 accepted: a b c d e f g h i j k l m n o p
--- error_log
is not the process that it was
drained, 16 jobs



=== TEST 2: twice, and with jobs between
--- response_body_filters eval
sub {
    my @answers = main::say_all('a' .. 'd');
    main::restart();
    push @answers, main::say_all('e' .. 'h');
    main::texts(8);
    main::restart();
    push @answers, main::say_all('i' .. 'l');
    return CORE::join ' ', "@answers:", main::texts(12);
}
--- response_body chomp
4 accepted 4 accepted 4 accepted: a b c d e f g h i j k l



=== TEST 3: a connection that is lost is no other Redis: nothing is sent again
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'f');
    my $redis = Setter::Suite::redis();
    for my $client (grep { /name=setter-nginx/ }
        split /\n/, $redis->client_list)
    {
        $redis->client_kill('ID', $client =~ /\bid=(\d+)/);
    }
    $answers .= ' ' . main::say_all('g' .. 'l');
    return CORE::join ' ', "$answers:", main::texts(12);
}
--- response_body chomp
6 accepted 6 accepted: a b c d e f g h i j k l
--- no_error_log
is not the process that it was



=== TEST 4: emptied again and again while people write
--- response_body_filters eval
sub {
    my $verdict = main::verdict(main::under_load(8, sub {
        for (1 .. 3) {
            main::restart();
            main::until_true(sub {
                main::metric('setter_spool_records') == 0
            }) or return 0;
            Time::HiRes::sleep(0.2);
        }
        return 1;
    }));
    return $verdict;
}
--- response_body chomp
0 lost, 0 doubled, 0 disordered, 0 refused; all accepted
--- no_error_log
[alert]
[crit]



=== TEST 5: what the killed nginx workers knew is known
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'f');
    # they write when they have answered
    main::until_true(sub {
        6 == grep { /"text"/ } map { split m{\xffJB}, main::slurp($_) } main::recent()
    });
    my @old = main::workers_of(main::master());
    kill 'KILL', @old;
    main::until_true(sub {
        my %now = map { $_ => 1 } main::workers_of(main::master());
        return %now && !grep { $now{$_} } @old;
    });
    main::restart();
    return CORE::join ' ', "$answers:", main::texts(6);
}
--- response_body chomp
6 accepted: a b c d e f
--- error_log
exited on signal 9



=== TEST 6: and what those knew that left at a reload
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'f');
    main::reload();
    $answers .= ' ' . main::say_all('g' .. 'l');
    main::restart();
    return CORE::join ' ', "$answers:", main::texts(12);
}
--- response_body chomp
6 accepted 6 accepted: a b c d e f g h i j k l



=== TEST 7: a process that has not noticed is told, and waited for
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'x');

    # another Redis takes the place of the one that all are connected to
    my $old = $main::server->client;
    my $other = Setter::Redis->start;
    rename $main::server->{sock}, "$main::server->{sock}.old" or die;
    rename $other->{sock}, $main::server->{sock} or die;

    # and one of them is connected to it
    my ($one) = grep { /name=setter-nginx/ } split /\n/, $old->client_list;
    $old->client_kill('ID', $one =~ /\bid=(\d+)/);
    my $told = main::until_true(sub { $old->client_list !~ /setter-nginx/ });

    my $redis = Redis->new(sock => $main::server->{sock});
    my @texts;
    main::until_true(sub {
        @texts = map { { @{ $_->[1] } }->{j} =~ /"text":"([^"]*)"/ }
            @{ $redis->xrange('setter:{mm}:inbox', '-', '+') };
        return @texts >= 24 && main::metric('setter_spool_records') == 0;
    });
    rename "$main::server->{sock}.old", $main::server->{sock} or die;
    return CORE::join ' ', "$answers, $told:", @texts;
}
--- response_body chomp
24 accepted, 1: a b c d e f g h i j k l m n o p q r s t u v w x
--- error_log
was replaced by another one



=== TEST 8: copies do not stay for longer than they are of use
--- response_body_filters eval
sub {
    my $answers = main::say_all('a' .. 'f');
    my $kept = main::until_true(sub { main::recent() });
    my $gone = main::until_true(sub { !main::recent() })
        || main::until_true(sub { !main::recent() });
    return "$answers, $kept $gone";
}
--- response_body chomp
6 accepted, 1 1
