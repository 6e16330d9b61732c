-- Of a tenant: the lowest and the highest value, and the one that it has when
-- nothing was set.
local SETTINGS = {
    weight = { 1, 1000, 1 },        -- share of the turns
    cap = { 1, 100000, CAP },       -- turns in flight
    day = { 0, 999999999, 0 },      -- messages a UTC day; 0: as many as come
    minute = { 0, 999999999, 0 },   -- read by the front door
    outside = { 0, 1, 0 },          -- outside workers take its messages
    held = { 0, 1, 0 }              -- none of its lanes is handed out
}

-- What is wrong with names and values, or nil.
local function wrong_setting(args)
    if not args[1]:match('^%l[%l%d-]*$') or #args[1] > 63 then
        return 'ERR not a tenant'
    end
    for i = 2, #args, 2 do
        local name, value = args[i], args[i + 1] or '?'
        local range = SETTINGS[name]

        if not range then
            return 'ERR no such setting: ' .. name
        end
        if value ~= '' and (not value:match('^%d+$') or #value > 9
                            or tonumber(value) < range[1]
                            or tonumber(value) > range[2]) then
            return format('ERR %s must be from %d to %d', name, range[1],
                          range[2])
        end
    end
end

-- The tenant's lanes that may run, and may be another side's now, set out for
-- where they belong.
local function move_ready(q, t)
    local s, list = state(q), (t.outside and 'ready:' or 'outside:') .. t.slug
    local n = call('LLEN', q.p .. list)
    if n == 0 then return end

    if t.outside then
        call('ZREM', q.p .. REPLY.line, t.slug)
    else
        s.outside, s.ready = s.outside - n, s.ready + n
    end
    s.token = max(s.token + 1, q.us)
    local name = format('%.0f', s.token)
    call('RENAME', q.p .. list, q.p .. 'moving:' .. name)
    call('RPUSH', q.p .. 'moving', name)
    q.ring = true
end

-- setter_tenant inbox  slug [setting value] ...
-- Settings of a tenant from now on; "" is the default again.  1.
local function configure(keys, args)
    local q = open(keys)
    local wrong = wrong_setting(args)
    if wrong then return redis.error_reply(wrong) end

    local slug, key = args[1], q.p .. 'tenant:' .. args[1]
    local was_outside = call('HGET', key, 'outside') == '1'

    read_clock(q)
    for i = 2, #args, 2 do
        local value = tonumber(args[i + 1])
        if not value or value == SETTINGS[args[i]][3] then
            call('HDEL', key, args[i])
        else
            call('HSET', key, args[i], value)
        end
    end

    local t = tenant(q, slug)
    if t.day == 0 then
        call('HDEL', key, 'today', 'used')
    end
    call((t.day > 0 or t.outside) and 'SADD' or 'SREM', q.p .. 'ruled', slug)
    if t.outside ~= was_outside then
        move_ready(q, t)
        bring_moving(q)
    end
    settle(q, t)
    if offers(q, t) then
        q.rung[slug] = true
    end
    save(q)
    return 1
end

-- setter_hold inbox  lane
-- The lane is handed out no more, until it is released; 1, or 0 when it was
-- held before.
local function hold(keys, args)
    local q = open(keys)
    if not args[1]:match('^%l[%l%d-]*/.') then
        return redis.error_reply('ERR not a lane')
    end
    return call('ZADD', q.p .. 'held', 'NX', '0', args[1])
end

-- setter_release inbox  lane
-- 1, or 0 when it was not held.
local function release(keys, args)
    local q, lane = open(keys), args[1]
    local waits = call('ZSCORE', q.p .. 'held', lane)
    if not waits then return 0 end

    call('ZREM', q.p .. 'held', lane)
    if waits == '1' then
        make_ready(q, lane, numbers(q.p .. 'claim:' .. lane, 'crashes')[1],
                   'RPUSH')
        q.ring = true
        save(q)
    end
    return 1
end
