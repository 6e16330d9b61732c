-- How each endpoint behaves: what was PUT to /sandbox/behaviour, checked, and
-- the dice.  A member that an endpoint does not name is taken from "*".

local cjson = require "cjson.safe"

local _M = {}

local ENDPOINTS = { "chat", "manychat", "infobip", "meta",
                    "instagram", "twilio", "media", "transcriptions" }

-- what may come instead of an answer, by probability
local FAULTS = { "timeout", "garbage", "cut_after_accept", "cut_kept",
                 "drip" }

local EMPTY = {}

local behaviour     -- endpoint -> its table
local text          -- the same, as JSON
local failed        -- endpoint -> how often fail_first has struck


local function is_number(value, min, max)
    return type(value) == "number" and value >= min and value <= max
end


local function is_probability(value)
    return is_number(value, 0, 1)
end


local function is_status(value)
    return is_number(value, 400, 599) and value % 1 == 0
end


-- the members of an endpoint's table, each with its check

local MEMBERS = {
    timeout = is_probability,
    garbage = is_probability,
    cut_after_accept = is_probability,
    cut_kept = is_probability,
    drip = is_probability,
}


function MEMBERS.latency_ms(value)
    if type(value) ~= "table" then
        return is_number(value, 0, 600000)
    end

    return #value == 2 and is_number(value[1], 0, 600000)
           and is_number(value[2], value[1], 600000)
end


function MEMBERS.status(value)
    if type(value) ~= "table" then
        return false
    end

    for status, probability in pairs(value) do
        if not is_status(tonumber(status))
           or not is_probability(probability)
        then
            return false
        end
    end

    return true
end


function MEMBERS.retry_after(value)
    return is_number(value, 0, 86400)
end


-- more headers for an answer with a status that went wrong
function MEMBERS.headers(value)
    if type(value) ~= "table" then
        return false
    end

    for name, text in pairs(value) do
        if type(name) ~= "string" or type(text) ~= "string" then
            return false
        end
    end

    return true
end


function MEMBERS.reply(value)
    return type(value) == "string"
end


local function named_fault(value)
    for _, fault in ipairs(FAULTS) do
        if value[fault] == true then
            return fault
        end
    end
end


-- {"count":2,"status":500}, or a fault's name with true in status's place
function MEMBERS.fail_first(value)
    if type(value) ~= "table" or not is_number(value.count, 1, 1e9) then
        return false
    end

    if value.status then
        return is_status(value.status)
    end

    return named_fault(value) ~= nil
end


local function check_sum(name, entry)
    local sum = 0

    for _, fault in ipairs(FAULTS) do
        sum = sum + (entry[fault] or 0)
    end

    for _, probability in pairs(entry.status or EMPTY) do
        sum = sum + probability
    end

    if sum > 1.000001 then
        return name .. ": the probabilities sum to more than 1"
    end
end


local function check_endpoint(name, entry)
    local known = name == "*"

    for _, endpoint in ipairs(ENDPOINTS) do
        known = known or name == endpoint
    end

    if not known then
        return name .. ": no such endpoint"
    end

    if type(entry) ~= "table" then
        return name .. ": not an object"
    end

    for member, value in pairs(entry) do
        local check = MEMBERS[member]

        if not check then
            return name .. "." .. member .. ": no such member"
        end

        if not check(value) then
            return name .. "." .. member .. ": invalid value"
        end
    end

    return check_sum(name, entry)
end


function _M.reset()
    behaviour, text, failed = {}, "{}", {}
end


-- Replaces the behaviour of all endpoints; returns what is wrong, or nothing.
function _M.put(json)
    local new = cjson.decode(json)

    if type(new) ~= "table" then
        return "the body is not a JSON object"
    end

    for name, entry in pairs(new) do
        local wrong = check_endpoint(tostring(name), entry)

        if wrong then
            return wrong
        end
    end

    behaviour, text, failed = new, json, {}
end


function _M.text()
    return text
end


function _M.endpoints()
    return ENDPOINTS
end


local function member(endpoint, name)
    local value = (behaviour[endpoint] or EMPTY)[name]

    if value == nil then
        value = (behaviour["*"] or EMPTY)[name]
    end

    return value
end


function _M.reply(endpoint)
    return member(endpoint, "reply")
end


function _M.headers(endpoint)
    return member(endpoint, "headers") or EMPTY
end


function _M.retry_after(endpoint)
    return member(endpoint, "retry_after")
end


-- The seconds this answer takes.
function _M.latency(endpoint)
    local ms = member(endpoint, "latency_ms") or 0

    if type(ms) == "table" then
        ms = ms[1] + math.random() * (ms[2] - ms[1])
    end

    return ms / 1000
end


-- What goes wrong with this request: a status, the name of a fault, or nil.
function _M.fault(endpoint)
    local first = member(endpoint, "fail_first")
    local times = failed[endpoint] or 0

    if first and times < first.count then
        failed[endpoint] = times + 1
        return first.status or named_fault(first)
    end

    local dice = math.random()

    for _, fault in ipairs(FAULTS) do
        dice = dice - (member(endpoint, fault) or 0)

        if dice < 0 then
            return fault
        end
    end

    for status, probability in pairs(member(endpoint, "status") or EMPTY) do
        dice = dice - probability

        if dice < 0 then
            return tonumber(status)
        end
    end
end


_M.reset()

return _M
