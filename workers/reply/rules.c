#include <string.h>
#include <strings.h>

#include "reply/record.h"
#include "reply/rules.h"
#include "runtime/log.h"


#define RULES_WORD_MAX  40          /* bytes of a message that may be a word */


static rules_word_e rules_newest(const turn_t *turn);
static turn_end_e rules_opt(turn_t *turn, int out);
static turn_end_e rules_drop(turn_t *turn);
static turn_end_e rules_guard(turn_t *turn);
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


turn_end_e
rules_check(turn_t *turn)
{
    turn_end_e    end;
    rules_word_e  word;

    word = rules_newest(turn);

    if (word != RULES_NOTHING) {
        end = rules_opt(turn, word == RULES_STOP);
        if (end != TURN_GOES_ON) {
            return end;
        }
    }

    if (turn->opted_out) {
        return rules_drop(turn);
    }

    return turn->guarded ? rules_guard(turn) : TURN_GOES_ON;
}


/* What was asked for last counts. */
static rules_word_e
rules_newest(const turn_t *turn)
{
    size_t        i;
    rules_word_e  word, newest;

    newest = RULES_NOTHING;

    for (i = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].live) {
            word = rules_word(turn->jobs[i].job.text, turn->opt_out);
            newest = word != RULES_NOTHING ? word : newest;
        }
    }

    return newest;
}


static turn_end_e
rules_opt(turn_t *turn, int out)
{
    record_e       rc;
    arena_t       *arena;
    const char    *provider, *address;
    setter_job_t  *job;

    arena = turn->claim->arena;
    job = &turn->last->job;
    provider = arena_copy(arena, job->provider.data, job->provider.len);
    address = arena_copy(arena, job->from.data, job->from.len);

    if (provider == NULL || address == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    rc = record_opted(turn, provider, address, out);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    turn->opted_out = out;
    log_info(out ? "a contact has opted out" : "a contact is back", "tenant",
             turn->tenant, "job", turn_job(turn));

    return TURN_GOES_ON;
}


/* A reply that is composed already fails. */
static turn_end_e
rules_drop(turn_t *turn)
{
    return turn_settle(turn, turn->reply.state == NULL ? NULL : "failed",
                       NULL, "done", "the contact has opted out");
}


/* It may be another machine that answers us: somebody is to have a look. */
static turn_end_e
rules_guard(turn_t *turn)
{
    int           changed;
    record_e      rc;
    setter_str_t  lane;

    rc = record_guarded(turn);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    lane.data = turn->lane;
    lane.len = strlen(turn->lane);

    if (queue_hold(turn->worker->redis, &turn->worker->queue, lane, &changed)
        != QUEUE_OK)
    {
        return turn_ends(turn, TURN_BACK, -1, "the lane was not held");
    }

    log_warn("a conversation is held: more replies in an hour than the tenant"
             " allows (guard)", "tenant", turn->tenant, "job",
             turn_job(turn));

    return turn_ends(turn, TURN_BACK, 0,
                     "more replies in an hour than the tenant allows");
}


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
