/*
 * Channels on record: the statements that setterctl and the API share, and
 * what the constraints say.
 */

#include <string.h>

#include "reply/channels.h"


#define CHANNELS_ADDRESS_MAX  128


const char *const  channels_fields[CHANNELS_NFIELDS] = {
    "tenant", "provider", "address", "account", "base_url", "credential",
    "signing", "preferred", "rate", "confirmed"
};

/* One that was removed comes back with what is given, and no more. */
const char  channels_insert[] =
    "INSERT INTO channels AS c (tenant, provider, address, account, base_url,"
    "  credential, signing, preferred, rate, confirmed, call)"
    " SELECT slug, $2, $3, nullif($4, ''), nullif($5, ''), $6, $7,"
    "  coalesce($8::boolean, false), nullif($9, '')::integer,"
    "  coalesce($10::boolean, true), $11::uuid"
    " FROM tenants WHERE slug = $1"
    " ON CONFLICT (tenant, provider, address) DO UPDATE"
    " SET account = EXCLUDED.account, base_url = EXCLUDED.base_url,"
    "  credential = EXCLUDED.credential, signing = EXCLUDED.signing,"
    "  preferred = EXCLUDED.preferred, rate = EXCLUDED.rate,"
    "  confirmed = EXCLUDED.confirmed, call = EXCLUDED.call, removed = false"
    " WHERE c.removed OR c.call = EXCLUDED.call"
    " RETURNING id";

/* What is not given stays; what is given empty is taken away. */
const char  channels_update[] =
    "UPDATE channels SET"
    " account = nullif(coalesce($4, account), ''),"
    " base_url = nullif(coalesce($5, base_url), ''),"
    " credential = nullif(coalesce($6, credential), ''),"
    " signing = nullif(coalesce($7, signing), ''),"
    " preferred = coalesce($8::boolean, preferred),"
    " rate = nullif(coalesce($9, rate::text), '')::integer,"
    " confirmed = coalesce($10::boolean, confirmed), call = $11::uuid"
    " WHERE tenant = $1 AND provider = $2 AND address = $3 AND NOT removed"
    "  AND (coalesce($12 = " CHANNELS_VERSION ", true) OR call = $11::uuid)"
    " RETURNING id";

const char  channels_delete[] =
    "UPDATE channels SET removed = true, credential = NULL, signing = NULL,"
    " preferred = false, call = $4::uuid"
    " WHERE tenant = $1 AND provider = $2 AND address = $3"
    "  AND (NOT removed AND coalesce($5 = " CHANNELS_VERSION ", true)"
    "   OR call = $4::uuid)"
    " RETURNING id";

const char  channels_published[] =
    "SELECT (SELECT string_agg(signing, ' ' ORDER BY id) FROM channels"
    "  WHERE tenant = $1 AND provider = $2 AND NOT removed),"
    " channel_owner($2, $3),"
    " EXISTS (SELECT FROM tenants WHERE slug = $1)";


const char *
channels_wrong(const char *address)
{
    size_t  i;

    for (i = 0; address[i] > ' ' && address[i] <= '~' && address[i] != '/';
         i++) { /* void */ }

    return i > 0 && i <= CHANNELS_ADDRESS_MAX && address[i] == '\0'
           ? NULL : "address: no number, id or sender of up to 128 "
                    "characters (* is any)";
}


const char *
channels_reason(const char *message)
{
    size_t  i;

    static const struct {
        const char  *constraint, *reason;
    } reasons[] = {
        { "\"channels_address\"", "address: it is another tenant's" },
        { "\"channels_preferred\"", "preferred: another channel of the "
          "provider is, set that one preferred=off before" },
        { "\"channels_account_check\"", "account: not up to 128 visible "
          "characters" },
        { "\"channels_rate_check\"", "rate: a number from 1 to 1000" },
        { "invalid input syntax for type integer",
          "rate: a number from 1 to 1000" },
        { "out of range for type integer", "rate: a number from 1 to 1000" },
        { "\"channels_base_url_check\"", "base_url: no http or https URL of "
          "up to 500 characters" },
    };

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strstr(message, reasons[i].constraint) != NULL) {
            return reasons[i].reason;
        }
    }

    return NULL;
}
