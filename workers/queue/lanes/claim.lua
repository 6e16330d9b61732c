local function heartbeat(q, a)
    local key, worker = q.p .. 'workers', q.p .. 'worker:' .. a.worker
    local beat = call('ZSCORE', key, a.worker)
    if beat and q.now - beat < BEAT_MS then return end

    call('ZADD', key, q.now, a.worker)
    call('ZREMRANGEBYSCORE', key, '-inf', q.now - WORKER_MS)
    call('HSET', worker, 'slots', a.slots, 'version', a.version)
    call('PEXPIRE', worker, WORKER_MS)
    recognise(q)
end

local function lease(q, lane, t, a)
    local key, s = q.p .. 'claim:' .. lane, state(q)
    local f = call('HMGET', key, 'ids', 'failures', 'crashes', 'reason')
    local failures, crashes = tonumber(f[2] or 0), tonumber(f[3] or 0)
    local jobs = f[1] and #cjson.decode(f[1])
    local elements = call('LRANGE', q.p .. 'lane:' .. lane, '0',
                          (jobs or a.jobs) - 1)

    jobs = jobs or turn_length(elements, a.bytes)
    s.token = max(s.token + 1, q.us)
    local token = format('%.0f', s.token)

    call('HSET', key, 'token', token, 'worker', a.worker,
         'ids', list_jobs(lane, elements, 1, jobs, {}, a.listed))
    a.leased[#a.leased + 1] = a.lease_end
    a.leased[#a.leased + 1] = lane
    add_waiting(q, t.slug, -jobs)
    t.flight, t.changed = t.flight + 1, true

    local dead = failures >= a.failures or crashes >= a.crashes
    a.turns[#a.turns + 1] = { lane, token, failures, crashes, dead and 1 or 0,
                              f[4] or '', unpack(elements, 1, jobs) }
end

-- The turns of the tenant that comes first: as many as start before the next
-- one's tag, as its cap allows, and as there are slots.
local function claim_tenant(q, a, low)
    local t, tag, s = tenant(q, low[1]), tonumber(low[2]), state(q)
    local ready = q.p .. 'ready:' .. t.slug
    local n = min(a.slots - #a.turns, t.limit - t.flight,
                  max(1, math.ceil(((low[4] or NEVER) - tag) / t.cost)))

    for _, lane in ipairs(n > 0 and call('LPOP', ready, n) or {}) do
        lease(q, lane, t, a)
        s.ready, s.clock = s.ready - 1, max(s.clock, tag)
        tag = tag + t.cost
        t.finish = tag
    end

    local left = call('EXISTS', ready) == 1
    if left and t.flight < t.limit then
        call('ZADD', q.p .. 'tenants', tag, t.slug)
        return
    end
    call('ZREM', q.p .. 'tenants', t.slug)
    if left then
        call('SADD', q.p .. 'capped', t.slug)
    end
end

-- Returns whether something is left for this worker to claim.
local function claim_turns(q, a)
    local lane = a.suspect and call('LPOP', q.p .. 'suspects')
    if lane then
        lease(q, lane, tenant(q, slug_of(lane)), a)
    end
    each('ZADD', q.p .. 'tenants', q.entering)
    q.entering = {}
    while #a.turns < a.slots do
        local low = call('ZRANGE', q.p .. 'tenants', '0', '1', 'WITHSCORES')
        if #low == 0 then break end
        claim_tenant(q, a, low)
    end
    each('ZADD', q.p .. 'leased', a.leased)
    each('HSET', q.p .. 'jobs', a.listed)
    return call('EXISTS', q.p .. 'tenants') == 1
end

-- setter_claim inbox  worker version slots suspect lease_ms turn_jobs
--                     turn_bytes max_failures max_crashes
-- Sorts, moves on what is due, and leases up to "slots" turns, one of them
-- perhaps a suspect when suspect is 1.  Returns { now, next_ms, last id,
-- entries rejected, turns }: next_ms, in how many ms something becomes
-- claimable, -1 when nothing is in sight; a turn is { lane, token, failures,
-- crashes, dead, reason, job ... }.
local function claim(keys, args)
    local q = open(keys)
    read_clock(q)
    local slots = min(TURNS, tonumber(args[3]))
    local a = { worker = args[1], version = args[2], slots = slots,
                suspect = args[4] == '1' and slots > 0,
                lease_end = format('%.0f', q.now + args[5]),
                jobs = min(JOBS, tonumber(args[6])), bytes = tonumber(args[7]),
                failures = tonumber(args[8]), crashes = tonumber(args[9]),
                turns = {}, leased = {}, listed = {} }
    local rejected = state(q).rejected

    heartbeat(q, a)
    take_due(q, 'later', bring_later)
    local last, left = sort_inbox(q)
    local next_at = min(first(q, 'later'), end_leases(q),
                        take_due(q, 'due', bring_due))
    left = claim_turns(q, a) or left
    next_at = min(next_at, a.leased[1] or NEVER)
    save(q)

    return { q.now, left and 0 or next_at == NEVER and -1
                    or max(0, next_at - q.now),
             last, state(q).rejected - rejected, a.turns }
end
