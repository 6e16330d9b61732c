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
