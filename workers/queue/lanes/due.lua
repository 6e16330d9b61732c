local function bring_due(q, lane)
    local key = q.p .. 'claim:' .. lane
    local crashes = numbers(key, 'crashes')[1]
    call('HDEL', key, 'cause', 'until')
    make_ready(q, lane, crashes, 'RPUSH')
end

-- The jobs of a turn that was not completed wait again.
local function take_back(q, lane, ids)
    local t = tenant(q, slug_of(lane))
    call('HDEL', q.p .. 'claim:' .. lane, 'token', 'worker')
    call('HDEL', q.p .. 'jobs', unpack(ids))
    add_waiting(q, t.slug, #ids)
    t.flight, t.changed = t.flight - 1, true
    if t.flight == 0 then
        t.finish = 0
    end
    let_in(q, t)
end

local function end_lease(q, lane)
    local key = q.p .. 'claim:' .. lane
    local crashes = call('HINCRBY', key, 'crashes', '1')
    call('HSET', key, 'reason', 'the worker was lost')
    take_back(q, lane, cjson.decode(call('HGET', key, 'ids')))
    make_ready(q, lane, crashes, 'LPUSH')
end

-- After a restart or a failover workers need a moment to come back and extend
-- what they hold: in the first GRACE_MS with a Redis process that was not
-- known yet no lease ends.
local function recognise(q)
    local run = call('INFO', 'server'):match('run_id:(%w+)')
    if call('HGET', q.p .. 'state', 'run') ~= run then
        call('HSET', q.p .. 'state', 'run', run)
        state(q).grace = q.now + GRACE_MS
    end
end

local function end_leases(q)
    local at = first(q, 'leased')
    if at > q.now then return at end
    recognise(q)
    if q.now < state(q).grace then return state(q).grace end
    return take_due(q, 'leased', end_lease)
end
