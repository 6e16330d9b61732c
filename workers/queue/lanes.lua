#!lua name=setter

--[[
The queue: every transition of a job and of its lane, one function each.

A job is a header line and an envelope, which nothing here looks into.  A lane
is a list of jobs handed out one turn at a time, in order.  A turn is the
longest prefix of one kind, so that a burst of messages gets one answer.

Keys, all of one partition (prefix "setter:{tag}:"); times in ms:

  inbox          stream  h = header, j = envelope; appended by anybody, sorted
                         into lanes by setter_claim.  An empty header is only a
                         doorbell.  Stays when empty, for its last id.
  lane:<lane>    list    "<header>\n<envelope>", oldest first; the jobs of a
                         turn stay until the turn is completed
  tenants        zset    tenants with ready lanes, under their cap; score =
                         start tag on the fair clock
  capped         set     tenants with ready lanes, and too many turns in flight
  ready:<slug>   list    the tenant's lanes that may run, oldest first
  suspects       list    lanes that may run and crashed workers twice
  due            zset    lanes that wait; score = until when
  later          zset    jobs that join their lane at the score
  leased         zset    lanes in a worker's hands; score = the lease's end
  claim:<lane>   hash    what is known of the lane, see below
  tenant:<slug>  hash    flight (turns in hands) and finish (end tag of the
                         last one), while there are any; settings: weight, cap
  backlog        zset    jobs in lanes and in nobody's hands, by tenant
  jobs           hash    id -> lane, of jobs in a worker's hands
  seen:<id>      string  sorted within the last hour
  rejects        stream  the last entries whose header could not be read
  workers        zset    heartbeats; worker:<name> hash: slots, version
  state          hash    token (the last given), clock and arrival (the fair
                         clock), waiting and ready (sums over the tenants),
                         rejected, run and grace (see recognise)

States of a lane, and the fields of claim:<lane> in each:

  idle     no list, no hash
  due      in due.     cause=debounce until (the latest end of its window), or
                       cause=retry ids failures crashes reason
  ready    in ready:<slug> or suspects.  No hash, or ids failures crashes
           reason when a worker had the lane before
  leased   in leased.  token worker ids failures crashes reason

  idle   --append-->            due (a window opens) or ready
  due    --claim: time-->       ready
  ready  --claim: slot-->       leased
  leased --complete-->          idle, or due or ready when jobs came meanwhile
  leased --fail-->              due
  leased --claim: lease end-->  ready, in front

The jobs "ids" are handed over; a turn that failed is handed over again exactly
as it was.  quiet and limit, beside them, are the debounce window of messages
that came behind: complete waits for its end.  Who extends, completes or fails
shows the token of the claim; a lease that was taken back has lost its token.
--]]

local VERSION = '1.0'           -- major.minor; the same major work together

-- What one claim does at most: inbox entries sorted, leases ended (or later
-- jobs, or due lanes moved on), turns handed out, jobs in a turn
local SORT, TAKE, TURNS, JOBS = 100, 100, 100, 1000

local SEEN_MS, GRACE_MS, BEAT_MS, WORKER_MS = '3600000', 2000, 1000, 60000
local CAP = 200                 -- turns in flight a tenant
local COST = 1000               -- of a turn at weight 1, on the fair clock
local SUSPECT = 2               -- crashes
local REJECTS, LISTED = 100, 100        -- entries kept; tenants depth names
local NEVER = 9e15

-- Set by open(): not there yet while the library is loaded
local call, floor, max, min, format

-- One call's view of a partition.  ring: something became claimable that
-- others may not know of.
local function open(keys)
    local p = keys[1] and keys[1]:match('^(.*:)inbox$')
    if not p then
        error(redis.error_reply('ERR the key must be an inbox'))
    end
    call, format = redis.call, string.format
    floor, max, min = math.floor, math.max, math.min
    return { p = p, state = false, tenants = {}, order = {}, waiting = {},
             entering = {}, ring = false }
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
-- for, and written back by save().
local function state(q)
    if not q.state then
        local f = numbers(q.p .. 'state', 'token', 'clock', 'arrival',
                          'waiting', 'ready', 'rejected', 'grace')
        q.state = { token = f[1], clock = f[2], arrival = f[3],
                    waiting = f[4], ready = f[5], rejected = f[6],
                    grace = f[7] }
    end
    return q.state
end

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

local function save(q)
    each('ZADD', q.p .. 'tenants', q.entering)
    save_waiting(q)
    for _, t in ipairs(q.order) do
        local key = q.p .. 'tenant:' .. t.slug
        if t.changed and t.flight > 0 then
            call('HSET', key, 'flight', t.flight, 'finish', t.finish)
        elseif t.changed then
            call('HDEL', key, 'flight', 'finish')
        end
    end
    local s = q.state
    if s then
        call('HSET', q.p .. 'state', 'token', format('%.0f', s.token),
             'clock', s.clock, 'arrival', s.arrival, 'waiting', s.waiting,
             'ready', s.ready, 'rejected', s.rejected, 'grace', s.grace)
    end
    if q.ring then
        call('XADD', q.p .. 'inbox', '*', 'h', '', 'j', '')
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

