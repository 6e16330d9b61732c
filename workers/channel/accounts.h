/*
 * The accounts that the environment sets, one a provider: for all tenants
 * that have none of their own.
 */

#ifndef CHANNEL_ACCOUNTS_H
#define CHANNEL_ACCOUNTS_H

#include "channel/channel.h"
#include "runtime/config.h"


typedef struct {
    channel_account_t  manychat;
    channel_account_t  infobip;
    channel_account_t  meta;
    channel_account_t  instagram;
    channel_account_t  twilio;
} channel_accounts_t;

/* For config_read(): the settings, in that member of the type. */
#define CHANNEL_SETTINGS(type, member)                                        \
    CHANNEL_SETTING(type, member.manychat.base_url, "MANYCHAT_BASE_URL",      \
        "manychat-base-url", "https://api.manychat.com", 0,                   \
        "ManyChat's API"),                                                    \
    CHANNEL_SETTING(type, member.manychat.api_key, "MANYCHAT_API_KEY",        \
        "manychat-api-key", NULL, 1, "key of ManyChat's API"),                \
    CHANNEL_SETTING(type, member.infobip.base_url, "INFOBIP_BASE_URL",        \
        "infobip-base-url", "https://api.infobip.com", 0,                     \
        "Infobip's API"),                                                     \
    CHANNEL_SETTING(type, member.infobip.api_key, "INFOBIP_API_KEY",          \
        "infobip-api-key", NULL, 1, "key of Infobip's API"),                  \
    CHANNEL_SETTING(type, member.infobip.sender, "INFOBIP_SENDER",            \
        "infobip-sender", NULL, 0,                                            \
        "our number, where the message did not come to one"),                 \
    CHANNEL_SETTING(type, member.meta.base_url, "META_BASE_URL",              \
        "meta-base-url", "https://graph.facebook.com/v23.0", 0,               \
        "Meta's API, with the version"),                                      \
    CHANNEL_SETTING(type, member.meta.api_key, "META_ACCESS_TOKEN",           \
        "meta-access-token", NULL, 1, "token of Meta's API"),                 \
    CHANNEL_SETTING(type, member.meta.sender, "META_PHONE_NUMBER_ID",         \
        "meta-phone-number-id", NULL, 0,                                      \
        "our number's id, where the message did not come to one"),            \
    CHANNEL_SETTING(type, member.instagram.base_url, "INSTAGRAM_BASE_URL",    \
        "instagram-base-url", "https://graph.instagram.com/v23.0", 0,         \
        "Instagram's API, with the version"),                                 \
    CHANNEL_SETTING(type, member.instagram.api_key,                           \
        "INSTAGRAM_ACCESS_TOKEN", "instagram-access-token", NULL, 1,          \
        "token of Instagram's API"),                                          \
    CHANNEL_SETTING(type, member.instagram.sender, "INSTAGRAM_ACCOUNT_ID",    \
        "instagram-account-id", NULL, 0,                                      \
        "our account's id, where the message did not come to one"),           \
    CHANNEL_SETTING(type, member.twilio.base_url, "TWILIO_BASE_URL",          \
        "twilio-base-url", "https://api.twilio.com", 0, "Twilio's API"),      \
    CHANNEL_SETTING(type, member.twilio.user, "TWILIO_ACCOUNT_SID",           \
        "twilio-account-sid", NULL, 0, "the account at Twilio"),              \
    CHANNEL_SETTING(type, member.twilio.api_key, "TWILIO_AUTH_TOKEN",         \
        "twilio-auth-token", NULL, 1, "its auth token"),                      \
    CHANNEL_SETTING(type, member.twilio.sender, "TWILIO_SENDER",              \
        "twilio-sender", NULL, 0,                                             \
        "our number, where the message did not come to one")

#define CHANNEL_SETTING(type, place, variable, option, initial, secret, help) \
    { variable, option, CONFIG_TEXT, offsetof(type, place), initial, 0, 0,    \
      secret, help }


/* The account of that provider; an empty one for who has none. */
const channel_account_t *channel_account(const channel_accounts_t *accounts,
    const char *provider);


#endif /* CHANNEL_ACCOUNTS_H */
