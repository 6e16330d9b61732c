-- Paces: how many messages an account may send, over all workers.  Each is a
-- time, by the generic cell rate algorithm (ITU-T I.371): when the next message
-- would be due if they came evenly; a burst may be so far ahead of it.

-- One's wait in us, and when the message after this one would be due.
local function pace_of(q, name, interval, burst)
    local due = max(tonumber(call('GET', q.p .. 'pace:' .. name) or 0), q.us)
    return max(0, due - interval * (burst - 1) - q.us), due + interval
end

local function set_pace(q, name, due)
    local ms = ceil((due - q.us) / 1000)
    if ms > 0 then
        call('SET', q.p .. 'pace:' .. name, format('%.0f', due), 'PX', ms)
    end
end

-- setter_pace inbox  limit [name interval burst] ...
-- For how many ms a message has to wait that all of them count; intervals are
-- us.  Where that is more than limit, it does not count.
local function pace(keys, args)
    local q, wait, dues = open(keys), 0, {}
    read_clock(q)
    for i = 2, #args, 3 do
        local one, due = pace_of(q, args[i], tonumber(args[i + 1]),
                                 tonumber(args[i + 2]))
        wait, dues[args[i]] = max(wait, one), due
    end
    wait = ceil(wait / 1000)
    if wait <= tonumber(args[1]) then
        for name, due in pairs(dues) do
            set_pace(q, name, due)
        end
    end
    return wait
end

-- setter_pace_stop inbox  name interval burst ms
-- The provider said that nothing may be sent for so long; 1.
local function pace_stop(keys, args)
    local q = open(keys)
    read_clock(q)
    local due = q.us + args[4] * 1000 + args[2] * (args[3] - 1)
    local old = tonumber(call('GET', q.p .. 'pace:' .. args[1]) or 0)
    set_pace(q, args[1], max(due, old))
    return 1
end
