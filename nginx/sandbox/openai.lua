-- OpenAI's POST /v1/chat/completions, plain and streamed.

local cjson = require "cjson.safe"

local endpoint = require "endpoint"

local _M = {}

local null = cjson.null
local image_of
local count = 0

local ROLES = {
    developer = true, system = true, user = true, assistant = true,
    tool = true, ["function"] = true,
}

-- the members of a request, each with the type it has to be of
local PARAMETERS = {
    model = "string", messages = "table", audio = "table",
    frequency_penalty = "number", function_call = "any", functions = "table",
    logit_bias = "table", logprobs = "boolean",
    max_completion_tokens = "number", max_tokens = "number",
    metadata = "table", modalities = "table", n = "number",
    parallel_tool_calls = "boolean", prediction = "table",
    presence_penalty = "number", prompt_cache_key = "string",
    prompt_cache_retention = "string", reasoning_effort = "string",
    response_format = "table", safety_identifier = "string", seed = "number",
    service_tier = "string", stop = "any", store = "boolean",
    stream = "boolean", stream_options = "table", temperature = "number",
    tool_choice = "any", tools = "table", top_logprobs = "number",
    top_p = "number", user = "string", verbosity = "string",
    web_search_options = "table",
}

local TYPE_NAMES = { table = "an object or array", number = "a number",
                     string = "a string", boolean = "a boolean" }

-- by status: message, type, code
local FAILURES = {
    [400] = { "The request is invalid.", "invalid_request_error" },
    [401] = { "Incorrect API key provided.", "invalid_request_error",
              "invalid_api_key" },
    [403] = { "Country, region, or territory not supported",
              "request_forbidden", "unsupported_country_region_territory" },
    [404] = { "The model does not exist or you do not have access to it.",
              "invalid_request_error", "model_not_found" },
    [429] = { "Rate limit reached for requests.", "requests",
              "rate_limit_exceeded" },
    [500] = { "The server had an error while processing your request.",
              "server_error" },
    [503] = { "The service is overloaded; try again later.",
              "service_unavailable_error", "server_is_overloaded" },
}


local function headers()
    return {
        ["x-request-id"] = "req_" .. ngx.var.request_id,
        ["openai-organization"] = "org-sandbox",
        ["openai-version"] = "2020-10-01",
        ["openai-processing-ms"] =
            math.floor((ngx.now() - ngx.req.start_time()) * 1000),
    }
end


local function fail(status, message, kind, code, param)
    return { status, headers = headers(), body = { error = {
        message = message, type = kind, param = param or null,
        code = code or null,
    } } }
end


local function invalid(param, code, message)
    return fail(400, message, "invalid_request_error", code, param)
end


local function refuse_key()
    local authorization = ngx.var.http_authorization or ""

    if not authorization:find("^Bearer +%S") then
        return fail(401, "You didn't provide an API key. You need to provide"
                    .. " your API key in an Authorization header using Bearer"
                    .. " auth.", "invalid_request_error")
    end
end


local function refuse_parameters(body)
    for name, value in pairs(body) do
        local kind = PARAMETERS[name]

        if not kind then
            return invalid(name, "unknown_parameter",
                           "Unknown parameter: '" .. name .. "'.")
        end

        if kind ~= "any" and value ~= null and type(value) ~= kind then
            return invalid(name, "invalid_type", "Invalid type for '" .. name
                           .. "': expected " .. TYPE_NAMES[kind] .. ".")
        end
    end

    for _, name in ipairs({ "model", "messages" }) do
        if body[name] == nil or body[name] == null then
            return invalid(name, "missing_required_parameter",
                           "Missing required parameter: '" .. name .. "'.")
        end
    end
end


-- Type and data of an image that is in the request itself.
function image_of(part)
    local url = type(part.image_url) == "table" and part.image_url.url
    local kind, text = tostring(url):match("^data:(image/%w+);base64,(.+)$")

    return kind and ngx.decode_base64(text) and kind,
           kind and ngx.decode_base64(text)
end


local function refuse_part(part, param)
    if type(part) ~= "table" or type(part.type) ~= "string" then
        return invalid(param, "missing_required_parameter",
                       "Missing required parameter: '" .. param .. ".type'.")
    end

    if part.type == "text" and type(part.text) ~= "string" then
        return invalid(param, "missing_required_parameter",
                       "Missing required parameter: '" .. param .. ".text'.")
    end

    if part.type == "image_url" and not image_of(part) then
        return invalid(param .. ".image_url", "invalid_image_url",
                       "Invalid image data in '" .. param .. "'.")
    end
end


local function refuse_content(message, param)
    local content = message.content

    if type(content) == "string" then
        return
    end

    if type(content) == "table" and #content > 0 then
        for i, part in ipairs(content) do
            local refusal = refuse_part(part, param .. "[" .. i - 1 .. "]")

            if refusal then
                return refusal
            end
        end

        return
    end

    if message.role == "assistant" and (content == null or content == nil)
       and (message.tool_calls or message.refusal or message.function_call)
    then
        return
    end

    return invalid(param, "invalid_type", "Invalid type for '" .. param
                   .. "': expected a string or an array of objects.")
end


local function refuse_message(message, param)
    if type(message) ~= "table" then
        return invalid(param, "invalid_type", "Invalid type for '" .. param
                       .. "': expected an object.")
    end

    if not ROLES[message.role] then
        return invalid(param .. ".role", "invalid_value", "Invalid value for '"
                       .. param .. ".role'.")
    end

    if message.role == "tool" and type(message.tool_call_id) ~= "string" then
        return invalid(param .. ".tool_call_id", "missing_required_parameter",
                       "Missing required parameter: '" .. param
                       .. ".tool_call_id'.")
    end

    return refuse_content(message, param .. ".content")