-- A header's line: 1 id tenant kind lane received debounce debounce_max
-- send_at [more].  nil when it is anything else.
local function read_header(line)
    local id, slug, lane, received, debounce, longest, send_at, rest =
        line:match('^1\t([^\t\n]+)\t(%l[%l%d-]*)\t[^\t\n]+\t([^\t\n]+)'
                   .. '\t(%d+)\t(%d+)\t(%d+)\t(%d+)([^\n]*)$')

    if not id or #slug > 63 or lane:sub(1, #slug + 1) ~= slug .. '/'
        or max(#received, #debounce, #longest, #send_at) > 15
        or rest ~= '' and rest:sub(1, 1) ~= '\t' then
        return nil
    end
    return { id = id, lane = lane, received = tonumber(received),
             debounce = tonumber(debounce), longest = tonumber(longest),
             send_at = tonumber(send_at) }
end

local function job_of(element)
    return read_header(element:match('^[^\n]*'))
end

-- How many of these jobs, from the first, make one turn.
local function turn_length(elements, bytes)
    local size, kind = 0, nil
    for i, element in ipairs(elements) do
        local k = element:match('^1\t[^\t]+\t[^\t]+\t([^\t]+)')
        size = size + #element
        if i > 1 and (size > bytes or k ~= kind) then
            return i - 1
        end
        kind = k
    end
    return #elements
end

-- Adds the ids of elements from .. to to "ids", and for the hash "jobs" to
-- "listed".  Returns the ids as they are kept.
local function list_jobs(lane, elements, from, to, ids, listed)
    for i = from, to do
        ids[i] = elements[i]:match('^1\t([^\t]+)')
        listed[#listed + 1] = ids[i]
        listed[#listed + 1] = lane
    end
    return cjson.encode(ids)
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

local function append(q, job, element, at)
    local length = call('RPUSH', q.p .. 'lane:' .. job.lane, element)

    add_waiting(q, slug_of(job.lane), 1)
    if length > 1 and job.debounce > 0 then
        move_window(q, job, at)
    elseif length == 1 and job.debounce > 0 then
        make_due(q, job.lane, window(job, at))
    elseif length == 1 then
        make_ready(q, job.lane, 0, 'RPUSH')
    end
end

local function sort_entry(q, id, fields)
    local header, envelope = '?', ''
    for i = 1, #fields, 2 do
        if fields[i] == 'h' then header = fields[i + 1] end
        if fields[i] == 'j' then envelope = fields[i + 1] end
    end
    if header == '' then return end

    local job = envelope ~= '' and read_header(header)
    if not job then
        state(q).rejected = state(q).rejected + 1
        call('XADD', q.p .. 'rejects', 'MAXLEN', REJECTS, '*',
             'h', header, 'j', envelope)
    elseif call('SET', q.p .. 'seen:' .. job.id, '', 'NX', 'PX', SEEN_MS) then
        local element = header .. '\n' .. envelope
        if job.send_at > q.now then
            call('ZADD', q.p .. 'later', job.send_at, element)
        else
            append(q, job, element, tonumber(id:match('^%d+')))
        end
    end
end

-- Returns the last id seen ("0-0" from an empty inbox, which is as good to
-- wait behind) and whether entries are left.
local function sort_inbox(q)
    local key, last, left = q.p .. 'inbox', '0-0', 0
    local entries = call('XRANGE', key, '-', '+', 'COUNT', SORT)

    for _, entry in ipairs(entries) do
        last = entry[1]
        sort_entry(q, last, entry[2])
    end
    if #entries == SORT then
        left = call('XLEN', key) - SORT
    end
    if #entries > 0 then
        call('XTRIM', key, 'MAXLEN', left)
    end
    return last, left > 0
end

local function bring_later(q, element)
    local job = job_of(element)
    append(q, job, element, job.send_at)
end

local function bring_due(q, lane)
    local key = q.p .. 'claim:' .. lane
    local crashes = numbers(key, 'crashes')[1]
    call('HDEL', key, 'cause', 'until')
    make_ready(q, lane, crashes, 'RPUSH')
end

-- A turn of the tenant has ended: it may be under its cap again.
local function let_in(q, t)
    if t.flight < t.limit and call('SREM', q.p .. 'capped', t.slug) == 1 then
        enter(q, t)
        q.ring = true
    end
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

local function heartbeat(q, a)
    local key, worker = q.p .. 'workers', q.p .. 'worker:' .. a.worker
    local beat = call('ZSCORE', key, a.worker)
    if beat and q.now - beat < BEAT_MS then return end

    call('ZADD', key, q.now, a.worker)
    call('ZREMRANGEBYSCORE', key, '-inf', q.now - WORKER_MS)
    call('HSET', worker, 'slots', a.slots, 'version', a.version)
    call('PEXPIRE', worker, WORKER_MS)
    recognise(q)
end

local function lease(q, lane, t, a)
    local key, s = q.p .. 'claim:' .. lane, state(q)
    local f = call('HMGET', key, 'ids', 'failures', 'crashes', 'reason')
    local failures, crashes = tonumber(f[2] or 0), tonumber(f[3] or 0)
    local jobs = f[1] and #cjson.decode(f[1])
    local elements = call('LRANGE', q.p .. 'lane:' .. lane, '0',
                          (jobs or a.jobs) - 1)

    jobs = jobs or turn_length(elements, a.bytes)
    s.token = max(s.token + 1, q.us)
    local token = format('%.0f', s.token)

    call('HSET', key, 'token', token, 'worker', a.worker,
         'ids', list_jobs(lane, elements, 1, jobs, {}, a.listed))
    a.leased[#a.leased + 1] = a.lease_end
    a.leased[#a.leased + 1] = lane
    add_waiting(q, t.slug, -jobs)
    t.flight, t.changed = t.flight + 1, true

    local dead = failures >= a.failures or crashes >= a.crashes
    a.turns[#a.turns + 1] = { lane, token, failures, crashes, dead and 1 or 0,
                              f[4] or '', unpack(elements, 1, jobs) }
end

-- The turns of the tenant that comes first: as many as start before the next
-- one's tag, as its cap allows, and as there are slots.
local function claim_tenant(q, a, low)
    local t, tag, s = tenant(q, low[1]), tonumber(low[2]), state(q)
    local ready = q.p .. 'ready:' .. t.slug
    local n = min(a.slots - #a.turns, t.limit - t.flight,
                  max(1, math.ceil(((low[4] or NEVER) - tag) / t.cost)))

    for _, lane in ipairs(n > 0 and call('LPOP', ready, n) or {}) do
        lease(q, lane, t, a)
        s.ready, s.clock = s.ready - 1, max(s.clock, tag)
        tag = tag + t.cost
        t.finish = tag
    end

    local left = call('EXISTS', ready) == 1
    if left and t.flight < t.limit then
        call('ZADD', q.p .. 'tenants', tag, t.slug)
        return
    end
    call('ZREM', q.p .. 'tenants', t.slug)
    if left then
        call('SADD', q.p .. 'capped', t.slug)
    end
end

-- Returns whether something is left for this worker to claim.
local function claim_turns(q, a)
    local lane = a.suspect and call('LPOP', q.p .. 'suspects')
    if lane then
        lease(q, lane, tenant(q, slug_of(lane)), a)
    end
    each('ZADD', q.p .. 'tenants', q.entering)
    q.entering = {}
    while #a.turns < a.slots do
        local low = call('ZRANGE', q.p .. 'tenants', '0', '1', 'WITHSCORES')
        if #low == 0 then break end
        claim_tenant(q, a, low)
    end
    each('ZADD', q.p .. 'leased', a.leased)
    each('HSET', q.p .. 'jobs', a.listed)
    return call('EXISTS', q.p .. 'tenants') == 1
end

-- setter_claim inbox  worker version slots suspect lease_ms turn_jobs
--                     turn_bytes max_failures max_crashes
-- Sorts, moves on what is due, and leases up to "slots" turns, one of them
-- perhaps a suspect when suspect is 1.  Returns { now, next_ms, last id,
-- entries rejected, turns }: next_ms, in how many ms something becomes
-- claimable, -1 when nothing is in sight; a turn is { lane, token, failures,
-- crashes, dead, reason, job ... }.
local function claim(keys, args)
    local q = open(keys)
    read_clock(q)
    local slots = min(TURNS, tonumber(args[3]))
    local a = { worker = args[1], version = args[2], slots = slots,
                suspect = args[4] == '1' and slots > 0,
                lease_end = format('%.0f', q.now + args[5]),
                jobs = min(JOBS, tonumber(args[6])), bytes = tonumber(args[7]),
                failures = tonumber(args[8]), crashes = tonumber(args[9]),
                turns = {}, leased = {}, listed = {} }
    local rejected = state(q).rejected

    heartbeat(q, a)
    take_due(q, 'later', bring_later)
    local last, left = sort_inbox(q)
    local next_at = min(first(q, 'later'), end_leases(q),
                        take_due(q, 'due', bring_due))
    left = claim_turns(q, a) or left
    next_at = min(next_at, a.leased[1] or NEVER)
    save(q)

    return { q.now, left and 0 or next_at == NEVER and -1
                    or max(0, next_at - q.now),
             last, state(q).rejected - rejected, a.turns }
end

-- The fields of claim:<lane> when the token is the lane's, else nil; the first
-- of them is the ids.
local function held(q, lane, token)
    local f = call('HMGET', q.p .. 'claim:' .. lane, 'ids', 'quiet', 'limit',
                   'token')
    if f[4] == token then
        f[1] = cjson.decode(f[1])
        return f
    end
end

-- setter_more inbox  lane token turn_jobs turn_bytes
-- The jobs that came since and fit the turn; nil when the token is stale.
local function more(keys, args)
    local q, lane = open(keys), args[1]
    local f = held(q, lane, args[2])
    if not f then return false end

    local ids, jobs, limit = f[1], #f[1], min(JOBS, args[3])
    local elements = call('LRANGE', q.p .. 'lane:' .. lane, '0', limit - 1)
    local length = turn_length(elements, tonumber(args[4]))
    if length > jobs then
        local key, listed = q.p .. 'claim:' .. lane, {}
        call('HSET', key, 'ids', list_jobs(lane, elements, jobs + 1, length,
                                           ids, listed))
        call('HDEL', key, 'quiet', 'limit')
        each('HSET', q.p .. 'jobs', listed)
        add_waiting(q, slug_of(lane), jobs - length)
        save(q)
    end
    return { unpack(elements, jobs + 1, length) }
end

-- setter_extend inbox  lease_ms [lane token] ...
-- 1 for each lease prolonged, even past its end, and never cut short; 0 for
-- each stale token.
local function extend(keys, args)
    local q, results = open(keys), {}
    read_clock(q)
    for i = 2, #args, 2 do
        local holds = held(q, args[i], args[i + 1])
        if holds then
            call('ZADD', q.p .. 'leased', 'GT', q.now + args[1], args[i])
        end
        results[i / 2] = holds and 1 or 0
    end
    return results
end

-- setter_complete inbox  lane token [header envelope] ...
-- Drops the jobs handed over and appends follow-up jobs to the inbox; 1, or
-- 0 when the token is stale.
local function complete(keys, args)
    local q, lane = open(keys), args[1]
    local list, key = q.p .. 'lane:' .. lane, q.p .. 'claim:' .. lane
    local tenant_key = q.p .. 'tenant:' .. slug_of(lane)
    local f = held(q, lane, args[2])
    if not f then return 0 end

    call('HDEL', q.p .. 'jobs', unpack(f[1]))
    call('ZREM', q.p .. 'leased', lane)
    if call('HINCRBY', tenant_key, 'flight', '-1') == 0 then
        call('HDEL', tenant_key, 'flight', 'finish')
    end
    if call('EXISTS', q.p .. 'capped') == 1 then
        let_in(q, tenant(q, slug_of(lane)))
    end

    if call('LLEN', list) == #f[1] then
        call('DEL', list, key)
    else
        call('LTRIM', list, #f[1], '-1')
        call('DEL', key)
        read_clock(q)
        if tonumber(f[2] or 0) > q.now then
            make_due(q, lane, f[2], f[3])
        else
            make_ready(q, lane, 0, 'RPUSH')
        end
        q.ring = true
    end
    for i = 3, #args - 1, 2 do
        call('XADD', q.p .. 'inbox', '*', 'h', args[i], 'j', args[i + 1])
    end
    save(q)
    return 1
end

-- setter_fail inbox  lane token delay_ms counted reason
-- Puts the lane back for delay_ms; 1, or 0 when the token is stale.
local function fail(keys, args)
    local q, lane = open(keys), args[1]
    local key = q.p .. 'claim:' .. lane
    local f = held(q, lane, args[2])
    if not f then return 0 end

    read_clock(q)
    call('HINCRBY', key, 'failures', args[4])
    call('HSET', key, 'cause', 'retry', 'reason', args[5]:sub(1, 200))
    call('ZREM', q.p .. 'leased', lane)
    call('ZADD', q.p .. 'due', q.now + args[3], lane)
    take_back(q, lane, f[1])
    q.ring = true
    save(q)
    return 1
end

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

local function register(name, callback, flag)
    redis.register_function{ function_name = name, callback = callback,
                             flags = { flag } }
end

-- allow-oom: a full Redis could not even be drained without
register('setter_claim', claim, 'allow-oom')
register('setter_more', more, 'allow-oom')
register('setter_extend', extend, 'allow-oom')
register('setter_complete', complete, 'allow-oom')
register('setter_fail', fail, 'allow-oom')
register('setter_depth', depth, 'no-writes')
register('setter_version', function() return VERSION end, 'no-writes')
