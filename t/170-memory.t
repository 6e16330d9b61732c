# Memory is short: each allocation of a request's walk fails in turn, nginx's
# and the module's (kind "pool"), and those of libc, which are the libraries'
# and nginx's pools' (kind "libc").  No process dies, no answer is wrong, and
# what was answered 201 is there.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
BEGIN {
    require Setter::Memory;
    plan skip_all => Setter::Memory::lacks() if Setter::Memory::lacks();
    $ENV{TEST_NGINX_LOAD_MODULES} = Setter::Memory::module();
}

use Setter::Suite qw(redis);
use Setter::Http;
use Setter::Keys;
use Setter::Master;
use Setter::Polls qw(queue poll order say record_all);
use Setter::Upstream;
use Test::Nginx::Socket 'no_plan';

use Digest::SHA qw(hmac_sha256_hex);
use JSON::XS;
use Time::HiRes qw(sleep);

our $memory = Setter::Memory->new;
our $upstream = Setter::Upstream->start;
$ENV{TEST_NGINX_UPSTREAM} = '127.0.0.1:' . $upstream->port;

# what is started from here on is nginx
our %environment = $memory->environment;
@ENV{ keys %environment } = values %environment;

our ($key) = Setter::Keys::bearer('acme');
our $n = 0;

# What may be answered where memory is short: nothing, or that we cannot.
our %SHORT = map { $_ => 1 } 0, 500, 503, 504;

sub webhook {
    my ($path) = @_;
    return Setter::Http->new(server_port(), POST => $path // '/w',
        '{"from":"1","text":"t' . ++$n . '","profile":{"name":"\u00e4"},'
        . '"more":[1,{"a":"b"}],"message_id":"m' . $n . '"}',
        $key)->answer;
}

# Two messages in one signed body.
sub batch {
    my $body = encode_json({ entry => [ { changes => [ { field => 'messages',
        value => { metadata => { phone_number_id => '1' }, messages => [ map { {
            id => "w$_", from => '2', timestamp => '1767225600',
            type => 'text', text => { body => "t$_" } } } ++$n, "$n-b" ] } }
        ] } ] });
    return Setter::Http->new(server_port(), POST => '/meta', $body,
        'X-Hub-Signature-256: sha256=' . hmac_sha256_hex($body, 's3cret'))
        ->answer;
}

# What was answered 200 has to be there, both of them.
sub batches {
    my ($kind) = @_;
    my @accepted;
    my $result = each_fails($kind, 200, sub {
        my $answer = batch();
        push @accepted, "t$n", "t$n-b" if $answer->{status} == 200;
        return $answer;
    });
    my $missing = missing(\@accepted);
    return $missing eq '' ? $result : "$result\nlost: $missing";
}

sub get { return Setter::Http->new(server_port(), GET => $_[0])->answer }

