-- Files: PUT /sandbox/media/ID with a Content-Type has one, which then every
-- provider gives by that ID, each in its way:
--   Meta        GET /vN.N/ID tells the URL, /media/meta/ID; both with a token
--   Infobip     GET /whatsapp/1/senders/NUMBER/media/ID with the key
--   Twilio      GET .../Messages/SID/Media/ID with the account's token: a
--               redirect to a storage, which refuses any credential
--   Instagram   GET /media/instagram/ID, without any

local endpoint = require "endpoint"

local _M = {}

local SECONDS = 3600            -- a file is kept

local files = ngx.shared.media


local function refuse_method(method)
    if ngx.req.get_method() ~= method then
        return { 405, body = "" }
    end
end


local function id_of(uri)
    return uri:match("([^/]+)$")
end


local function file(uri)
    local data = files:get(id_of(uri))

    if not data then
        return { 404, body = "" }
    end

    return { 200, body = data, headers = {
        ["Content-Type"] = files:get(id_of(uri) .. ":type") } }
end


local function give(scheme)
    local authorization = ngx.var.http_authorization or ""

    if scheme and not authorization:find("^" .. scheme .. " +%S") then
        return { 401, body = "" }
    end

    if not scheme and authorization ~= "" then
        return { 400, body = "Only one auth mechanism allowed" }
    end

    return file(ngx.var.uri)
end


-- PUT has a file, GET is what a storage gives to who knows the URL.
function _M.store()
    if ngx.req.get_method() ~= "PUT" then
        return endpoint.respond(give())
    end

    ngx.req.read_body()

    local id = id_of(ngx.var.uri)

    files:set(id, ngx.req.get_body_data() or "", SECONDS)
    files:set(id .. ":type", ngx.var.http_content_type
              or "application/octet-stream", SECONDS)
    endpoint.respond({ 201, body = "{}" })
end


-- An endpoint whose good answer answer() tells.
local function provider(name, answer)
    return {
        name = name,
        refuse = function() return refuse_method("GET") end,
        answer = answer,
        failure = function(status)
            return { status, headers = {}, body = "" }
        end,
    }
end


-- What Meta tells of a file.
_M.meta = provider("media", function()
    local found = give("Bearer")

    if found[1] ~= 200 then
        return { found[1], body = { error = {
            message = "(#100) Unsupported get request", code = 100,
            type = "GraphMethodException" } } }
    end

    return { 200, body = {
        messaging_product = "whatsapp",
        url = "http://" .. ngx.var.http_host .. "/media/meta/"
              .. id_of(ngx.var.uri),
        mime_type = found.headers["Content-Type"],
        file_size = #found.body, id = id_of(ngx.var.uri),
    } }
end)


_M.meta_file = provider("media", function() return give("Bearer") end)
_M.infobip_file = provider("media", function() return give("App") end)
_M.instagram_file = provider("media", function() return give() end)


_M.twilio_file = provider("media", function()
    local found = give("Basic")

    if found[1] ~= 200 then
        return found
    end

    return { 307, body = "", headers = {
        Location = "http://" .. ngx.var.http_host .. "/sandbox/media/"
                   .. id_of(ngx.var.uri) } }
end)


return _M
