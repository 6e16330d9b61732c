local function register(name, callback, flag)
    redis.register_function{ function_name = name, callback = callback,
                             flags = { flag } }
end

-- allow-oom: a full Redis could not even be drained without
register('setter_claim', claim, 'allow-oom')
register('setter_take', take, 'allow-oom')
register('setter_more', more, 'allow-oom')
register('setter_extend', extend, 'allow-oom')
register('setter_complete', complete, 'allow-oom')
register('setter_fail', fail, 'allow-oom')
register('setter_tenant', configure, 'allow-oom')
register('setter_hold', hold, 'allow-oom')
register('setter_release', release, 'allow-oom')
register('setter_pace', pace, 'allow-oom')
register('setter_pace_stop', pace_stop, 'allow-oom')
register('setter_depth', depth, 'no-writes')
register('setter_absent', absent, 'no-writes')
register('setter_state', job_state, 'no-writes')
register('setter_workers', workers, 'no-writes')
register('setter_version', function() return VERSION end, 'no-writes')