end


local function refuse_messages(messages)
    if #messages == 0 then
        return invalid("messages", "empty_array", "Invalid 'messages': empty"
                       .. " array. Expected an array with minimum length 1.")
    end

    for i, message in ipairs(messages) do
        local refusal = refuse_message(message, "messages[" .. i - 1 .. "]")

        if refusal then
            return refusal
        end
    end
end


local function refuse(request)
    if ngx.req.get_method() ~= "POST" then
        return fail(405, "Not allowed to " .. ngx.req.get_method() .. " on "
                    .. ngx.var.uri .. ".", "invalid_request_error",
                    "method_not_supported")
    end

    local refusal = refuse_key()

    if refusal then
        return refusal
    end

    if not request.body then
        return invalid(nil, nil, "We could not parse the JSON body of your"
                       .. " request.")
    end

    return refuse_parameters(request.body)
           or refuse_messages(request.body.messages)
end


-- A content is a string, or parts of which some are text.
local function text_of(content)
    if type(content) ~= "table" then
        return content ~= null and content or ""
    end

    local texts = {}

    for _, part in ipairs(content) do
        local kind, data = image_of(part)

        texts[#texts + 1] = kind and ("(" .. kind .. " of " .. #data
                                      .. " bytes)") or part.text
    end

    return table.concat(texts, "\n")
end


-- The user's messages since the last answer, a line each.
local function echo(messages)
    local texts = {}

    for _, message in ipairs(messages) do
        if message.role == "assistant" then
            texts = {}

        elseif message.role == "user" then
            texts[#texts + 1] = text_of(message.content)
        end
    end

    return table.concat(texts, "\n")
end


-- About four bytes a token, and four tokens around each message.
local function tokens(text)
    return math.ceil(#text / 4)
end


local function usage_of(messages, reply)
    local prompt = 0

    for _, message in ipairs(messages) do
        prompt = prompt + 4 + tokens(text_of(message.content))
    end

    return {
        prompt_tokens = prompt,
        completion_tokens = tokens(reply),
        total_tokens = prompt + tokens(reply),
        prompt_tokens_details = { cached_tokens = 0, audio_tokens = 0 },
        completion_tokens_details = {
            reasoning_tokens = 0, audio_tokens = 0,
            accepted_prediction_tokens = 0, rejected_prediction_tokens = 0,
        },
    }
end


local COMPLETION = '{"id":"%s","object":"%s","created":%d,"model":%s,'
                   .. '"choices":[%s],"service_tier":"default",'
                   .. '"system_fingerprint":"fp_sandbox"%s}'

local CHOICE = '{"index":0,"message":{"role":"assistant","content":%s,'
               .. '"refusal":null,"annotations":[]},"logprobs":null,'
               .. '"finish_reason":"stop"}'

local CHUNK_CHOICE = '{"index":0,"delta":%s,"logprobs":null,'
                     .. '"finish_reason":%s}'


-- choices is JSON already; usage is a table, null, or nil for no such member.
local function completion(request, object, choices, usage)
    return COMPLETION:format(request.id, object, request.created,
                             cjson.encode(request.body.model), choices,
                             usage and ',"usage":' .. cjson.encode(usage)
                             or "")
end


local function plain(request, reply)
    return { 200, headers = headers(), body = completion(request,
        "chat.completion", CHOICE:format(cjson.encode(reply)),
        usage_of(request.body.messages, reply)) }
end


local function send_event(event)
    ngx.print("data: ", event, "\n\n")
    ngx.flush(true)
end


local function send_chunk(request, choices, usage)
    send_event(completion(request, "chat.completion.chunk", choices, usage))
end


-- One event a word; the usage, where asked for, in an event without choices,
-- and null in all others.
local function stream(request, reply)
    local options = request.body.stream_options
    local usage = type(options) == "table" and options.include_usage == true
                  and null or nil

    local function send(delta, finish_reason)
        send_chunk(request, CHUNK_CHOICE:format(cjson.encode(delta),
                   cjson.encode(finish_reason)), usage)
    end

    for name, value in pairs(headers()) do
        ngx.header[name] = value
    end

    ngx.header["Content-Type"] = "text/event-stream; charset=utf-8"

    send({ role = "assistant", content = "", refusal = null })

    for word in reply:gmatch("%S*%s*") do
        if word ~= "" then
            send({ content = word })
        end
    end

    send({}, "stop")

    if usage then
        send_chunk(request, "", usage_of(request.body.messages, reply))
    end

    send_event("[DONE]")
end


local function answer(request)
    local reply = request.reply or echo(request.body.messages)

    count = count + 1
    request.id = string.format("chatcmpl-sandbox%08d", count)
    request.created = ngx.time()

    if request.body.stream == true then
        return stream(request, reply)
    end

    return plain(request, reply)
end


local function failure(status, retry_after)
    local known = FAILURES[status]
                  or (status >= 500 and FAILURES[500] or FAILURES[400])
    local result = fail(status, known[1], known[2], known[3])

    if retry_after then
        result.headers["retry-after"] = math.ceil(retry_after)
        result.headers["retry-after-ms"] = retry_after * 1000
    end

    return result
end


_M.fail = fail
_M.failure = failure
_M.headers = headers
_M.refuse_key = refuse_key

_M.chat = {
    name = "chat",
    refuse = refuse,
    answer = answer,
    failure = failure,
}


function _M.unknown()
    endpoint.respond(fail(404, "Invalid URL (" .. ngx.req.get_method() .. " "
                          .. ngx.var.uri .. ")", "invalid_request_error"))
end


return _M
