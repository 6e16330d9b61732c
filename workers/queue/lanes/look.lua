-- How long the oldest of what could run has waited, as far as the heads of
-- the queues tell: the inbox's, and those of the ten tenants that come first.
local function oldest_ms(q)
    local oldest = q.now
    local entry = call('XRANGE', q.p .. 'inbox', '-', '+', 'COUNT', '1')[1]
    if entry then
        oldest = tonumber(entry[1]:match('^%d+'))
    end
    for _, slug in ipairs(call('ZRANGE', q.p .. 'tenants', '0', '9')) do
        local lane = call('LINDEX', q.p .. 'ready:' .. slug, '0')
        local element = lane and call('LINDEX', q.p .. 'lane:' .. lane, '0')
        oldest = min(oldest, element and job_of(element).received or oldest)
    end
    return q.now - oldest
end

-- setter_depth inbox  [slug] ...
-- Names and numbers: jobs in the inbox, waiting in lanes, and for later;
-- those for later that no claim has moved on in time; lanes by state, of those
-- that may run the ones for outside workers apart; entries ever rejected; live
-- workers; age of the oldest.  Then { slug, waiting, flight } of the tenants
-- asked for, or of those with most jobs waiting.
local function depth(keys, args)
    local q, tenants = open(keys), {}
    read_clock(q)
    local p, s = q.p, state(q)
    local slugs = #args > 0 and args
                  or call('ZREVRANGE', p .. 'backlog', '0', LISTED - 1)

    for i, slug in ipairs(slugs) do
        local waiting = call('ZSCORE', p .. 'backlog', slug)
        tenants[i] = { slug, tonumber(waiting or 0), tenant(q, slug).flight }
    end
    return { 'inbox', call('XLEN', p .. 'inbox'), 'waiting', s.waiting,
             'later', call('ZCARD', p .. 'later'),
             'overdue', call('ZCOUNT', p .. 'later', '-inf', q.now),
             'ready', s.ready, 'outside', s.outside,
             'due', call('ZCARD', p .. 'due'),
             'leased', call('ZCARD', p .. 'leased'),
             'suspects', call('LLEN', p .. 'suspects'),
             'held', call('ZCOUNT', p .. 'held', '1', '1'),
             'rejected', s.rejected,
             'workers', call('ZCOUNT', p .. 'workers', q.now - 15000, '+inf'),
             'oldest_ms', oldest_ms(q), tenants }
end

-- setter_absent inbox  [lane id] ...
-- 1 for each job that is neither in its lane, in a worker's hands or not, nor
-- waits for its time; else 0.
local function absent(keys, args)
    local q, lanes, results = open(keys), {}, {}
    for i = 1, #args, 2 do
        local lane, id = args[i], args[i + 1]
        lanes[lane] = lanes[lane] or ids_in(q, lane)
        results[#results + 1] = (lanes[lane][id]
            or call('HEXISTS', q.p .. 'delayed', id) == 1) and 0 or 1
    end
    return results
end

-- setter_state inbox  slug id
-- 2: a worker has the tenant's job in hand; 1: it was sorted within the last
-- hour, or waits for its time; 0: nothing is known of it.
local function job_state(keys, args)
    local q, slug, id = open(keys), args[1], args[2]
    local lane = call('HGET', q.p .. 'jobs', id)
    local delayed = call('HGET', q.p .. 'delayed', id)

    if lane and slug_of(lane) == slug then return 2 end
    return (call('GET', q.p .. 'seen:' .. id) == slug
            or delayed and job_of(delayed).slug == slug) and 1 or 0
end

-- setter_workers inbox
-- { name, slots free, version, age_ms of its last sign of life, turns in hand
-- } of each.
local function workers(keys)
    local q, turns, list = open(keys), {}, {}
    read_clock(q)
    for _, lane in ipairs(call('ZRANGE', q.p .. 'leased', '0', LEASES - 1)) do
        local name = call('HGET', q.p .. 'claim:' .. lane, 'worker') or ''
        turns[name] = (turns[name] or 0) + 1
    end

    local beats = call('ZRANGE', q.p .. 'workers', '0', '-1', 'WITHSCORES')
    for i = 1, #beats, 2 do
        local name = beats[i]
        local f = call('HMGET', q.p .. 'worker:' .. name, 'slots', 'version')
        list[#list + 1] = { name, tonumber(f[1] or 0), f[2] or '',
                            max(0, q.now - beats[i + 1]), turns[name] or 0 }
    end
    return list
end
