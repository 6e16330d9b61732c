-- The fields of claim:<lane> when the token is the lane's, else nil; the first
-- of them is the ids.
local function held(q, lane, token)
    local f = call('HMGET', q.p .. 'claim:' .. lane, 'ids', 'quiet', 'limit',
                   'token')
    if f[4] == token then
        f[1] = cjson.decode(f[1])
        return f
    end
end

-- setter_more inbox  lane token turn_jobs turn_bytes
-- The jobs that came since and fit the turn; nil when the token is stale.
local function more(keys, args)
    local q, lane = open(keys), args[1]
    local f = held(q, lane, args[2])
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
        local holds = held(q, args[i], args[i + 1])
        if holds then
            call('ZADD', q.p .. 'leased', 'GT', q.now + args[1], args[i])
        end
        results[i / 2] = holds and 1 or 0
    end
    return results
end

-- setter_complete inbox  lane token [header envelope] ...
-- Drops the jobs handed over and appends follow-up jobs to the inbox; 1, or
-- 0 when the token is stale.
local function complete(keys, args)
    local q, lane = open(keys), args[1]
    local list, key = q.p .. 'lane:' .. lane, q.p .. 'claim:' .. lane
    local tenant_key = q.p .. 'tenant:' .. slug_of(lane)
    local f = held(q, lane, args[2])
    if not f then return 0 end

    call('HDEL', q.p .. 'jobs', unpack(f[1]))
    call('ZREM', q.p .. 'leased', lane)
    if call('HINCRBY', tenant_key, 'flight', '-1') == 0 then
        call('HDEL', tenant_key, 'flight', 'finish')
    end
    if call('EXISTS', q.p .. 'capped') == 1 then
        let_in(q, tenant(q, slug_of(lane)))
    end

    if call('LLEN', list) == #f[1] then
        call('DEL', list, key)
    else
        call('LTRIM', list, #f[1], '-1')
        call('DEL', key)
        read_clock(q)
        if tonumber(f[2] or 0) > q.now then
            make_due(q, lane, f[2], f[3])
        else
            make_ready(q, lane, 0, 'RPUSH')
        end
        q.ring = true
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
    local q, lane = open(keys), args[1]
    local key = q.p .. 'claim:' .. lane
    local f = held(q, lane, args[2])
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
