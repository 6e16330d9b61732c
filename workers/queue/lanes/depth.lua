-- How long the oldest of what could run has waited, as far as the heads of
-- the queues tell: the inbox's, and those of the ten tenants that come first.
local function oldest_ms(q)
    local oldest = q.now
    local entry = call('XRANGE', q.p .. 'inbox', '-', '+', 'COUNT', '1')[1]
    if entry then
        oldest = tonumber(entry[1]:match('^%d+'))
    end
    for _, slug in ipairs(call('ZRANGE', q.p .. 'tenants', '0', '9')) do
        local lane = call('LINDEX', q.p .. 'ready:' .. slug, '0')
        local element = lane and call('LINDEX', q.p .. 'lane:' .. lane, '0')
        oldest = min(oldest, element and job_of(element).received or oldest)
    end
    return q.now - oldest
end

-- setter_depth inbox  [slug] ...
-- Names and numbers: jobs in the inbox, waiting in lanes, and for later;
-- those for later that no claim has moved on in time; lanes by state; entries
-- ever rejected; live workers; age of the oldest.  Then { slug, waiting,
-- flight } of the tenants asked for, or of those with most jobs waiting.
local function depth(keys, args)
    local q, tenants = open(keys), {}
    read_clock(q)
    local p, s = q.p, state(q)
    local slugs = #args > 0 and args
                  or call('ZREVRANGE', p .. 'backlog', '0', LISTED - 1)

    for i, slug in ipairs(slugs) do
        local waiting = call('ZSCORE', p .. 'backlog', slug)
        tenants[i] = { slug, tonumber(waiting or 0), tenant(q, slug).flight }
    end
    return { 'inbox', call('XLEN', p .. 'inbox'), 'waiting', s.waiting,
             'later', call('ZCARD', p .. 'later'),
             'overdue', call('ZCOUNT', p .. 'later', '-inf', q.now),
             'ready', s.ready,
             'due', call('ZCARD', p .. 'due'),
             'leased', call('ZCARD', p .. 'leased'),
             'suspects', call('LLEN', p .. 'suspects'),
             'rejected', s.rejected,
             'workers', call('ZCOUNT', p .. 'workers', q.now - 15000, '+inf'),
             'oldest_ms', oldest_ms(q), tenants }
end
