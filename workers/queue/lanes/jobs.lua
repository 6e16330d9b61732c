-- A header's line: 1 id tenant kind lane received debounce debounce_max
-- send_at [flags [more]].  nil when it is anything else.  "line" is all but
-- the flags and more, "rest" these.
local function read_header(line)
    local id, slug, kind, lane, received, debounce, longest, send_at, rest =
        line:match('^1\t([!-~]+)\t(%l[%l%d-]*)\t([!-~]+)\t([!-~]+)'
                   .. '\t(%d+)\t(%d+)\t(%d+)\t(%d+)([^%z\n]*)$')

    if not id or #slug > 63 or lane:sub(1, #slug + 1) ~= slug .. '/'
        or max(#received, #debounce, #longest, #send_at) > 15
        or rest ~= '' and rest:sub(1, 1) ~= '\t' then
        return nil
    end
    return { id = id, slug = slug, kind = kind, lane = lane,
             received = tonumber(received), debounce = tonumber(debounce),
             longest = tonumber(longest), send_at = tonumber(send_at),
             line = line, rest = rest }
end

local function job_of(element)
    return read_header(element:match('^[^\n]*'))
end

local function id_of(element)
    return element:match('^1\t([^\t]+)')
end

-- Whether a word is one of the flags.
local function flagged(flags, word)
    return flags ~= '' and (',' .. flags .. ','):find(',' .. word .. ',', 1,
                                                      true) ~= nil
end

-- The header's line with a flag more.
local function with_flag(job, word)
    local flags, more = job.rest:match('^\t?([^\t]*)(.*)$')
    return job.line:sub(1, #job.line - #job.rest) .. '\t'
           .. (flags == '' and word or flags .. ',' .. word) .. more
end

-- What the jobs of a turn have in common: their kind, and whether they are
-- over the quota, as those are not answered.
local function turn_kind(element)
    local kind, flags = element:match(
        '^1\t[^\t]+\t[^\t]+\t([^\t]+)\t[^\t]+\t%d+\t%d+\t%d+\t%d+'
        .. '\t?([^\t\n]*)')
    return flagged(flags, 'over') and kind .. ' over' or kind
end

-- How many of these jobs, from the first, make one turn.
local function turn_length(elements, bytes)
    if #elements < 2 then return #elements end

    local size, kind = #elements[1], turn_kind(elements[1])
    for i = 2, #elements do
        size = size + #elements[i]
        if size > bytes or turn_kind(elements[i]) ~= kind then
            return i - 1
        end
    end
    return #elements
end

-- Adds the ids of elements from .. to to "ids", and for the hash "jobs" to
-- "listed".  Returns the ids as they are kept.
local function list_jobs(lane, elements, from, to, ids, listed)
    for i = from, to do
        ids[i] = id_of(elements[i])
        listed[#listed + 1] = ids[i]
        listed[#listed + 1] = lane
    end
    return cjson.encode(ids)
end
