local function slug_of(lane)
    return lane:match('^[^/]*')
end

local function tenant(q, slug)
    local t = q.tenants[slug]
    if not t then
        local f = numbers(q.p .. 'tenant:' .. slug, 'flight', 'finish',
                          'weight', 'cap')
        t = { slug = slug, flight = f[1], finish = f[2], changed = false,
              cost = f[3] > 0 and max(1, floor(COST / f[3])) or COST,
              limit = f[4] > 0 and f[4] or CAP }
        q.tenants[slug] = t
        q.order[#q.order + 1] = t
    end
    return t
end

-- Start-time fair queueing: a tenant that turns up starts at the clock, or
-- where its own last turn ends, and behind those that came before it; each
-- turn moves it on by its cost.  The clock is the highest start tag served.
local function enter(q, t)
    if t.flight >= t.limit then
        call('SADD', q.p .. 'capped', t.slug)
        return
    end
    local s = state(q)
    s.arrival = max(s.clock, s.arrival + 1)
    q.entering[#q.entering + 1] = max(s.arrival, t.finish)
    q.entering[#q.entering + 1] = t.slug
end

-- A turn of the tenant has ended: it may be under its cap again.
local function let_in(q, t)
    if t.flight < t.limit and call('SREM', q.p .. 'capped', t.slug) == 1 then
        enter(q, t)
        q.ring = true
    end
end
