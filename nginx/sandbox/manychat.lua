-- ManyChat's POST /fb/sending/sendContent.

local cjson = require "cjson.safe"

local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}

local null = cjson.null

local NOT_FOUND = "<!doctype html><html><body>Not found</body></html>"

local SURFACES = { instagram = true, whatsapp = true, telegram = true }

local MESSAGE_TYPES = { text = true, image = true, video = true, audio = true,
                        file = true, cards = true }

local LIMITS = { messages = 10, quick_replies = 11, actions = 5 }

local FAILURES = {
    [400] = "Content can't be sent to subscriber without message tag.",
    [401] = "Token is required",
    [429] = "Too many requests",
    [500] = "Internal error",
}


local function fail(status, message)
    return { status, body = { status = "error", message = message } }
end


local function invalid(message)
    return { 400, body = {
        status = "error", message = "Validation error",
        details = { messages = { { message = message } } },
    } }
end


local function not_found()
    return { 404, body = NOT_FOUND,
             headers = { ["Content-Type"] = "text/html; charset=UTF-8" } }
end


-- An integer; text too, since some accounts' ids are no numbers.
local function is_id(value)
    return type(value) == "number" and value > 0 and value % 1 == 0
           or type(value) == "string" and value ~= ""
end


local function refuse_message(message)
    if type(message) ~= "table" or not MESSAGE_TYPES[message.type] then
        return invalid("Message type is invalid")
    end

    if message.type == "text" and
       (type(message.text) ~= "string" or message.text == "")
    then
        return invalid("Text is required")
    end
end


local function refuse_content(content)
    if type(content) ~= "table" then
        return invalid("Content is required")
    end

    if content.type ~= nil and not SURFACES[content.type] then
        return invalid("Content type is invalid")
    end

    for name, limit in pairs(LIMITS) do
        local list = content[name] or {}

        if type(list) ~= "table" or #list > limit then
            return invalid("Invalid " .. name)
        end
    end

    if #(content.messages or {}) == 0 then
        return invalid("Messages are required")
    end

    for _, message in ipairs(content.messages) do
        local refusal = refuse_message(message)

        if refusal then
            return refusal
        end
    end
end


local function refuse(request)
    local authorization = ngx.var.http_authorization or ""
    local body = request.body

    if ngx.req.get_method() ~= "POST" then
        return not_found()
    end

    if not authorization:find("^Bearer +%S") then
        return fail(401, FAILURES[401])
    end

    if not body then
        return invalid("Request body is not valid JSON")
    end

    if not is_id(body.subscriber_id) then
        return invalid("Subscriber id should be an integer")
    end

    if type(body.data) ~= "table" or body.data.version ~= "v2" then
        return invalid("Data version is invalid")
    end

    return refuse_content(body.data.content)
end


-- The digits as they came: a number of Lua's holds only 53 bits.
local function subscriber(request)
    return request.raw:match('"subscriber_id"%s*:%s*(%d+)')
           or request.body.subscriber_id
end


local function accept(request)
    local texts = {}

    for _, message in ipairs(request.body.data.content.messages) do
        texts[#texts + 1] = message.text or message.url
    end

    ledger.send("manychat", {
        to = subscriber(request),
        from = ngx.var.http_authorization:match("^Bearer +(%d+):") or null,
        text = table.concat(texts, "\n"),
    }, request.raw)
end


local function answer()
    return { 200, body = { status = "success" } }
end


local function failure(status, retry_after)
    local result = fail(status, FAILURES[status]
                                or FAILURES[status >= 500 and 500 or 400])

    result.headers = { ["Retry-After"] = retry_after
                                         and math.ceil(retry_after) }
    return result
end


_M.send_content = {
    name = "manychat",
    refuse = refuse,
    accept = accept,
    answer = answer,
    failure = failure,
}


function _M.unknown()
    endpoint.respond(not_found())
end


return _M
