/*
 * The words by which people want no more messages, or messages again, by
 * language.
 */

#include <string.h>
#include <strings.h>

#include "reply/rules.h"


#define RULES_WORD_MAX  40          /* bytes of a message that may be a word */


static setter_str_t rules_trim(setter_str_t text);
static int rules_edge(char c);
static int rules_is(setter_str_t text, const char *word, size_t len);
static int rules_own(setter_str_t text, const char *own);


/*
 * Whole messages.  Words that a conversation may well have ("cancel", "end",
 * "no") are not here: tenants add what they want to count.
 */
static const struct {
    const char    *word;
    rules_word_e   means;
} rules_words[] = {
    /* English */
    { "stop", RULES_STOP },
    { "stop all", RULES_STOP },
    { "stopall", RULES_STOP },
    { "unsubscribe", RULES_STOP },
    { "opt out", RULES_STOP },
    { "optout", RULES_STOP },
    { "opt-out", RULES_STOP },
    { "start", RULES_START },
    { "unstop", RULES_START },
    { "subscribe", RULES_START },
    { "opt in", RULES_START },
    { "optin", RULES_START },
    { "opt-in", RULES_START },

    /* Spanish */
    { "baja", RULES_STOP },
    { "dar de baja", RULES_STOP },
    { "darme de baja", RULES_STOP },
    { "alta", RULES_START },
    { "darme de alta", RULES_START },

    /* Portuguese */
    { "descadastrar", RULES_STOP },
    { "sair da lista", RULES_STOP },
    { "voltar para a lista", RULES_START },

    /* German */
    { "stopp", RULES_STOP },
    { "abmelden", RULES_STOP },
    { "abbestellen", RULES_STOP },
    { "anmelden", RULES_START },

    /* French */
    { "arret", RULES_STOP },
    { "arr\xc3\xaat", RULES_STOP },
    { "desabonner", RULES_STOP },
    { "d\xc3\xa9sabonner", RULES_STOP },
    { "me d\xc3\xa9sabonner", RULES_STOP },
    { "me r\xc3\xa9" "abonner", RULES_START },

    /* Italian, Dutch, Polish */
    { "disiscrivimi", RULES_STOP },
    { "annulla iscrizione", RULES_STOP },
    { "afmelden", RULES_STOP },
    { "aanmelden", RULES_START },
    { "wypisz", RULES_STOP },
    { "zapisz", RULES_START },
};

#define RULES_NWORDS  (sizeof(rules_words) / sizeof(rules_words[0]))


rules_word_e
rules_word(setter_str_t text, const char *own)
{
    size_t  i;

    text = rules_trim(text);

    if (text.len == 0 || text.len > RULES_WORD_MAX) {
        return RULES_NOTHING;
    }

    for (i = 0; i < RULES_NWORDS; i++) {
        if (rules_is(text, rules_words[i].word, strlen(rules_words[i].word)))
        {
            return rules_words[i].means;
        }
    }

    return rules_own(text, own) ? RULES_STOP : RULES_NOTHING;
}


static setter_str_t
rules_trim(setter_str_t text)
{
    while (text.len > 0 && rules_edge(text.data[0])) {
        text.data++;
        text.len--;
    }

    while (text.len > 0 && rules_edge(text.data[text.len - 1])) {
        text.len--;
    }

    return text;
}


/* White space, and what one puts around a word. */
static int
rules_edge(char c)
{
    return c != '\0' && strchr(" \t\r\n.,;:!?\"'()*_", c) != NULL;
}


/* Case counts only beyond ASCII, where few write it in upper case. */
static int
rules_is(setter_str_t text, const char *word, size_t len)
{
    return text.len == len && strncasecmp(text.data, word, len) == 0;
}


static int
rules_own(setter_str_t text, const char *own)
{
    setter_str_t  word;

    while (own != NULL && *own != '\0') {
        word.data = own;
        word.len = strcspn(own, ",");
        own += word.len + (own[word.len] == ',');
        word = rules_trim(word);

        if (word.len > 0 && rules_is(text, word.data, word.len)) {
            return 1;
        }
    }

    return 0;
}
