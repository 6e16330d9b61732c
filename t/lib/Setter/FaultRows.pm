package Setter::FaultRows;

# The faults, in the order they are run.  A row:
#   name, title   on the command line; in the table
#   inject        of Setter::FaultInject
#   args          for it; long, short: more of them, by the form of the run
#   cuts          connections to people's providers are cut, or workers killed,
#                 after a message's bytes may have left: replies may be unknown
#   copies        times that each message is posted at once
#   within        aim: s from the fault's end (of a killed or stopped worker,
#                 from its death) to the last answer to what was owed then
#   prepare       of Setter::FaultInject, before the load
#   only          the form of the run that has it
#   rate          messages/s, where it is not the form's
#   p99           aim: ms of the webhook's
#   settled       memory and descriptors must not grow

use strict;
use warnings;

use Setter::FaultInject;

# of the workers, in s; the nginx module's are its defaults
use constant { LEASE => 2, SEND => 2, MODEL => 3 };

my @SENDS = qw(manychat infobip);

# Those of a form.
sub rows {
    my ($form) = @_;
    return grep { !$_->{only} || $_->{only} eq $form } (
        { name => 'none', title => 'no fault',
          inject => 'watch', within => 2,
          long => { seconds => 20 }, short => { seconds => 3 } },

        { name => 'worker-kill', title => 'kill -9 of a worker, at any step',
          inject => 'kill_workers', cuts => 1, within => LEASE + SEND + 1,
          long => { times => 100 }, short => { times => 3 } },
        { name => 'worker-kill-asking',
          title => 'kill -9 of all workers while the model thinks',
          inject => 'kill_asking', cuts => 1, within => LEASE + 1 },
        { name => 'worker-kill-sending',
          title => 'kill -9 of all workers between send and mark',
          inject => 'kill_sending', cuts => 1, within => LEASE + SEND + 1,
          long => { times => 10 }, short => { times => 1 } },
        { name => 'worker-stop', title => 'a worker stopped, and going on',
          inject => 'stop_worker', cuts => 1, within => LEASE + 1,
          long => { seconds => 30 }, short => { seconds => 5 } },

        { name => 'worker-memory', prepare => 'needs_memory',
          title => 'memory of the workers short', inject => 'starve_workers',
          cuts => 1, within => LEASE + SEND + 1,
          long => { seconds => 60, one_in => 500 },
          short => { seconds => 5, one_in => 500 } },

        { name => 'versions', only => 'long', prepare => 'build_before',
          title => 'workers of two versions, functions lost, kill -9',
          inject => 'mix_versions', cuts => 1, within => LEASE + SEND + 1,
          long => { seconds => 20 } },

        { name => 'nginx-kill', title => 'kill -9 of an nginx worker',
          inject => 'kill_nginx', within => 2,
          long => { times => 20 }, short => { times => 2 } },
        { name => 'nginx-reload', title => 'nginx reloaded every 2 s',
          inject => 'reload_nginx', within => 2,
          long => { times => 10 }, short => { times => 2 } },

        { name => 'redis-restart', title => 'Redis restarted',
          inject => 'end_redis', args => { signal => 'TERM' }, within => 5 },
        { name => 'redis-kill', title => 'kill -9 of Redis',
          inject => 'end_redis', args => { signal => 'KILL' }, within => 5 },
        { name => 'redis-away', title => 'Redis away',
          inject => 'take_redis_away', within => 5,
          long => { seconds => 15 }, short => { seconds => 3 } },
        { name => 'redis-log-cut',
          title => 'the last second of Redis\'s log lost',
          inject => 'cut_redis_log', prepare => 'needs_spool', within => 5 },
        { name => 'spool-rate', only => 'long', prepare => 'needs_spool',
          title => 'Redis away, 500 requests/s', rate => 500, p99 => 20,
          inject => 'take_redis_away', within => 5,
          long => { seconds => 10 } },
        { name => 'spool-nginx', prepare => 'needs_spool',
          title => 'Redis away, nginx workers killed and reloaded',
          inject => 'kill_spooling_nginx', within => 5,
          long => { times => 4 }, short => { times => 1 } },
        { name => 'spool-full', prepare => 'needs_tmpfs',
          title => 'Redis away, the spool\'s disk full',
          inject => 'fill_spool', within => 5,
          long => { seconds => 15, size => '256k' },
          short => { seconds => 4, size => '64k' } },
        { name => 'redis-hang', title => 'Redis half open, then going on',
          inject => 'stop_redis_proxy', within => 5,
          long => { seconds => 20 }, short => { seconds => 4 } },
        { name => 'redis-silent',
          title => 'Redis half open, good for new connections only',
          inject => 'stop_redis_proxy', within => 5,
          long => { seconds => 10, silent => 15 },
          short => { seconds => 2, silent => 5 } },
        { name => 'redis-full', title => 'Redis at its maxmemory',
          inject => 'fill_redis', within => 5,
          long => { seconds => 15 }, short => { seconds => 3 } },

        { name => 'postgres-restart', title => 'PostgreSQL restarted',
          inject => 'end_postgres', args => { signal => 'INT' },
          within => 5 },
        { name => 'postgres-kill', title => 'kill -9 of PostgreSQL',
          inject => 'end_postgres', args => { signal => 'KILL' },
          within => 5 },
        { name => 'postgres-read-only', title => 'PostgreSQL read-only',
          inject => 'forbid_writes', within => 5,
          long => { seconds => 15 }, short => { seconds => 3 } },
        { name => 'postgres-full',
          title => 'all connections of PostgreSQL taken',
          inject => 'take_connections', within => 5,
          long => { seconds => 15 }, short => { seconds => 3 } },

        provider_rows('model', 'the model', ['chat'], 0),
        provider_rows('send', 'the providers', \@SENDS, 1),
        { name => 'repeats',
          title => 'each webhook five times at once',
          inject => 'watch', copies => 5, within => 2,
          long => { seconds => 20 }, short => { seconds => 3 } },

        { name => 'settled', title => 'no fault, after all of these',
          inject => 'watch', within => 2, settled => 1,
          long => { seconds => 20 }, short => { seconds => 3 } },
    );
}

# Half of the requests get the fault.
sub provider_rows {
    my ($name, $who, $endpoints, $sends) = @_;
    my @faults = (
        [ '429', 'answering 429', 0,
          { status => { 429 => 0.5 }, retry_after => 1 } ],
        [ '5xx', 'answering 500 and 503', 0,
          { status => { 500 => 0.25, 503 => 0.25 } } ],
        [ 'timeout', 'not answering', 1, { timeout => 0.5 } ],
        [ 'cut', 'hanging up after the request', 1,
          { cut_after_accept => 0.5 } ],
        [ 'kept', 'hanging up on kept connections', 1, { cut_kept => 0.5 } ],
        [ 'garbage', 'answering garbage', 1, { garbage => 0.5 } ],
        [ 'drip', 'answering one byte a second', 1, { drip => 0.5 } ],
    );
    return map {
        my ($fault, $title, $cuts, $behaviour) = @$_;
        { name => "$name-$fault", title => "$who $title",
          inject => 'misbehave', cuts => $sends && $cuts,
          args => { endpoints => $endpoints, fault => $behaviour },
          long => { seconds => 15 }, short => { seconds => 2 } };
    } @faults;
}

1;
