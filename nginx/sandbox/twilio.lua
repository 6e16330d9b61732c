-- Twilio's POST /2010-04-01/Accounts/{sid}/Messages.json: WhatsApp texts,
-- templates and media, as a form.

local cjson = require "cjson.safe"

local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}

local MAX_TEXT = 1600           -- characters

-- of a status that a test wants, what Twilio's error with it says
local FAILURES = {
    [400] = { 21610, "Attempt to send to unsubscribed recipient" },
    [401] = { 20003, "Authenticate" },
    [403] = { 63016, "Outside the allowed window; use a message template" },
    [404] = { 20404, "The requested resource was not found" },
    [429] = { 20429, "Too Many Requests" },
    [500] = { 63012, "Channel provider returned an internal service error" },
}


local function fail(status, code, message)
    return { status, headers = { ["Content-Type"] = "application/json" },
             body = {
        code = code, message = message, status = status,
        more_info = "https://www.twilio.com/docs/api/errors/" .. code,
    } }
end


local function characters(text)
    local _, count = text:gsub("[^\128-\191]", "")

    return count
end


local function is_address(value)
    return type(value) == "string"
           and (value:find("^whatsapp:%+%d+$")
                or value:find("^whatsapp:%u%u%.%w+$"))
end


local function account()
    return ngx.var.uri:match("/Accounts/(%w+)/")
end


local function refuse(request)
    local _, decoded = pcall(ngx.decode_args, request.raw, 0)
    local form = type(decoded) == "table" and decoded or {}

    request.form = form

    if ngx.req.get_method() ~= "POST" then
        return fail(405, 20004, "Method not allowed")
    end

    local key = (ngx.var.http_authorization or ""):match("^Basic +(%S+)")

    if not (ngx.decode_base64(key or "") or ""):find("^" .. account() .. ":.")
    then
        return fail(401, 20003, "Authenticate")
    end

    if not is_address(form.To) then
        return fail(400, 21211, "Invalid 'To' Phone Number")
    end

    if not form.MessagingServiceSid and not is_address(form.From) then
        return fail(400, 21212, "Invalid From Number (caller ID)")
    end

    if form.ContentSid or form.MediaUrl then
        return
    end

    if type(form.Body) ~= "string" or form.Body == "" then
        return fail(400, 21619, "A text message body or media urls must be "
                    .. "specified.")
    end

    if characters(form.Body) > MAX_TEXT then
        return fail(400, 21617, "The concatenated message body exceeds the "
                    .. MAX_TEXT .. " character limit")
    end
end


local function digits(address)
    return address and address:gsub("^whatsapp:%+?", "") or nil
end


local function accept(request)
    local form = request.form

    request.id = "SM" .. ngx.var.request_id
    ledger.send("twilio", {
        to = digits(form.To), from = digits(form.From), id = request.id,
        text = form.Body or form.ContentSid or form.MediaUrl,
    }, cjson.encode(form))
end


local function answer(request)
    local form = request.form
    local now = os.date("!%a, %d %b %Y %H:%M:%S +0000", ngx.time())

    return { 201, body = {
        account_sid = account(), api_version = "2010-04-01",
        body = form.Body, date_created = now, date_sent = cjson.null,
        date_updated = now, direction = "outbound-api",
        error_code = cjson.null, error_message = cjson.null,
        from = form.From, num_media = "0", num_segments = "1",
        price = cjson.null, price_unit = cjson.null, sid = request.id,
        status = "queued", to = form.To,
        messaging_service_sid = form.MessagingServiceSid or cjson.null,
        uri = "/2010-04-01/Accounts/" .. account() .. "/Messages/"
              .. request.id .. ".json",
    } }
end


local function failure(status)
    local known = FAILURES[status]
                  or FAILURES[status >= 500 and 500 or 400]

    return fail(status, known[1], known[2])
end


_M.messages = {
    name = "twilio",
    refuse = refuse,
    accept = accept,
    answer = answer,
    failure = failure,
}


-- POST /v3/Indicators/Typing.json, of messaging.twilio.com
_M.typing = {
    name = "twilio",
    failure = failure,

    refuse = function(request)
        local body = request.body

        if not (ngx.var.http_authorization or ""):find("^Basic +%S") then
            return fail(401, 20003, "Authenticate")
        end

        if not body or body.channel ~= "WHATSAPP"
           or type(body.messageId) ~= "string"
        then
            return fail(400, 20001, "Invalid parameter")
        end
    end,

    answer = function()
        return { 200, body = { success = true } }
    end,
}


function _M.unknown()
    endpoint.respond(fail(404, 20404, "The requested resource "
                          .. ngx.var.uri .. " was not found"))
end


return _M
