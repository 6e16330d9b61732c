-- What happened: how many calls each endpoint got and had open at once, and
-- the messages that were accepted for sending.

local cjson = require "cjson.safe"

local _M = {}

local KEPT = 100000

local sent = ngx.shared.sent
local last = 0      -- seq of the newest message
local calls = {}


local function call(endpoint)
    local entry = calls[endpoint]

    if not entry then
        entry = { count = 0, open = 0, highest_concurrency = 0 }
        calls[endpoint] = entry
    end

    return entry
end


function _M.enter(endpoint)
    local entry = call(endpoint)

    entry.count = entry.count + 1
    entry.open = entry.open + 1
    entry.highest_concurrency = math.max(entry.highest_concurrency,
                                         entry.open)
end


function _M.leave(endpoint)
    local entry = call(endpoint)

    entry.open = entry.open - 1
end


function _M.calls(endpoints)
    local result = {}

    for _, endpoint in ipairs(endpoints) do
        result[endpoint] = call(endpoint)
    end

    return result
end


-- Begins to count anew; what is open stays open.
function _M.reset_calls()
    for _, entry in pairs(calls) do
        entry.count = 0
        entry.highest_concurrency = entry.open
    end
end


local function now()
    local time = ngx.now()

    return os.date("!%Y-%m-%dT%H:%M:%S", time)
           .. string.format(".%03dZ", time * 1000 % 1000)
end


-- Keeps one message, as JSON; raw is JSON already.  The oldest make room.  Of
-- whose key it was sent with the end tells.
function _M.send(provider, message, raw)
    local key = ngx.var.http_authorization or ""

    last = last + 1

    sent:set(last, string.format(
        '{"seq":%d,"at":"%s","provider":"%s","to":%s,"from":%s,"text":%s,'
        .. '"id":%s,"key":%s,"raw":%s}', last, now(), provider,
        cjson.encode(message.to), cjson.encode(message.from),
        cjson.encode(message.text),
        cjson.encode(message.id or "sandbox-" .. last),
        cjson.encode(key:sub(-4)), raw))
    sent:delete(last - KEPT)
end


-- The messages after seq, as JSON texts, oldest first.
function _M.sent(seq)
    local result = {}

    for n = math.max(seq, last - KEPT) + 1, last do
        result[#result + 1] = sent:get(n)
    end

    return result
end


return _M
