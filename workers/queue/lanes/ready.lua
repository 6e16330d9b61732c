-- Whether the lane's next turn is an outside worker's.  head: its first job,
-- when known.
local function goes_outside(q, lane, slug, head)
    if not any(q, 'ruled') or not tenant(q, slug).outside then
        return false
    end
    return turn_kind(head or call('LINDEX', q.p .. 'lane:' .. lane, '0'))
           == 'message'
end

-- The list where a lane that may run belongs, or "held"; and the line that
-- its tenant then stands in, if in one.
local function home(q, lane, crashes, head)
    local slug, kind = lane:match('^([^/]*)/([^/]*)')

    if any(q, 'held') and call('ZSCORE', q.p .. 'held', lane) then
        return 'held'
    end
    if goes_outside(q, lane, slug, head) then
        return 'outside:' .. slug
    end
    -- of a tenant that is held none may stand in the way of the others'
    if crashes >= SUSPECT and not tenant(q, slug).held then
        return 'suspects'
    end
    local class = BULK_KINDS[kind] and BULK or REPLY
    return class.list .. slug, class, slug
end

-- The lane may run.  "push" is LPUSH for one whose turn was cut short.
local function make_ready(q, lane, crashes, push, head)
    local list, class, slug = home(q, lane, crashes, head)

    if list == 'held' then
        call('ZADD', q.p .. 'held', '1', lane)
    elseif list == 'suspects' then
        call('RPUSH', q.p .. list, lane)
        q.ring = true
    elseif not class then
        call(push, q.p .. list, lane)
        q.rung[slug_of(lane)] = true
        state(q).outside = state(q).outside + 1
    else
        if call(push, q.p .. list, lane) == 1 then
            enter(q, tenant(q, slug), class)
        end
        state(q).ready = state(q).ready + 1
    end
end

-- The lane waits for the end of its debounce window.
local function make_due(q, lane, quiet, limit)
    call('HSET', q.p .. 'claim:' .. lane, 'cause', 'debounce', 'until', limit)
    call('ZADD', q.p .. 'due', quiet, lane)
end

-- Where a message that came at "at" puts the end of its window, and the limit
-- of that.
local function window(job, at, limit)
    limit = limit or (job.longest > 0 and at + job.longest or NEVER)
    return min(at + job.debounce, limit), limit
end

-- A message for a lane that has jobs: it moves the end of an open window, or
-- opens one behind the jobs handed over.
local function move_window(q, job, at)
    local key = q.p .. 'claim:' .. job.lane
    local f = call('HMGET', key, 'cause', 'until', 'ids', 'quiet', 'limit')
    local quiet, limit = window(job, at, tonumber(f[2] or f[5] or nil))

    if f[1] == 'debounce' then
        local due = tonumber(call('ZSCORE', q.p .. 'due', job.lane))
        if at <= due and quiet > due then
            call('ZADD', q.p .. 'due', quiet, job.lane)
        end
    elseif f[3] or f[4] then
        call('HSET', key, 'quiet', max(quiet, f[4] or 0), 'limit', limit)
    end
end
