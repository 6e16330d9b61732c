local function heartbeat(q, a)
    local key, worker = q.p .. 'workers', q.p .. 'worker:' .. a.worker
    local beat = call('ZSCORE', key, a.worker)
    if beat and q.now - beat < BEAT_MS then return end

    call('ZADD', key, q.now, a.worker)
    call('ZREMRANGEBYSCORE', key, '-inf', q.now - WORKER_MS)
    call('HSET', worker, 'slots', a.free, 'version', a.version)
    call('PEXPIRE', worker, WORKER_MS)
    recognise(q)
end

-- What a worker asks for: up to "slots" turns, and how they are to be.
local function demand(q, worker, slots, lease_ms, jobs, bytes, failures,
                      crashes)
    return { worker = worker, slots = min(TURNS, slots),
             lease_end = format('%.0f', q.now + lease_ms),
             jobs = min(JOBS, jobs), bytes = tonumber(bytes),
             failures = tonumber(failures), crashes = tonumber(crashes),
             turns = {}, leased = {}, listed = {}, astray = 0 }
end

-- Hands out a lane that was taken from a list.  One that belongs elsewhere,
-- since it is held or its tenant's settings or its jobs have changed, goes
-- there instead.  Returns whether it is a turn.
local function lease(q, a, t, lane, list)
    local key, s = q.p .. 'claim:' .. lane, state(q)
    local f = call('HMGET', key, 'ids', 'failures', 'crashes', 'reason')
    local failures, crashes = tonumber(f[2] or 0), tonumber(f[3] or 0)
    local jobs = f[1] and #cjson.decode(f[1])
    local elements = call('LRANGE', q.p .. 'lane:' .. lane, '0',
                          (jobs or a.jobs) - 1)

    if (crashes >= SUSPECT or any(q, 'held') or any(q, 'ruled'))
        and home(q, lane, crashes, elements[1]) ~= list then
        make_ready(q, lane, crashes, 'RPUSH', elements[1])
        a.astray = a.astray + 1
        return false
    end

    jobs = jobs or turn_length(elements, a.bytes)
    local dead = failures >= a.failures or crashes >= a.crashes
    if dead and a.outside then
        bury(q, lane, jobs, f[4] or '')
        return false
    end

    s.token = max(s.token + 1, q.us)
    local token = format('%.0f', s.token)
    call('HSET', key, 'token', token, 'worker', a.worker,
         'ids', list_jobs(lane, elements, 1, jobs, {}, a.listed))
    if a.outside then
        call('HSET', key, 'outside', '1')
    end
    a.leased[#a.leased + 1] = a.lease_end
    a.leased[#a.leased + 1] = lane
    add_waiting(q, t.slug, -jobs)
    t.flight, t.moved = t.flight + 1, true
    a.turns[#a.turns + 1] = { lane, token, failures, crashes, dead and 1 or 0,
                              f[4] or '', unpack(elements, 1, jobs) }
    return true
end

-- A tenant takes its place in a line.  One that was served in this claim goes
-- behind those of the same tag.
local function put(line, slug, tag, served)
    local i = #line
    while i >= line.at and (line[i].tag > tag or line[i].tag == tag
                            and line[i].served and not served) do
        line[i + 1] = line[i]
        i = i - 1
    end
    line[i + 1] = { slug = slug, tag = tag, served = served }
end

-- Takes the first n tenants that are left out of a line of Redis, into ours.
local function draw(q, line, n)
    local low = n > 0 and not line.all
                and call('ZPOPMIN', q.p .. line.class.line, n) or {}
    for i = 1, #low, 2 do
        put(line, low[i], tonumber(low[i + 1]), false)
    end
    line.all = #low < 2 * n
end

-- A line as far as this claim can serve it, lowest tag first; "at" is the
-- place of the one that comes next.
local function open_line(q, a, class)
    local line = { at = 1, class = class, all = false }
    each('ZADD', q.p .. class.line, q.entering[class.line])
    q.entering[class.line] = {}
    draw(q, line, a.slots - #a.turns)
    return line
end

local function close_line(q, line)
    local left = {}
    for i = line.at, #line do
        left[#left + 1] = format('%.0f', line[i].tag)
        left[#left + 1] = line[i].slug
    end
    each('ZADD', q.p .. line.class.line, left)
end

-- Turns of the tenant that comes next, at most "most": as many as start
-- before the next one's tag, and as its cap allows.
local function serve(q, a, line, most)
    local class, low, next_low = line.class, line[line.at], line[line.at + 1]
    local t, tag, s = tenant(q, low.slug), low.tag, state(q)
    local list = class.list .. t.slug
    local turns = #a.turns
    local n = min(most, t[class.limit] - t.flight,
                  max(1, ceil(((next_low and next_low.tag or NEVER) - tag)
                              / t.cost)))

    line.at = line.at + 1
    local lanes = n > 0 and call('LPOP', q.p .. list, n) or {}
    for _, lane in ipairs(lanes) do
        s.ready = s.ready - 1
        if lease(q, a, t, lane, list) then
            s[class.clock] = max(s[class.clock], tag)
            s.replies = class == REPLY and min(REPLIES, s.replies + 1) or 0
            tag = tag + t.cost
            t[class.finish] = tag
        end
    end

    local left = #lanes >= n and call('EXISTS', q.p .. list) == 1
    local served = #a.turns > turns
    if left and t.flight < t[class.limit] then
        if served then
            put(line, t.slug, tag, true)
        else
            line.at = line.at - 1           -- it keeps its place
        end
        return
    end
    if left then
        call('SADD', q.p .. 'capped', t.slug)
    end
    if not served then
        -- it leaves without a turn: there is room for another
        a.astray = a.astray + 1
        draw(q, line, 1)
    end
end

-- A suspect runs as the only one in its process.
local function claim_suspect(q, a)
    for _ = 1, TAKE do
        local lane = call('LPOP', q.p .. 'suspects')
        if not lane
            or lease(q, a, tenant(q, slug_of(lane)), lane, 'suspects') then
            return
        end
    end
end

-- Returns whether something is left for this worker to claim.
local function claim_turns(q, a)
    if a.suspect then
        claim_suspect(q, a)
    end
    local s = state(q)
    local replies, bulk = open_line(q, a, REPLY), open_line(q, a, BULK)

    while #a.turns < a.slots and a.astray < TAKE do
        local most = a.slots - #a.turns
        if not bulk[bulk.at] then
            if not replies[replies.at] then break end
            serve(q, a, replies, most)
        elseif replies[replies.at] and s.replies < REPLIES then
            serve(q, a, replies, min(most, REPLIES - s.replies))
        else
            serve(q, a, bulk, replies[replies.at] and 1 or most)
        end
    end

    close_line(q, replies)
    close_line(q, bulk)
    return call('EXISTS', q.p .. 'tenants', q.p .. 'bulk') > 0
end

-- The leases go on record, and the answer to the worker: "left", something is
-- to be done at once; next_at, when something else becomes claimable.
local function answer(q, a, last, left, next_at, rejected)
    each('ZADD', q.p .. 'leased', a.leased)
    each('HSET', q.p .. 'jobs', a.listed)
    next_at = min(next_at, a.leased[1] or NEVER)
    save(q)

    return { q.now, left and 0 or next_at == NEVER and -1
                    or max(0, next_at - q.now),
             last, state(q).rejected - rejected, a.turns }
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
    local a = demand(q, args[1], args[3], unpack(args, 5, 9))
    local rejected = state(q).rejected

    a.version, a.free = args[2], args[3]
    a.suspect = args[4] == '1' and a.slots > 0
    heartbeat(q, a)
    local last, left, next_at = move_on(q)
    left = claim_turns(q, a) or left
    return answer(q, a, last, left, next_at, rejected)
end

-- setter_take inbox  slug worker lease_ms turn_jobs turn_bytes max_failures
--                    max_crashes
-- As setter_claim, for an outside worker: at most one turn, of messages of
-- this tenant.  Lanes that reached their failures or crashes are not handed
-- out: their jobs go on record as dead.
local function take(keys, args)
    local q = open(keys)
    read_clock(q)
    local a = demand(q, args[2], 1, unpack(args, 3, 7))
    local rejected = state(q).rejected

    a.outside = true
    local last, left, next_at = move_on(q)
    local t, list = tenant(q, args[1]), 'outside:' .. args[1]
    for _ = 1, TAKE do
        local lane = #a.turns == 0 and not t.held and t.flight < t.limit
                     and call('LPOP', q.p .. list)
        if not lane then break end
        state(q).outside = state(q).outside - 1
        lease(q, a, t, lane, list)
    end
    local more = offers(q, t)
    q.rung[t.slug] = q.rung[t.slug] and more or nil
    return answer(q, a, last, left or more, next_at, rejected)
end
