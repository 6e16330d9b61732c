-- The lane may run.  "push" is LPUSH for one whose turn was cut short.
local function make_ready(q, lane, crashes, push)
    if crashes >= SUSPECT then
        call('RPUSH', q.p .. 'suspects', lane)
        q.ring = true
        return
    end
    local slug = slug_of(lane)
    if call(push, q.p .. 'ready:' .. slug, lane) == 1 then
        enter(q, tenant(q, slug))
    end
    state(q).ready = state(q).ready + 1
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
    elseif f[3] then
        call('HSET', key, 'quiet', max(quiet, f[4] or 0), 'limit', limit)
    end
end
