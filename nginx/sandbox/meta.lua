-- Meta's POST /{version}/{phone number's id}/messages: WhatsApp texts,
-- templates, interactive messages and media, read receipts and typing.

local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}

local MAX_TEXT = 4096           -- characters
local MAX_BUTTONS = 3

-- of a status that a test wants, what Meta's error with it says
local FAILURES = {
    [400] = { 100, "Invalid parameter" },
    [401] = { 190, "Error validating access token" },
    [403] = { 368, "Temporarily blocked for policies violations" },
    [404] = { 132001, "Template name does not exist" },
    [429] = { 130429, "Rate limit hit" },
    [500] = { 131000, "Something went wrong" },
    [503] = { 131016, "Service unavailable" },
}


local function fail(status, code, title, details)
    return { status, headers = {}, body = { error = {
        message = "(#" .. code .. ") " .. title, type = "OAuthException",
        code = code, fbtrace_id = "Asandbox" .. ngx.var.request_id,
        error_data = {
            messaging_product = "whatsapp", details = details or title,
        },
    } } }
end


local function invalid(details)
    return fail(400, 131009, "Parameter value is not valid", details)
end


local function characters(text)
    local _, count = text:gsub("[^\128-\191]", "")

    return count
end


local function is_text(value, max)
    return type(value) == "string" and value ~= ""
           and characters(value) <= max
end


local function table_of(value)
    return type(value) == "table" and value or {}
end


-- By type, what is wrong with a message, or nil; and the text for the ledger.

local TYPES = {}


function TYPES.text(body)
    local text = table_of(body.text).body

    if not is_text(text, MAX_TEXT) then
        return "text.body must be 1 to " .. MAX_TEXT .. " characters"
    end

    return nil, text
end


function TYPES.template(body)
    local template = table_of(body.template)

    if not is_text(template.name, 512)
       or not is_text(table_of(template.language).code, 10)
    then
        return "template.name and template.language.code are needed"
    end

    local words = { template.name }

    for _, component in ipairs(table_of(template.components)) do
        for _, parameter in ipairs(table_of(component.parameters)) do
            words[#words + 1] = tostring(parameter.text)
        end
    end

    return nil, table.concat(words, " ")
end


function TYPES.interactive(body)
    local interactive = table_of(body.interactive)
    local text = table_of(interactive.body).text
    local buttons = table_of(table_of(interactive.action).buttons)

    if not is_text(text, 1024) then
        return "interactive.body.text must be 1 to 1024 characters"
    end

    if #buttons > MAX_BUTTONS then
        return "at most " .. MAX_BUTTONS .. " buttons"
    end

    return nil, text
end


local function media(name)
    return function(body)
        local object = table_of(body[name])

        if not is_text(object.link or object.id, 2048) then
            return name .. ".link or " .. name .. ".id is needed"
        end

        return nil, object.caption or object.link or object.id
    end
end


for _, name in ipairs({ "image", "audio", "video", "document", "sticker" }) do
    TYPES[name] = media(name)
end


local function refuse_receipt(body)
    if not is_text(body.message_id, 512) then
        return fail(400, 100, "Invalid parameter", "message_id is needed")
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

    if not body or body.messaging_product ~= "whatsapp" then
        return fail(400, 100, "Invalid parameter",
                    "messaging_product must be whatsapp")
    end

    if body.status then
        return refuse_receipt(body)
    end

    if not is_text(body.to or body.recipient, 150) then
        return fail(400, 100, "Invalid parameter",
                    "to or recipient is needed")
    end

    local check = TYPES[body.type or "text"]

    if not check then
        return fail(400, 131051, "Unsupported message type")
    end

    local wrong = check(body)

    return wrong and invalid(wrong) or nil
end


-- A receipt reaches nobody as a message.
local function accept(request)
    local body = request.body

    if body.status then
        return
    end

    local _, text = TYPES[body.type or "text"](body)

    request.id = "wamid.sandbox." .. ngx.var.request_id
    ledger.send("meta", {
        to = body.to or body.recipient,
        from = ngx.var.uri:match("^/[^/]+/(%d+)/"),
        id = request.id, text = text,
    }, request.raw)
end


local function answer(request)
    local body = request.body

    if body.status then
        return { 200, body = { success = true } }
    end

    return { 200, body = {
        messaging_product = "whatsapp",
        contacts = { {
            input = body.to or body.recipient,
            wa_id = body.to or "",
            user_id = not body.to and body.recipient or nil,
        } },
        messages = { { id = request.id } },
    } }
end


local function failure(status)
    local known = FAILURES[status]
                  or FAILURES[status >= 500 and 500 or 400]

    return fail(status, known[1], known[2])
end


_M.messages = {
    name = "meta",
    refuse = refuse,
    accept = accept,
    answer = answer,
    failure = failure,
}


function _M.unknown()
    endpoint.respond(fail(404, 2500, "Unknown path components"))
end


return _M
