-- The sandbox's own API, for tests: /sandbox/sent, /calls and /behaviour.

local cjson = require "cjson.safe"

local behaviour = require "behaviour"
local endpoint = require "endpoint"
local ledger = require "ledger"

local _M = {}


local function fail(status, message)
    endpoint.respond({ status, body = { error = message } })
end


local function dispatch(methods)
    local handler = methods[ngx.req.get_method()]

    if handler then
        return handler()
    end

    fail(405, "method not allowed")
end


function _M.sent()
    dispatch({
        GET = function()
            local since = ngx.var.arg_since or "0"

            if not since:find("^%d+$") then
                return fail(400, "since is a number")
            end

            local messages = ledger.sent(tonumber(since))

            endpoint.respond({ 200, body = "["
                               .. table.concat(messages, ",\n") .. "]\n" })
        end,
    })
end


local function calls()
    endpoint.respond({ 200, body = ledger.calls(behaviour.endpoints()) })
end


function _M.calls()
    dispatch({
        GET = calls,
        DELETE = function()
            ledger.reset_calls()
            calls()
        end,
    })
end


local function show_behaviour()
    endpoint.respond({ 200, body = behaviour.text() })
end


-- PUT replaces all of it, DELETE makes all endpoints well; what was sent and
-- the counts stay.
function _M.behaviour()
    dispatch({
        GET = show_behaviour,
        PUT = function()
            ngx.req.read_body()

            local wrong = behaviour.put(ngx.req.get_body_data() or "")

            if wrong then
                return fail(400, wrong)
            end

            show_behaviour()
        end,
        DELETE = function()
            behaviour.reset()
            show_behaviour()
        end,
    })
end


function _M.unknown()
    fail(404, "not found")
end


return _M
