-- Infobip's POST /whatsapp/1/message/text and /whatsapp/1/message/template.

local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}

local SCHEMES = { App = true, Basic = true, Bearer = true, IBSSO = true }

local FAILURES = {
    [400] = { "BAD_REQUEST", "Bad request" },
    [401] = { "UNAUTHORIZED", "Unauthorized" },
    [403] = { "FORBIDDEN", "Forbidden" },
    [404] = { "NOT_FOUND", "Requested URL not found" },
    [405] = { "METHOD_NOT_ALLOWED", "Request method not supported" },
    [429] = { "TOO_MANY_REQUESTS", "Too many requests" },
    [500] = { "GENERAL_ERROR", "Something went wrong." },
}

-- bounds of the members, in characters; absent is refused where the least
-- is 1
local COMMON = {
    { "from", 1, 24 }, { "to", 1, 150 }, { "messageId", 0, 200 },
    { "callbackData", 0, 4000 }, { "notifyUrl", 0, 2048 },
}


local function fail(status, validation_errors)
    local known = FAILURES[status]
                  or FAILURES[status >= 500 and 500 or 400]

    return { status, headers = {}, body = { requestError = {
        serviceException = {
            messageId = known[1], text = known[2],
            validationErrors = validation_errors,
        },
    } } }
end


local function characters(text)
    local _, count = text:gsub("[^\128-\191]", "")

    return count
end


-- Puts into errors what is wrong with a text member of that name.
local function check_text(errors, name, value, min, max)
    if value == nil and min == 0 then
        return
    end

    if type(value) ~= "string" then
        errors[name] = { "must not be null" }

    elseif characters(value) < min or characters(value) > max then
        errors[name] = { "size must be between " .. min .. " and " .. max }
    end
end


local function check_common(errors, message, prefix)
    for _, bound in ipairs(COMMON) do
        check_text(errors, prefix .. bound[1], message[bound[1]],
                   bound[2], bound[3])
    end
end


local function table_of(value)
    return type(value) == "table" and value or {}
end


local function check_text_message(errors, body)
    check_common(errors, body, "")
    check_text(errors, "content.text", table_of(body.content).text, 1, 4096)
end


local function check_templates(errors, body)
    local messages = table_of(body.messages)

    if #messages == 0 then
        errors["messages"] = { "must not be empty" }
    end

    for i, message in ipairs(messages) do
        local prefix = "messages[" .. i - 1 .. "]."
        local content = table_of(table_of(message).content)

        check_common(errors, table_of(message), prefix)
        check_text(errors, prefix .. "content.templateName",
                   content.templateName, 1, 512)
        check_text(errors, prefix .. "content.language", content.language,
                   1, 10)

        if type(content.templateData) ~= "table" then
            errors[prefix .. "content.templateData"] = { "must not be null" }
        end
    end
end


local function refuse_by(check)
    return function(request)
        local scheme = (ngx.var.http_authorization or ""):match("^(%a+) +%S")
        local errors = {}

        if ngx.req.get_method() ~= "POST" then
            return fail(405)
        end

        if not SCHEMES[scheme] then
            return fail(401)
        end

        if not request.body then
            return fail(400)
        end

        check(errors, request.body)

        return next(errors) and fail(400, errors) or nil
    end
end


local function sent(message)
    return {
        to = message.to, messageCount = 1, messageId = message.messageId,
        status = {
            groupId = 1, groupName = "PENDING", id = 7,
            name = "PENDING_ENROUTE",
            description = "Message sent to next instance",
        },
    }
end


local function send(message, text, raw)
    message.messageId = message.messageId or "sandbox-" .. ngx.var.request_id

    ledger.send("infobip", { to = message.to, from = message.from,
                             id = message.messageId, text = text }, raw)
end


local function template_text(content)
    local body = table_of(content.templateData.body)

    return table.concat({ content.templateName,
                          unpack(table_of(body.placeholders)) }, " ")
end


local function failure(status, retry_after)
    local result = fail(status)

    result.headers["Retry-After"] = retry_after and math.ceil(retry_after)
    return result
end


_M.text = {
    name = "infobip",
    refuse = refuse_by(check_text_message),
    failure = failure,

    accept = function(request)
        send(request.body, request.body.content.text, request.raw)
    end,

    answer = function(request)
        return { 200, body = sent(request.body) }
    end,
}


local FILE_TYPES = { image = true, video = true, audio = true,
                     document = true }


local function check_file(errors, body)
    local content = table_of(body.content)

    check_common(errors, body, "")
    check_text(errors, "content.mediaUrl", content.mediaUrl, 1, 2048)
    check_text(errors, "content.caption", content.caption, 0, 3000)
    check_text(errors, "content.filename", content.filename, 0, 240)
end


local function check_buttons(errors, body)
    local content = table_of(body.content)
    local buttons = table_of(table_of(content.action).buttons)

    check_common(errors, body, "")
    check_text(errors, "content.body.text", table_of(content.body).text, 1,
               1024)

    if #buttons < 1 or #buttons > 3 then
        errors["content.action.buttons"] = { "size must be between 1 and 3" }
    end

    for i, button in ipairs(buttons) do
        local prefix = "content.action.buttons[" .. i - 1 .. "]."

        check_text(errors, prefix .. "id", button.id, 1, 256)
        check_text(errors, prefix .. "title", button.title, 1, 20)

        if button.type ~= "REPLY" then
            errors[prefix .. "type"] = { "must be REPLY" }
        end
    end
end


_M.file = {
    name = "infobip",
    refuse = function(request)
        if not FILE_TYPES[ngx.var.uri:match("([^/]+)$")] then
            return fail(404)
        end

        return refuse_by(check_file)(request)
    end,
    failure = failure,

    accept = function(request)
        local content = request.body.content

        send(request.body, content.caption or content.mediaUrl, request.raw)
    end,

    answer = _M.text.answer,
}


_M.buttons = {
    name = "infobip",
    refuse = refuse_by(check_buttons),
    failure = failure,

    accept = function(request)
        send(request.body, request.body.content.body.text, request.raw)
    end,

    answer = _M.text.answer,
}


_M.template = {
    name = "infobip",
    refuse = refuse_by(check_templates),
    failure = failure,

    accept = function(request)
        for _, message in ipairs(request.body.messages) do
            send(message, template_text(message.content), request.raw)
        end
    end,

    answer = function(request)
        local messages = {}

        for i, message in ipairs(request.body.messages) do
            messages[i] = sent(message)
        end

        return { 200, body = { messages = messages,
                               bulkId = ngx.var.request_id } }
    end,
}


function _M.unknown()
    endpoint.respond(fail(404))
end


return _M
