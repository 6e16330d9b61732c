local function slug_of(lane)
    return lane:match('^[^/]*')
end

local function tenant(q, slug)
    if q.tenants[slug] then return q.tenants[slug] end

    local f, values = {}, call('HGETALL', q.p .. 'tenant:' .. slug)
    for i = 1, #values, 2 do
        f[values[i]] = tonumber(values[i + 1])
    end
    local cap = f.cap or CAP
    local t = {
        slug = slug, flight = f.flight or 0, moved = false,
        finish = f.finish or 0, bulk_finish = f.bulk_finish or 0,
        had_bulk = f.bulk_finish ~= nil,
        cost = max(1, floor(COST / (f.weight or 1))), limit = cap,
        -- a tenant's own bulk leaves its replies something of its cap
        bulk_limit = max(1, cap - ceil(cap / 10)),
        held = f.held == 1, outside = f.outside == 1, day = f.day or 0,
        today = f.today, used = f.used, counted = false
    }
    q.tenants[slug] = t
    q.order[#q.order + 1] = t
    return t
end

-- Start-time fair queueing: a tenant that turns up starts at the clock, or
-- where its own last turn ends, and behind those that came before it; each
-- turn moves it on by its cost.  The clock is the highest start tag served.
local function enter(q, t, class)
    if t.held then return end
    if t.flight >= t[class.limit] then
        call('SADD', q.p .. 'capped', t.slug)
        return
    end
    local s, entering = state(q), q.entering[class.line]
    s[class.arrival] = max(s[class.clock], s[class.arrival] + 1)
    entering[#entering + 1] = max(s[class.arrival], t[class.finish])
    entering[#entering + 1] = t.slug
    t[class.line] = true
end

-- Puts the tenant into its lines or takes it out, as its hold and its cap
-- have it now.
local function settle(q, t)
    call('SREM', q.p .. 'capped', t.slug)
    for _, class in ipairs({ REPLY, BULK }) do
        local may = not t.held and t.flight < t[class.limit]
        local stands = t[class.line]
                       or call('ZSCORE', q.p .. class.line, t.slug)

        if stands and not may then
            call('ZREM', q.p .. class.line, t.slug)
            stands = false
        end
        if not stands
            and call('EXISTS', q.p .. class.list .. t.slug) == 1 then
            enter(q, t, class)
            q.ring = q.ring or may
        end
    end
end

-- Whether outside workers have something to take.
local function offers(q, t)
    return t.outside and not t.held and t.flight < t.limit
           and call('EXISTS', q.p .. 'outside:' .. t.slug) == 1
end

-- A turn of the tenant has ended: it may be under its cap again, and with
-- none in flight it has no past.
local function land(q, t)
    local flight = t.flight
    t.flight, t.moved = flight - 1, true
    if t.flight == 0 then
        t.finish, t.bulk_finish = 0, 0
    end
    if flight >= t.bulk_limit
        and call('SISMEMBER', q.p .. 'capped', t.slug) == 1 then
        settle(q, t)
    end
    if flight == t.limit and offers(q, t) then
        q.rung[t.slug] = true
    end
end

-- Counts a message against the tenant's quota for the day.  Returns whether
-- the quota was used up.
local function over_quota(q, t)
    local today = floor(q.now / DAY_MS)

    if t.day == 0 then return false end
    if t.today ~= today then
        t.today, t.used = today, 0
    end
    if t.used >= t.day then return true end
    t.used, t.counted = t.used + 1, true
    return false
end
