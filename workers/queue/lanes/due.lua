-- A member with a line break is a job itself: version 1.0 kept them so.
local function bring_later(q, member)
    local element = member:find('\n', 1, true) and member
    if not element then
        element = call('HGET', q.p .. 'delayed', member)
        call('HDEL', q.p .. 'delayed', member)
    end
    local job = job_of(element)
    append(q, job, element, job.send_at)
end

local function bring_due(q, lane)
    local key = q.p .. 'claim:' .. lane
    local crashes = numbers(key, 'crashes')[1]
    call('HDEL', key, 'cause', 'until')
    make_ready(q, lane, crashes, 'RPUSH')
end

-- The lanes of tenants that were switched find their lists.  Returns whether
-- some are left.
local function bring_moving(q)
    for _ = 1, TAKE do
        local name = call('LINDEX', q.p .. 'moving', '0')
        if not name then return false end

        local lane = call('LPOP', q.p .. 'moving:' .. name)
        if lane then
            state(q).ready = state(q).ready - 1
            make_ready(q, lane, numbers(q.p .. 'claim:' .. lane, 'crashes')[1],
                       'RPUSH')
        else
            call('LPOP', q.p .. 'moving')
        end
    end
    return true
end

-- The jobs of a turn that was not completed wait again.
local function take_back(q, lane, ids)
    local t = tenant(q, slug_of(lane))
    call('HDEL', q.p .. 'claim:' .. lane, 'token', 'worker', 'outside')
    call('HDEL', q.p .. 'jobs', unpack(ids))
    add_waiting(q, t.slug, #ids)
    land(q, t)
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

-- What a claim does before it hands out turns.  Returns the last id of the
-- inbox seen, whether something is left to be done at once, and when time
-- moves something on.
local function move_on(q)
    take_due(q, 'later', bring_later)
    local last, left = sort_inbox(q)
    local next_at = min(first(q, 'later'), end_leases(q),
                        take_due(q, 'due', bring_due))
    return last, bring_moving(q) or left, next_at
end
