-- Set by open(): not there yet while the library is loaded
local call, floor, ceil, max, min, format

local STATE = { 'token', 'clock', 'arrival', 'bulk_clock', 'bulk_arrival',
                'replies', 'waiting', 'ready', 'outside', 'rejected', 'grace' }

-- One call's view of a partition.  ring: something became claimable that
-- others may not know of; rung: tenants of whose lanes an outside worker may
-- take one.
local function open(keys)
    local p = keys[1] and keys[1]:match('^(.*:)inbox$')
    if not p then
        error(redis.error_reply('ERR the key must be an inbox'))
    end
    call, format = redis.call, string.format
    floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
    return { p = p, state = false, tenants = {}, order = {}, waiting = {},
             entering = { tenants = {}, bulk = {} }, there = {}, ring = false,
             rung = {} }
end

local function read_clock(q)
    local time = call('TIME')
    q.us = time[1] * 1000000 + time[2]
    q.now = floor(q.us / 1000)
end

local function numbers(key, ...)
    local values = call('HMGET', key, ...)
    for i = 1, #values do
        values[i] = tonumber(values[i] or 0)
    end
    return values
end

-- The records of the state and of tenants are read once a call, when asked
-- for, and what changed is written back by save().
local function state(q)
    if not q.state then
        q.state, q.was = {}, numbers(q.p .. 'state', unpack(STATE))
        for i, name in ipairs(STATE) do
            q.state[name] = q.was[i]
        end
    end
    return q.state
end

-- Whether there is such a key, for those that are seldom there.
local function any(q, name)
    if q.there[name] == nil then
        q.there[name] = call('EXISTS', q.p .. name) == 1
    end
    return q.there[name]
end

-- n jobs more wait in the tenant's lanes.
local function add_waiting(q, slug, n)
    q.waiting[slug] = (q.waiting[slug] or 0) + n
end

-- A command for all of these members, or pairs, of a key; for none if so.
local function each(command, key, members)
    for i = 1, #members, 1000 do
        call(command, key, unpack(members, i, min(i + 999, #members)))
    end
end

local function save_waiting(q)
    local key, slugs, set, unset = q.p .. 'backlog', {}, {}, {}
    for slug, n in pairs(q.waiting) do
        if n ~= 0 then
            slugs[#slugs + 1] = slug
        end
    end
    if #slugs == 0 then return end

    for i, had in ipairs(call('ZMSCORE', key, unpack(slugs))) do
        local n = q.waiting[slugs[i]]
        state(q).waiting = state(q).waiting + n
        n = n + (had or 0)
        if n > 0 then
            set[#set + 1] = n
            set[#set + 1] = slugs[i]
        else
            unset[#unset + 1] = slugs[i]
        end
    end
    each('ZADD', key, set)
    each('ZREM', key, unset)
end

local function save_tenant(q, t)
    local key = q.p .. 'tenant:' .. t.slug
    if t.moved and t.flight == 0 then
        call('HDEL', key, 'flight', 'finish', 'bulk_finish')
    elseif t.moved then
        call('HSET', key, 'flight', t.flight, 'finish', t.finish)
        if t.bulk_finish > 0 then
            call('HSET', key, 'bulk_finish', t.bulk_finish)
        elseif t.had_bulk then
            call('HDEL', key, 'bulk_finish')
        end
    end
    if t.counted then
        call('HSET', key, 'today', t.today, 'used', t.used)
    end
end

local function save_state(q)
    local changed = {}
    for i, name in ipairs(STATE) do
        if q.state[name] ~= q.was[i] then
            changed[#changed + 1] = name
            changed[#changed + 1] = format('%.0f', q.state[name])
        end
    end
    each('HSET', q.p .. 'state', changed)
end

local function save(q)
    for line, entering in pairs(q.entering) do
        each('ZADD', q.p .. line, entering)
    end
    save_waiting(q)
    for _, t in ipairs(q.order) do
        save_tenant(q, t)
    end
    if q.state then
        save_state(q)
    end
    if q.ring then
        call('XADD', q.p .. 'inbox', '*', 'h', '', 'j', '')
    end
    for slug in pairs(q.rung) do
        call('XADD', q.p .. 'outside', 'MAXLEN', '~', RINGS, '*', 't', slug)
    end
end

-- The lowest score of a zset, or NEVER.
local function first(q, name)
    local low = call('ZRANGE', q.p .. name, '0', '0', 'WITHSCORES')
    return tonumber(low[2] or NEVER)
end

-- Takes what is due out of a zset, calling take(q, member).  Returns the
-- lowest score that is left.
local function take_due(q, name, take)
    local at, key = first(q, name), q.p .. name
    if at > q.now then return at end
    for _, member in ipairs(call('ZRANGEBYSCORE', key, '-inf', q.now, 'LIMIT',
                                 '0', TAKE)) do
        call('ZREM', key, member)
        take(q, member)
    end
    return first(q, name)
end
