local function append(q, job, element, at)
    local length = call('RPUSH', q.p .. 'lane:' .. job.lane, element)

    add_waiting(q, job.slug, 1)
    if length > 1 and job.debounce > 0 then
        move_window(q, job, at)
    elseif length == 1 and job.debounce > 0 then
        make_due(q, job.lane, window(job, at))
    elseif length == 1 then
        make_ready(q, job.lane, 0, 'RPUSH', element)
    end
end

-- The job joins its lane, or waits for its time.
local function admit(q, job, element, at)
    if job.send_at > q.now then
        call('HSET', q.p .. 'delayed', job.id, element)
        call('ZADD', q.p .. 'later', job.send_at, job.id)
    else
        append(q, job, element, at)
    end
end

-- The ids of a lane's jobs, as keys of a table.
local function ids_in(q, lane)
    local list, ids = q.p .. 'lane:' .. lane, {}
    for i = 0, call('LLEN', list) - 1, CHUNK do
        for _, element in ipairs(call('LRANGE', list, i, i + CHUNK - 1)) do
            local id = id_of(element)
            ids[id] = true
            ids[id:match('^(.+)%' .. RECORD .. '$') or id] = true
        end
    end
    return ids
end

-- The job of a lane, not among the first "from", that was received next after
-- "received"; nil when there is none.
local function received_after(q, lane, from, received)
    local list = q.p .. 'lane:' .. lane
    local to = call('LLEN', list)
    while from < to do
        local middle = floor((from + to) / 2)
        local element = call('LINDEX', list, middle)
        if job_of(element).received > received then
            to = middle
        else
            from = middle + 1
        end
    end
    return call('LINDEX', list, to)
end

-- A job that comes again, requeued or missed: unless it is there it gets its
-- old place among those that wait, but not before what was handed over.
local function admit_again(q, job, element, at)
    if call('HEXISTS', q.p .. 'delayed', job.id) == 1
        or ids_in(q, job.lane)[job.id] then
        return
    end

    local ids = call('HGET', q.p .. 'claim:' .. job.lane, 'ids')
    local after = job.send_at <= q.now
                  and received_after(q, job.lane,
                                     ids and #cjson.decode(ids) or 0,
                                     job.received)
    if after then
        call('LINSERT', q.p .. 'lane:' .. job.lane, 'BEFORE', after, element)
        add_waiting(q, job.slug, 1)
    else
        admit(q, job, element, at)
    end
end

-- What is over the quota goes its way too, to be recorded.
local function sort_job(q, job, envelope, at)
    local line, seen = job.line, q.p .. 'seen:' .. job.id

    if job.rest ~= '' and flagged(job.rest:match('^\t([^\t]*)'), 'again') then
        call('SET', seen, job.slug, 'PX', SEEN_MS)
        admit_again(q, job, line .. '\n' .. envelope, at)

    elseif call('SET', seen, job.slug, 'NX', 'PX', SEEN_MS) then
        if job.kind == 'message' and any(q, 'ruled')
            and over_quota(q, tenant(q, job.slug)) then
            line = with_flag(job, 'over')
        end
        admit(q, job, line .. '\n' .. envelope, at)
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
    if job then
        sort_job(q, job, envelope, tonumber(id:match('^%d+')))
    else
        state(q).rejected = state(q).rejected + 1
        call('XADD', q.p .. 'rejects', 'MAXLEN', REJECTS, '*',
             'h', header, 'j', envelope)
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
