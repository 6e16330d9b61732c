#include <string.h>

#include "reply/kind.h"
#include "reply/record.h"
#include "reply/rules.h"
#include "runtime/log.h"
#include "setter_json.h"


static rules_word_e rules_newest(const turn_t *turn);
static turn_end_e rules_opt(turn_t *turn, int out);
static turn_end_e rules_drop(turn_t *turn);
static turn_end_e rules_guard(turn_t *turn);
static turn_end_e rules_hold(turn_t *turn, const char *why);
static turn_end_e rules_wait(turn_t *turn);
static turn_end_e rules_template(turn_t *turn, const char *template);


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
    return rules_hold(turn, "more replies in an hour than the tenant allows"
                      " (guard)");
}


static turn_end_e
rules_hold(turn_t *turn, const char *why)
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

    log_warn("a conversation is held", "tenant", turn->tenant, "job",
             turn_job(turn), "reason", why);

    return turn_ends(turn, TURN_BACK, 0, why);
}


turn_end_e
rules_closed(turn_t *turn)
{
    record_e     rc;
    const char  *policy, *template;

    /* who orders a message knows about the window, and is told */
    if (strcmp(turn->kind->name, "message") != 0) {
        return turn_settle(turn, "failed", NULL, "failed", record_closed);
    }

    rc = record_window(turn, &policy, &template);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    if (strcmp(policy, "hold") == 0) {
        return rules_wait(turn);
    }

    return strcmp(policy, "template") == 0 && template != NULL
           && channel_find((setter_str_t) { strlen(turn->reply.provider),
                                            turn->reply.provider })->templates
           ? rules_template(turn, template)
           : turn_settle(turn, "failed", NULL, "failed", record_closed);
}


/* Who has written meanwhile has opened the window, once that is recorded. */
static turn_end_e
rules_wait(turn_t *turn)
{
    size_t  added;

    switch (queue_more(turn->worker->redis, &turn->worker->queue, turn->claim,
                       &added))
    {

    case QUEUE_STALE:
        return turn_ends(turn, TURN_LOST, 0, "the lease was lost");

    case QUEUE_OK:
        return added > 0 ? turn_ends(turn, TURN_BACK, 0,
                                     "a message came meanwhile")
                         : rules_hold(turn, record_closed);

    default:
        return turn_ends(turn, TURN_BACK, -1, "Redis was away");
    }
}


/* "NAME/LANGUAGE" */
static turn_end_e
rules_template(turn_t *turn, const char *template)
{
    record_e      rc;
    setter_buf_t  json;
    setter_str_t  name, language;

    name.data = template;
    name.len = strcspn(template, "/");
    language.data = template[name.len] == '/' ? template + name.len + 1 : NULL;
    language.len = language.data != NULL ? strlen(language.data) : 0;

    setter_buf_init(&json, arena_alloc(turn->claim->arena), 64);
    setter_buf_byte(&json, '{');
    setter_json_member(&json, "name", name);
    setter_json_member(&json, "language", language);
    setter_buf_byte(&json, '}');
    setter_buf_byte(&json, '\0');

    if (json.failed) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    rc = record_templated(turn, json.data);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    log_info("the window had closed, so a template is sent", "tenant",
             turn->tenant, "job", turn_job(turn));
    turn->reply.template = json.data;

    return TURN_GOES_ON;
}
