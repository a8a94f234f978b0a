#include "view/intent.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const char *const names[INTENT_COUNT] = {
    [INTENT_PAUSE] = "pause",   [INTENT_RESUME] = "resume",   [INTENT_FINISH] = "finish",
    [INTENT_LEAVE] = "leave",   [INTENT_STOP] = "stop",       [INTENT_JOIN] = "join",
    [INTENT_SNOOZE] = "snooze", [INTENT_RELEASE] = "release", [INTENT_OVERRIDE] = "override",
};

const char *intent_name(enum intent_kind kind)
{
    return kind > INTENT_NONE && kind < INTENT_COUNT ? names[kind] : NULL;
}

enum intent_kind intent_from_name(const char *name)
{
    for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++)
        if (strcmp(names[i], name) == 0) return (enum intent_kind)i;
    return INTENT_NONE;
}

int intent_encode(const struct intent *it, struct buf *out, struct err *e)
{
    const char *name = intent_name(it->kind);
    if (!name) return err_set(e, ERR_ARG, 0, "there is no request number %d", (int)it->kind);
    json_t *o = json_object();
    json_set_text(o, "intent", name);
    if (it->text[0]) json_set_text(o, "text", it->text);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}

int intent_decode(const void *json, size_t n, struct intent *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc) return rc;
    struct json_reader r = {.e = e};
    struct intent it = {0};
    char name[32];
    json_text(&r, o, "intent", name, sizeof name);
    if (json_object_get(o, "text")) json_text(&r, o, "text", it.text, sizeof it.text);
    if (!json_bad(&r)) {
        it.kind = intent_from_name(name);
        if (it.kind == INTENT_NONE) json_fail(&r, "the agent does not know the request '%s'", name);
    }
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = it;
    return OK;
}
