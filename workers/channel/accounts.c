#include <string.h>

#include "channel/accounts.h"


static const struct {
    const char  *provider;
    size_t       place;         /* in channel_accounts_t */
} accounts_table[] = {
    { "manychat", offsetof(channel_accounts_t, manychat) },
    { "infobip", offsetof(channel_accounts_t, infobip) },
    { "meta", offsetof(channel_accounts_t, meta) },
    { "instagram", offsetof(channel_accounts_t, instagram) },
    { "twilio", offsetof(channel_accounts_t, twilio) },
};

#define ACCOUNTS_N  (sizeof(accounts_table) / sizeof(accounts_table[0]))


const channel_account_t *
channel_account(const channel_accounts_t *accounts, const char *provider)
{
    size_t  i;

    static const channel_account_t  none;

    for (i = 0; i < ACCOUNTS_N; i++) {
        if (strcmp(accounts_table[i].provider, provider) == 0) {
            return (const channel_account_t *)
                   ((const char *) accounts + accounts_table[i].place);
        }
    }

    return &none;
}
