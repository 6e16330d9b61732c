-- The admin API: workers keep the registry, too.  As with all else, a unit of
-- work writes the rows of the one tenant that it has set; who may ask for what
-- is nginx's and the call's to judge.

CREATE POLICY worker_changes ON tenants FOR UPDATE TO setter_worker
    USING (slug = current_setting('setter.tenant', true))
    WITH CHECK (slug = current_setting('setter.tenant', true));

GRANT INSERT (status) ON tenants TO setter_worker;
GRANT UPDATE (status, held, weight, cap, quota_minute, quota_day, worker,
              mid_turn, name, prompt, model, time_zone, retention_days,
              opt_out, guard, echo, typing) ON tenants TO setter_worker;


CREATE POLICY worker_adds ON channels FOR INSERT TO setter_worker
    WITH CHECK (tenant = current_setting('setter.tenant', true));
CREATE POLICY worker_changes ON channels FOR UPDATE TO setter_worker
    USING (tenant = current_setting('setter.tenant', true))
    WITH CHECK (tenant = current_setting('setter.tenant', true));

GRANT INSERT, UPDATE ON channels TO setter_worker;


CREATE POLICY worker_adds ON keys FOR INSERT TO setter_worker
    WITH CHECK (tenant = current_setting('setter.tenant', true));
-- it revokes, and brings none back
CREATE POLICY worker_changes ON keys FOR UPDATE TO setter_worker
    USING (tenant = current_setting('setter.tenant', true))
    WITH CHECK (tenant = current_setting('setter.tenant', true)
                AND revoked_at IS NOT NULL);

GRANT SELECT (name, ending, created_at), INSERT (tenant, hash, name, ending),
      UPDATE (revoked_at) ON keys TO setter_worker;
