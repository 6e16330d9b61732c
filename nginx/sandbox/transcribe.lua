-- OpenAI's POST /v1/audio/transcriptions.  Heard is what the recording holds
-- behind its first line: a test's "OggS" and then words.

local cjson = require "cjson.safe"

local endpoint = require "endpoint"
local openai = require "openai"

local _M = {}

local ENDINGS = { flac = true, mp3 = true, mp4 = true, mpeg = true,
                  mpga = true, m4a = true, ogg = true, wav = true,
                  webm = true }


-- The parts of a form by their names: { data, filename }.
local function parts_of(raw, boundary)
    local parts = {}
    local from = 1

    while true do
        local _, head = raw:find("--" .. boundary .. "\r\n", from, true)

        if not head then
            return parts
        end

        local _, body = raw:find("\r\n\r\n", head, true)
        local last = body and raw:find("\r\n--" .. boundary, body, true)

        if not last then
            return parts
        end

        local header = raw:sub(head + 1, body)
        local name = header:match('[; ]name="([^"]*)"')

        if name then
            parts[name] = { data = raw:sub(body + 1, last - 1),
                            filename = header:match('filename="([^"]*)"') }
        end

        from = last + 2
    end
end


local function form(request)
    local boundary = (ngx.var.http_content_type or "")
                     :match("^multipart/form%-data; *boundary=([%w%-]+)")

    if not request.parts then
        request.parts = boundary and parts_of(request.raw, boundary) or {}
    end

    return request.parts
end


local function refuse(request)
    if ngx.req.get_method() ~= "POST" then
        return openai.fail(405, "Not allowed.", "invalid_request_error",
                           "method_not_supported")
    end

    local refusal = openai.refuse_key()

    if refusal then
        return refusal
    end

    local parts = form(request)

    for _, name in ipairs({ "file", "model" }) do
        if not parts[name] then
            return openai.fail(400, "Missing required parameter: '" .. name
                               .. "'.", "invalid_request_error",
                               "missing_required_parameter", name)
        end
    end

    if not ENDINGS[(parts.file.filename or ""):match("%.(%w+)$") or ""] then
        return openai.fail(400, "Invalid file format.",
                           "invalid_request_error")
    end
end


local function answer(request)
    local file = form(request).file.data
    local text = request.reply or file:match("^[^\n]*\n(.*)$") or ""

    return { 200, headers = openai.headers(), body = {
        text = text, usage = { type = "duration",
                               seconds = math.ceil(#file / 4000) } } }
end


_M.transcriptions = {
    name = "transcriptions",
    refuse = refuse,
    answer = answer,
    failure = openai.failure,
}


return _M
