package Setter::Queue;

# The queue's functions of one partition, called as the module (append) and
# the workers (everything else) call them.

use strict;
use warnings;

use JSON::XS qw(decode_json);
use Time::HiRes qw(time);

# redis: a Redis.pm handle; tag: the partition's hash tag
sub new {
    my ($class, $redis, %args) = @_;

    return bless {
        redis  => $redis,
        prefix => 'setter:{' . ($args{tag} // '0') . '}:',
        worker => $args{worker} // 'test',
        lease_ms => 5000, turn_jobs => 20, turn_bytes => 262144,
        max_failures => 8, max_crashes => 3, %args,
    }, $class;
}

sub redis { $_[0]{redis} }

sub key { $_[0]{prefix} . $_[1] }

sub call {
    my ($self, $function, @args) = @_;

    return $self->{redis}->fcall("setter_$function", 1, $self->key('inbox'),
        @args);
}

# Redis's own clock, ms.
sub now {
    my ($s, $us) = $_[0]{redis}->time;

    return $s * 1000 + int($us / 1000);
}

sub header {
    my ($self, %job) = @_;

    return join "\t", 1, $job{id}, $job{tenant}, $job{kind} // 'message',
        $job{lane}, $job{received_ms} // int(time * 1000),
        $job{debounce_ms} // 0, $job{debounce_max_ms} // 0,
        $job{send_at_ms} // 0, $job{flags} // ();
}

# Appends a job as the module does, at a time of its own with entry (a stream
# id); returns the entry's id.
sub append {
    my ($self, %job) = @_;

    $job{tenant} //= ($job{lane} =~ m{^([^/]*)})[0];
    return $self->{redis}->xadd($self->key('inbox'), $job{entry} // '*',
        h => $self->header(%job), j => $job{envelope} // "{$job{id}}");
}

# Returns { now, next, last, rejected, turns }, each turn a hash with jobs,
# each job { id, kind, envelope }.
sub claim {
    my ($self, %args) = @_;
    my %with = (%$self, slots => 100, suspect => 1, %args);

    return claimed($self->call(claim => $with{worker}, '1.1', $with{slots},
        $with{suspect}, @with{qw(lease_ms turn_jobs turn_bytes max_failures
        max_crashes)}));
}

# As claim, for an outside worker: a turn of this tenant's messages.
sub take {
    my ($self, $slug, %args) = @_;
    my %with = (%$self, %args);

    return claimed($self->call(take => $slug, @with{qw(worker lease_ms
        turn_jobs turn_bytes max_failures max_crashes)}));
}

sub claimed {
    my ($now, $next, $last, $rejected, $turns) = @_;

    return {
        now => $now, next => $next, last => $last, rejected => $rejected,
        turns => [map { turn(@$_) } @$turns],
    };
}

sub turn {
    my ($lane, $token, $failures, $crashes, $dead, $reason, @jobs) = @_;

    return {
        lane => $lane, token => $token, failures => $failures,
        crashes => $crashes, dead => $dead, reason => $reason,
        jobs => [map { job($_) } @jobs],
    };
}

sub job {
    my ($header, $envelope) = split /\n/, $_[0], 2;
    my (undef, $id, undef, $kind, undef, undef, undef, undef, undef, $flags) =
        split /\t/, $header;

    return { id => $id, kind => $kind, envelope => $envelope,
        defined $flags ? (flags => $flags) : () };
}

# How outside workers name a turn: by one of its jobs.
sub by_job {
    my ($turn, $job) = @_;
    my ($slug) = $turn->{lane} =~ m{^([^/]*)};

    return { %$turn, lane => "#$slug/" . ($job // $turn->{jobs}[0]{id}) };
}

# The jobs that came, or undef when the token is stale.
sub more {
    my ($self, $turn) = @_;
    my $jobs = $self->call(more => @$turn{qw(lane token)},
        @$self{qw(turn_jobs turn_bytes)});

    return $jobs && [map { job($_) } @$jobs];
}

# 1 or 0 for each turn.
sub extend {
    my ($self, @turns) = @_;

    return @{ $self->call(extend => $self->{lease_ms},
        map { @$_{qw(lane token)} } @turns) };
}

sub complete {
    my ($self, $turn, @follow_up) = @_;

    return $self->call(complete => @$turn{qw(lane token)}, @follow_up);
}

sub fail {
    my ($self, $turn, %args) = @_;

    return $self->call(fail => @$turn{qw(lane token)}, $args{delay_ms} // 0,
        $args{counted} // 1, $args{reason} // 'it failed');
}

# Settings of a tenant: weight, cap, day, minute, outside, held; '' is the
# default.
sub tenant { my ($self, @args) = @_; return $self->call(tenant => @args) }

sub hold { $_[0]->call(hold => $_[1]) }

sub release { $_[0]->call(release => $_[1]) }

# 1 or 0 for each [lane, id].
sub absent {
    my ($self, @jobs) = @_;

    return @{ $self->call(absent => map { @$_ } @jobs) };
}

sub state { $_[0]->call(state => @_[1, 2]) }

# { name => { slots, version, age_ms, turns } }
sub workers {
    my ($self) = @_;
    my %workers;

    @{ $workers{ $_->[0] } }{qw(slots version age_ms turns)} = @$_[1 .. 4]
        for @{ $self->call('workers') };

    return \%workers;
}

# Names and numbers, and { tenants => { slug => [waiting, flight] } }.
sub depth {
    my ($self, @slugs) = @_;
    my @reply = @{ $self->call(depth => @slugs) };
    my $tenants = pop @reply;

    return { @reply, tenants => { map { $_->[0] => [@$_[1, 2]] } @$tenants } };
}

# Every key of the partition without its prefix, in one look: lists as arrays,
# sets sorted, hashes and sorted sets as hashes, streams as the array of their
# entries' headers.  Left out: what only remembers (seen, workers, the Redis
# process).
sub scan {
    my ($self) = @_;
    my ($prefix, %keys) = ($self->{prefix});

    my $all = $self->{redis}->eval(<<'LUA', 0, "$prefix*");
        local all, read = {}, {
            list = function(k) return redis.call('LRANGE', k, 0, -1) end,
            hash = function(k) return redis.call('HGETALL', k) end,
            set = function(k) return redis.call('SMEMBERS', k) end,
            string = function(k) return redis.call('GET', k) end,
            zset = function(k)
                return redis.call('ZRANGE', k, 0, -1, 'WITHSCORES')
            end,
            stream = function(k) return redis.call('XRANGE', k, '-', '+') end
        }
        for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
            if not key:find(':seen:', 1, true) then
                local kind = redis.call('TYPE', key).ok
                all[#all + 1] = { key, kind, read[kind](key) }
            end
        end
        return all
LUA

    for (@$all) {
        my ($key, $kind, $value) = @$_;
        $key = substr $key, length $prefix;
        next if $key =~ /^(?:workers$|worker:|layout$|rejects$|outside$)/;
        $keys{$key} = $kind eq 'stream' ? [map { {@{ $_->[1] }}->{h} } @$value]
            : $kind eq 'set' ? [sort @$value]
            : $kind eq 'list' || $kind eq 'string' ? $value : {@$value};
    }
    $keys{inbox} //= [];
    delete @{ $keys{state} }{ 'run', 'grace',
        grep { !$keys{state}{$_} } keys %{ $keys{state} } };
    for my $claim (map { $keys{$_} } grep { /^claim:/ } keys %keys) {
        $claim->{ids} = join ' ', @{ decode_json($claim->{ids}) }
            if $claim->{ids};
        $claim->{$_} or delete $claim->{$_} for qw(failures crashes reason);
    }

    return \%keys;
}

1;