# Each allocation of the walk fails once.  What is wrong, in words, and how
# many there were.
sub each_fails {
    my ($kind, $good, $walk) = @_;
    my ($worker) = workers_of(master());
    my (@wrong, %answered);

    # the first ones have more to do
    $walk->() for 1 .. 3;
    $memory->fail_nth($kind, 1 << 40);
    $walk->();
    my ($count) = $memory->stop;

    for my $n (1 .. $count) {
        $memory->fail_nth($kind, $n);
        my $answer = $walk->();
        my ($seen, $failed) = $memory->stop;
        my $status = $answer->{status};

        $answered{$status}++;
        push @wrong, "$n of $count: $status " . ($answer->{text} // '')
            if $status != $good && !$SHORT{$status};
        my $next = good_again($good, $walk);
        push @wrong, "$n of $count: then $next" if $next != $good;
        my ($now) = workers_of(master());
        push @wrong, "$n of $count: the worker died" if $now != $worker;
        $worker = $now;
    }

    push @wrong, 'nothing failed' if !grep { $SHORT{$_} } keys %answered;
    note "$kind: $count allocations: "
        . join ', ', map { "$_: $answered{$_}" } sort keys %answered;
    return join "\n", @wrong ? @wrong : 'ok';
}

# A connection to Redis that was lost by it is made again soon.
sub good_again {
    my ($good, $walk) = @_;
    my $answer;
    until_true(sub { ($answer = $walk->())->{status} == $good });
    return $answer->{status};
}

# The texts that were answered 201 and that Redis does not have.
sub missing {
    my ($accepted) = @_;
    my %there;
    until_true(sub {
        %there = map { decode_json({ @{ $_->[1] } }->{j})->{text} => 1 }
            Setter::Suite::redis()->xrange('setter:{mm}:inbox', '-', '+');
        return !grep { !$there{$_} } @$accepted;
    });
    return join ' ', grep { !$there{$_} } @$accepted;
}

# Posts messages with each allocation failing, and looks for those that were
# accepted.  between() is called before that.
sub messages {
    my ($kind, $post, $between) = @_;
    my @accepted;
    my $result = each_fails($kind, 201, sub {
        my $answer = $post->();
        push @accepted, "t$n" if $answer->{status} == 201;
        return $answer;
    });
    $between->() if $between;
    my $missing = missing(\@accepted);
    return $missing eq '' ? $result : "$result\nlost: $missing";
}

# The same while Redis is away.
sub spooled {
    my ($kind) = @_;
    my $server = $Setter::Suite::server;
    webhook();
    $server->stop('KILL');
    return messages($kind, \&webhook, sub {
        # it has an allocator of its own
        delete local @ENV{ keys %environment };
        $server->run;
    });
}

# The connections to Redis are lost before each message.
sub reconnected {
    eval { Setter::Suite::redis()->client('KILL', 'TYPE', 'normal',
        'SKIPME', 'yes') };
    return webhook();
}

# A turn is polled for, and completed; a message waits for it each time.
sub turn {
    say('acme', 'x:-:' . ++$n, "t$n");
    my $answer = poll('acme', '/queue/next-job')->answer;
    return $answer if $answer->{status} != 200;
    return order('acme', $answer->{json}{job_id}, 'complete',
        { token => $answer->{json}{token} });
}

# What a failed walk left waits for the end of its lease.
sub turns {
    my ($kind) = @_;
    my $result = each_fails($kind, 200, \&turn);
    my $left = sub {
        record_all();
        my $answer = poll('acme', '/queue/next-job')->answer;
        order('acme', $answer->{json}{job_id}, 'complete',
            { token => $answer->{json}{token} }) if $answer->{json};
        my $depth = queue()->depth;
        return !grep { $depth->{$_} } qw(inbox waiting leased);
    };
    return until_true($left) ? $result : "$result\nsomething is left over";
}

our $location = <<'EOC';
    location /w {
        setter_tenant $http_x_tenant;
        setter_verify key;
        setter_webhook generic;
        setter_require message_id;
        setter_default channel whatsapp;
        setter_set provider meta;
        setter_debounce 100ms;
        setter_quota 100000;
    }
    location /long {
        setter_verify key;
        setter_webhook generic;
        setter_set provider meta;
        setter_lane "$http_authorization$http_authorization$http_authorization$http_authorization$http_authorization$http_authorization";
    }
    location /pass {
        setter_verify key;
        setter_webhook generic;
        setter_set provider meta;
        setter_validate on;
        proxy_pass http://$TEST_NGINX_UPSTREAM/app;
    }
    location /meta {
        setter_verify meta s3cret;
        setter_tenant acme;
        setter_webhook meta;
        setter_set consumer META;
    }
    location = /queue/next-job {
        setter_verify key;
        setter_api next_job lease=1s;
    }
    location ~ ^/queue/jobs/(?<job>[^/]+)/complete$ {
        setter_verify key;
        setter_api complete id=$job;
    }
    location /send {
        setter_verify key;
        setter_api send;
    }
    location /health { setter_api health; }
    location /metrics { setter_api metrics; }
    location /scale { setter_api scale; }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $location) if !defined $block->config;
    $block->set_value('http_config',
        "setter_redis \$TEST_NGINX_REDIS backoff=10ms,50ms;\n")
        if !defined $block->http_config;
    $block->set_value('request', 'GET /health') if !defined $block->request;
    # libc's failures are nginx's to report
    $block->set_value('error_log', "Cannot allocate memory\n")
        if $block->name =~ /libc/;
    $block->set_value('timeout', 120);
    $block->set_value('response_body', 'ok') if !defined $block->response_body;
    $block->set_value('post_setup_server_root',
        "Setter::Keys::grant(Setter::Suite::redis(), ['acme']);\n"
        . "Setter::Suite::redis()->sadd('setter:{mm}:known', 'acme');\n"
        . "\$Setter::Suite::server->load_library(Setter::Suite::redis());\n"
        . "Setter::Polls::queue()->tenant('acme', outside => 1) if '"
        . $block->name . "' =~ /turn/;\n");
});

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a message, with what nginx gives failing
--- response_body_filters eval
sub { main::messages('pool', \&main::webhook) }



