-- One request to a provider's endpoint.  The provider is a table:
--   name              of the endpoint, as /sandbox/behaviour knows it
--   refuse(request)   the answer to a request that is wrong, or nil
--   accept(request)   what happens once it is accepted, or nil
--   answer(request)   the good answer
--   failure(status, retry_after)   the answer of that status
-- An answer is { status, body = string or table, headers = {} }, or nil when
-- it was sent already.  A request is { body = table, raw = string, reply }.

local cjson = require "cjson.safe"

local behaviour = require "behaviour"
local ledger = require "ledger"

local _M = {}

local HELD_SECONDS = 120
local DRIP_SECONDS = 1      -- a byte
local CUT = "cut_after_accept"
local GARBAGE = "\31\139\8\0{\"id\":\"\255\254 is no JSON"
local PROXY_PAGE = "<html><body>%d %s</body></html>"
local PROXY_NAMES = { [502] = "Bad Gateway", [504] = "Gateway Time-out" }

cjson.decode_invalid_numbers(false)


-- Sets status and headers; returns the body.
local function begin(answer)
    ngx.status = answer[1]

    for name, value in pairs(answer.headers or {}) do
        ngx.header[name] = value
    end

    local body = answer.body

    if type(body) == "table" then
        body = cjson.encode(body)
    end

    ngx.header["Content-Length"] = #body

    return body
end


function _M.respond(answer)
    ngx.print(begin(answer))
end


local function drip(answer)
    local body = begin(answer)

    for i = 1, #body do
        ngx.print(body:sub(i, i))
        ngx.flush(true)
        ngx.sleep(DRIP_SECONDS)
    end
end


-- The body as JSON: nil when it is no object, or no UTF-8.
local function read_request()
    ngx.req.read_body()

    local raw = ngx.req.get_body_data() or ""
    local body = cjson.decode(raw)
    local _, _, wrong = ngx.re.find(raw, "^", "u")

    if type(body) ~= "table" or body[1] ~= nil or wrong then
        body = nil
    end

    return { body = body, raw = raw }
end


-- 502 and 504 come from a proxy that stands before the provider.
local function failure(provider, status)
    if PROXY_NAMES[status] then
        return { status, headers = { ["Content-Type"] = "text/html" },
                 body = PROXY_PAGE:format(status, PROXY_NAMES[status]) }
    end

    local answer = provider.failure(status,
                                    behaviour.retry_after(provider.name))

    for name, value in pairs(behaviour.headers(provider.name)) do
        answer.headers[name] = value
    end

    return answer
end


local function wait(seconds)
    if seconds >= 0.001 then
        ngx.sleep(seconds)
    end
end


local function hold_and_close()
    ngx.sleep(HELD_SECONDS)
    return ngx.exit(ngx.HTTP_CLOSE)
end


-- What goes wrong with this request; "cut_kept" spares new connections.
local function fault_of(provider)
    local fault = behaviour.fault(provider.name)

    if fault == "cut_kept" then
        return tonumber(ngx.var.connection_requests) > 1 and CUT or nil
    end

    return fault
end


function _M.serve(provider)
    local name = provider.name

    ngx.ctx.endpoint = name
    ledger.enter(name)

    local request = read_request()
    local refusal = provider.refuse(request)
    local fault = not refusal and fault_of(provider)

    if fault == "timeout" then
        return hold_and_close()
    end

    if not refusal and type(fault) ~= "number" and provider.accept then
        provider.accept(request)
    end

    wait(behaviour.latency(name))

    if fault == CUT then
        return ngx.exit(ngx.HTTP_CLOSE)
    end

    if fault == "garbage" then
        return _M.respond({ 200, body = GARBAGE })
    end

    if type(fault) == "number" then
        return _M.respond(failure(provider, fault))
    end

    request.reply = behaviour.reply(name)

    local answer = refusal or provider.answer(request)
    local respond = fault == "drip" and drip or _M.respond

    if answer then
        respond(answer)
    end
end


-- In the log phase: also where the client went away.
function _M.leave()
    if ngx.ctx.endpoint then
        ledger.leave(ngx.ctx.endpoint)
    end
end


return _M
