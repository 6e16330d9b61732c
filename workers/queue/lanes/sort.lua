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
