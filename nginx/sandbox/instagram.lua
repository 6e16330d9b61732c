-- Instagram's POST /{version}/{account's id}/messages: texts and sender
-- actions.  Below /instagram/, for WhatsApp's path is the same.

local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}

local MAX_TEXT = 1000           -- bytes

local ATTACHMENTS = { image = true, video = true, audio = true, file = true }

-- of a status that a test wants, what Instagram's error with it says
local FAILURES = {
    [400] = { 100, "The requested user cannot be found.", 2534014 },
    [401] = { 190, "Error validating access token", 460 },
    [403] = { 10, "This message is sent outside of allowed window.", 2534022 },
    [429] = { 613, "Calls to this api have exceeded the rate limit." },
    [500] = { 2, "Service temporarily unavailable", 1545133 },
}


local function fail(status, code, message, subcode)
    return { status, headers = {}, body = { error = {
        message = "(#" .. code .. ") " .. message, type = "OAuthException",
        code = code, error_subcode = subcode,
        fbtrace_id = "Asandbox" .. ngx.var.request_id,
    } } }
end


local function table_of(value)
    return type(value) == "table" and value or {}
end


local function refuse_attachment(attachment)
    if not ATTACHMENTS[attachment.type]
       or type(table_of(attachment.payload).url) ~= "string"
    then
        return fail(400, 100, "message.attachment is invalid")
    end
end


local function refuse(request)
    local body = request.body

    if ngx.req.get_method() ~= "POST" then
        return fail(400, 100, "Unsupported request")
    end

    if not (ngx.var.http_authorization or ""):find("^Bearer +%S") then
        return fail(401, 190, "Invalid OAuth access token")
    end

    if not body or type(table_of(body.recipient).id) ~= "string" then
        return fail(400, 100, "recipient.id is needed")
    end

    if body.sender_action then
        return
    end

    local attachment = table_of(body.message).attachment

    if attachment then
        return refuse_attachment(table_of(attachment))
    end

    local text = table_of(body.message).text

    if type(text) ~= "string" or text == "" or #text > MAX_TEXT then
        return fail(400, 100, "message.text must be 1 to " .. MAX_TEXT
                    .. " bytes")
    end
end


-- An action reaches nobody as a message.
local function accept(request)
    local body = request.body

    if body.sender_action then
        return
    end

    request.id = "aWdfsandbox" .. ngx.var.request_id
    ledger.send("instagram", {
        to = body.recipient.id,
        from = ngx.var.uri:match("/(%d+)/messages$"),
        id = request.id, text = body.message.text
                                or body.message.attachment.payload.url,
    }, request.raw)
end


local function answer(request)
    return { 200, body = {
        recipient_id = request.body.recipient.id, message_id = request.id,
    } }
end


local function failure(status)
    local known = FAILURES[status]
                  or FAILURES[status >= 500 and 500 or 400]

    return fail(status, known[1], known[2], known[3])
end


_M.messages = {
    name = "instagram",
    refuse = refuse,
    accept = accept,
    answer = answer,
    failure = failure,
}


function _M.unknown()
    endpoint.respond(fail(404, 2500, "Unknown path components"))
end


return _M