=== TEST 2: a message, with what libc gives failing
--- response_body_filters eval
sub { main::messages('libc', \&main::webhook) }



=== TEST 3: a message whose lane is too long, with what libc gives failing
--- response_body_filters eval
sub { main::messages('libc', sub { main::webhook('/long') }) }



=== TEST 4: a message on a new connection to Redis, with what libc gives failing
--- response_body_filters eval
sub { main::messages('libc', \&main::reconnected) }



=== TEST 5: a message on a new connection to Redis, with what nginx gives failing
--- response_body_filters eval
sub { main::messages('pool', \&main::reconnected) }



=== TEST 6: a message for the spool, with what nginx gives failing
--- main_config
thread_pool default threads=1;
--- http_config
    setter_redis $TEST_NGINX_REDIS backoff=10ms,50ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
--- response_body_filters eval
sub { main::spooled('pool') }



=== TEST 7: a message for the spool, with what libc gives failing
--- main_config
thread_pool default threads=1;
--- http_config
    setter_redis $TEST_NGINX_REDIS backoff=10ms,50ms;
    setter_tenants any;
    setter_spool $TEST_NGINX_SERVER_ROOT/spool;
--- response_body_filters eval
sub { main::spooled('libc') }



=== TEST 8: a message that is passed on, with what nginx gives failing
--- response_body_filters eval
sub { main::each_fails('pool', 200, sub { main::webhook('/pass') }) }



=== TEST 9: a message that is passed on, with what libc gives failing
--- response_body_filters eval
sub { main::each_fails('libc', 200, sub { main::webhook('/pass') }) }



=== TEST 10: a turn of an outside worker, with what nginx gives failing
--- response_body_filters eval
sub { main::turns('pool') }



=== TEST 11: a turn of an outside worker, with what libc gives failing
--- response_body_filters eval
sub { main::turns('libc') }



=== TEST 12: looks at the queue, with what nginx gives failing
--- response_body_filters eval
sub {
    return CORE::join('', map {
        my $path = $_;
        my $result = main::each_fails('pool', 200, sub { main::get($path) });
        $result eq 'ok' ? '' : "$path: $result";
    } qw(/health /metrics /scale)) || 'ok';
}



=== TEST 13: looks at the queue, with what libc gives failing
--- response_body_filters eval
sub {
    return CORE::join('', map {
        my $path = $_;
        my $result = main::each_fails('libc', 200, sub { main::get($path) });
        $result eq 'ok' ? '' : "$path: $result";
    } qw(/health /metrics /scale)) || 'ok';
}



=== TEST 14: two messages in one body, with what nginx gives failing
--- response_body_filters eval
sub { main::batches('pool') }



=== TEST 15: two messages in one body, with what libc gives failing
--- response_body_filters eval
sub { main::batches('libc') }
