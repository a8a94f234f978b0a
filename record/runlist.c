#include "record/runlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/jws.h"
#include "engine/model.h"
#include "record/msg_json.h"

#define TYP         "potluck-runs+1"
#define VERSION     1
#define ID_AT_LEAST 8 /* digits that name a run */

static json_t *put_run(const struct runlist_run *r)
{
    json_t *o = json_object();
    json_set_hash(o, "run", &r->run);
    msg_json_set_text(o, "name", r->name);
    msg_json_set_text(o, "note", r->note);
    json_set_text(o, "link", r->link);
    json_set_u64(o, "params", r->n_params);
    msg_json_set_text(o, "reward_unit", r->reward_unit);
    json_set_i64(o, "since_ms", r->since_ms);
    return o;
}

static void get_run(struct json_reader *rd, const json_t *o, struct runlist_run *r)
{
    struct rundesc_invite v;
    json_hash(rd, o, "run", &r->run);
    msg_json_text(rd, o, "name", r->name, sizeof r->name);
    msg_json_text(rd, o, "note", r->note, sizeof r->note);
    json_text(rd, o, "link", r->link, sizeof r->link);
    r->n_params = msg_json_count(rd, o, "params", 1);
    msg_json_text(rd, o, "reward_unit", r->reward_unit, sizeof r->reward_unit);
    r->since_ms = json_i64(rd, o, "since_ms", 0, MSG_JSON_MAX_MS);
    bool has_space = r->link[strcspn(r->link, " \t\r\n")] != '\0';
    if (!json_bad(rd) && (has_space || rundesc_invite_parse(r->link, &v, NULL) != OK))
        json_fail(rd, "a run's link is not an invite link");
}

static json_t *put_all(const struct runlist *l)
{
    json_t *o = json_object(), *list = json_array();
    json_set_u64(o, "version", VERSION);
    json_set_i64(o, "updated_at_ms", l->updated_at_ms);
    for (uint32_t i = 0; i < l->n && i < RUNLIST_MAX; i++)
        json_array_append_new(list, put_run(&l->runs[i]));
    json_object_set_new(o, "runs", list);
    return o;
}

static int get_all(const json_t *o, struct runlist *l, struct err *e)
{
    struct json_reader r = {.e = e};
    size_t i = 0;
    const json_t *v = NULL;
    uint64_t version = msg_json_count(&r, o, "version", 0);
    if (!json_bad(&r) && version != VERSION)
        return err_set(e, ERR_VERSION, 0, "this list of runs is of version %llu, not %d",
                       (unsigned long long)version, VERSION);
    l->updated_at_ms = json_i64(&r, o, "updated_at_ms", 0, MSG_JSON_MAX_MS);
    const json_t *list = json_array_in(&r, o, "runs", RUNLIST_MAX);
    if (!json_bad(&r)) l->n = (uint32_t)json_array_size(list);
    json_each (i, v, list) {
        if (json_bad(&r)) break;
        get_run(&r, v, &l->runs[i]);
    }
    if (!json_bad(&r)) return OK;
    err_wrap(e, "list of runs");
    return ERR_PROTO;
}

int runlist_parse(const void *jws, size_t n, const struct key_pub *expect, struct runlist *ret,
                  struct err *e)
{
    const char *text = jws;
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    if (n > RUNLIST_MAX_BYTES)
        return err_set(e, ERR_LIMIT, 0, "a list of runs has at most %u bytes", RUNLIST_MAX_BYTES);
    struct runlist *l = alloc_zero(1, sizeof *l);
    if (!l) return err_set(e, ERR_NOMEM, 0, "no memory for the list of runs");
    json_t *o = NULL;
    int rc = jws_verify(text, n, TYP, expect, &o, &l->key, e);
    if (rc == OK) rc = get_all(o, l, e);
    if (rc == OK) *ret = *l;
    json_decref(o);
    free(l);
    return rc;
}

int runlist_sign(struct runlist *l, const struct key *k, struct buf *out, struct err *e)
{
    struct runlist *again = alloc_zero(1, sizeof *again);
    if (!again) return err_set(e, ERR_NOMEM, 0, "no memory for the list of runs");
    json_t *o = put_all(l);
    int rc = get_all(o, again, e); /* what we would refuse to read is never signed */
    if (rc == OK) rc = jws_sign(o, TYP, k, out, e);
    json_decref(o);
    free(again);
    if (rc == OK) l->key = k->pub;
    return rc;
}

int runlist_put(struct runlist *l, const struct rundesc *d, int64_t now_ms, struct err *e)
{
    const struct rundesc_aggregator *a = &d->aggregators[0];
    struct rundesc_invite v = {.port = a->port, .key = d->host, .tls_pin = a->tls_pin};
    struct runlist_run r = {.run = d->id, .since_ms = now_ms};
    struct model_table t = {0};
    uint32_t i = 0;
    int rc = model_table_init(&t, &d->model, e);
    if (rc != OK) return rc;
    r.n_params = t.n_params;
    model_table_deinit(&t);
    memcpy(v.host, a->host, sizeof v.host);
    memcpy(r.name, d->name, sizeof r.name);
    memcpy(r.note, d->note, sizeof r.note);
    memcpy(r.reward_unit, d->reward_unit, sizeof r.reward_unit);
    rc = rundesc_invite_format(&v, r.link, sizeof r.link, e);
    if (rc != OK) return rc;
    while (i < l->n && !hash_equal(&l->runs[i].run, &d->id))
        i++;
    if (i == RUNLIST_MAX)
        return err_set(e, ERR_LIMIT, 0, "a list has at most %d runs", RUNLIST_MAX);
    if (i < l->n) r.since_ms = l->runs[i].since_ms;
    if (i == l->n) l->n++;
    l->runs[i] = r;
    return OK;
}

uint32_t runlist_remove(struct runlist *l, const char *text)
{
    uint32_t n_left = 0, n_before = l->n;
    size_t n = strlen(text);
    for (uint32_t i = 0; i < l->n; i++) {
        char hex[HASH_HEX];
        hash_hex(&l->runs[i].run, hex);
        bool is_id = n >= ID_AT_LEAST && strncmp(hex, text, n) == 0;
        if (is_id || strcmp(l->runs[i].name, text) == 0) continue;
        if (n_left != i) l->runs[n_left] = l->runs[i];
        n_left++;
    }
    l->n = n_left;
    return n_before - n_left;
}
