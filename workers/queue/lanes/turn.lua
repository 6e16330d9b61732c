-- The lane that a worker means.  Outside workers name a job of their turn,
-- "#<slug>/<job id>"; what names none is the name of no lane.
local function named(q, name)
    local slug, id = name:match('^#([^/]*)/(.*)$')
    local lane = slug and call('HGET', q.p .. 'jobs', id)
    return lane and slug_of(lane) == slug and lane or name
end

-- The fields of claim:<lane> when the token is the lane's, else nil; the first
-- of them is the ids.
local function holds(q, lane, token)
    local f = call('HMGET', q.p .. 'claim:' .. lane, 'ids', 'quiet', 'limit',
                   'token', 'outside')
    if f[4] == token then
        f[1] = cjson.decode(f[1])
        return f
    end
end

-- setter_more inbox  lane token turn_jobs turn_bytes
-- The jobs that came since and fit the turn; nil when the token is stale.
local function more(keys, args)
    local q = open(keys)
    local lane = named(q, args[1])
    local f = holds(q, lane, args[2])
    if not f then return false end

    local ids, jobs, limit = f[1], #f[1], min(JOBS, args[3])
    local elements = call('LRANGE', q.p .. 'lane:' .. lane, '0', limit - 1)
    local length = turn_length(elements, tonumber(args[4]))
    if length > jobs then
        local key, listed = q.p .. 'claim:' .. lane, {}
        call('HSET', key, 'ids', list_jobs(lane, elements, jobs + 1, length,
                                           ids, listed))
        call('HDEL', key, 'quiet', 'limit')
        each('HSET', q.p .. 'jobs', listed)
        add_waiting(q, slug_of(lane), jobs - length)
        save(q)
    end
    return { unpack(elements, jobs + 1, length) }
end

-- setter_extend inbox  lease_ms [lane token] ...
-- 1 for each lease prolonged, even past its end, and never cut short; 0 for
-- each stale token.
local function extend(keys, args)
    local q, results = open(keys), {}
    read_clock(q)
    for i = 2, #args, 2 do
        local lane = named(q, args[i])
        local held = holds(q, lane, args[i + 1])
        if held then
            call('ZADD', q.p .. 'leased', 'GT', q.now + args[1], lane)
        end
        results[i / 2] = held and 1 or 0
    end
    return results
end

-- The lane's first n jobs are done with; what is behind them waits for the
-- end of its window, or may run.
local function drop(q, lane, n, quiet, limit)
    local list, key = q.p .. 'lane:' .. lane, q.p .. 'claim:' .. lane

    if call('LLEN', list) == n then
        call('DEL', list, key)
        return
    end
    call('LTRIM', list, n, '-1')
    call('DEL', key)
    if not q.now then
        read_clock(q)
    end
    if tonumber(quiet or 0) > q.now then
        make_due(q, lane, quiet, limit)
    else
        make_ready(q, lane, 0, 'RPUSH')
    end
    q.ring = true
end

-- The first n jobs of a lane are done with, and no worker of ours had them:
-- jobs that put them on record take their places, so that what follows finds
-- them there.
local function record(q, lane, n, status)
    local list, key = q.p .. 'lane:' .. lane, q.p .. 'claim:' .. lane
    for i, element in ipairs(call('LRANGE', list, '0', n - 1)) do
        local job = job_of(element)
        local header = table.concat({
            1, job.id .. RECORD, job.slug, 'record', lane,
            format('%.0f', job.received), 0, 0, 0, status
        }, '\t')
        call('LSET', list, i - 1,
             header .. '\n' .. element:sub(#job.line + 2))
    end
    call('HDEL', key, 'token', 'worker', 'outside', 'ids', 'failures',
         'crashes', 'reason')
    call('HSETNX', key, 'quiet', '0')
    make_ready(q, lane, 0, 'RPUSH')
    q.ring = true
end

-- The jobs of a lane that was given up while it waited for an outside worker.
local function bury(q, lane, n, reason)
    local encoded = reason:gsub('[%c %%,\128-\255]', function(c)
        return format('%%%02X', c:byte())
    end)

    record(q, lane, n, 'status=dead,reason=' .. encoded)
end

-- setter_complete inbox  lane token [header envelope] ...
-- Drops the jobs handed over, or has those of an outside worker recorded, and
-- appends follow-up jobs to the inbox; 1, or 0 when the token is stale.
local function complete(keys, args)
    local q = open(keys)
    local lane = named(q, args[1])
    local f = holds(q, lane, args[2])
    if not f then return 0 end

    call('HDEL', q.p .. 'jobs', unpack(f[1]))
    call('ZREM', q.p .. 'leased', lane)
    land(q, tenant(q, slug_of(lane)))
    if f[5] then
        add_waiting(q, slug_of(lane), #f[1])
        record(q, lane, #f[1], 'status=done')
    else
        drop(q, lane, #f[1], f[2], f[3])
    end
    for i = 3, #args - 1, 2 do
        call('XADD', q.p .. 'inbox', '*', 'h', args[i], 'j', args[i + 1])
    end
    save(q)
    return 1
end

-- setter_fail inbox  lane token delay_ms counted reason
-- Puts the lane back for delay_ms; 1, or 0 when the token is stale.
local function fail(keys, args)
    local q = open(keys)
    local lane = named(q, args[1])
    local key, f = q.p .. 'claim:' .. lane, holds(q, lane, args[2])
    if not f then return 0 end

    read_clock(q)
    call('HINCRBY', key, 'failures', args[4])
    call('HSET', key, 'cause', 'retry', 'reason', args[5]:sub(1, 200))
    call('ZREM', q.p .. 'leased', lane)
    call('ZADD', q.p .. 'due', q.now + args[3], lane)
    take_back(q, lane, f[1])
    q.ring = true
    save(q)
    return 1
end
