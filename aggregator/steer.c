#include "aggregator/steer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/describe.h"
#include "aggregator/publish.h"
#include "aggregator/serve.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"

/* init's name for a field, and how many of the record's units one of init's is. */
static const struct {
    const char *name;
    enum entry_field field;
    double unit;
    bool is_real;
} names[] = {
    {"inner-steps",       ENTRY_F_INNER_STEPS,       1,    false},
    {"inner-seconds",     ENTRY_F_INNER_MS,          1000, false},
    {"max-inner-steps",   ENTRY_F_MAX_INNER_STEPS,   1,    false},
    {"upload-seconds",    ENTRY_F_UPLOAD_MS,         1000, false},
    {"min-contributions", ENTRY_F_MIN_CONTRIBUTIONS, 1,    false},
    {"min-senders",       ENTRY_F_MERGE_MIN_SENDERS, 1,    true },
    {"rounds",            ENTRY_F_N_ROUNDS,          1,    false},
    {"lr",                ENTRY_F_LR,                1,    true },
    {"outer-lr",          ENTRY_F_OUTER_LR,          1,    true },
    {"reward",            ENTRY_F_REWARD_PER_ROUND,  1e6,  false},
};

static int no_name(const char *word, struct err *e)
{
    err_set(e, ERR_ARG, 0, "'%.40s' is nothing that a running run can change", word);
    err_hint(e, "write NAME=VALUE; `potluck-aggregator change --help` lists the names");
    return ERR_ARG;
}

int steer_word(const char *word, struct entry_change *m, struct err *e)
{
    const char *eq = strchr(word, '=');
    char *end = NULL;
    size_t i = 0, n = sizeof names / sizeof *names;
    if (!eq) return no_name(word, e);
    while (i < n && (strlen(names[i].name) != (size_t)(eq - word) ||
                     strncmp(names[i].name, word, (size_t)(eq - word)) != 0))
        i++;
    if (i == n) return no_name(word, e);
    double v = strtod(eq + 1, &end) * names[i].unit;
    bool is_number = end != eq + 1 && !*end && isfinite(v) && v >= 0;
    if (is_number && !names[i].is_real) is_number = v == floor(v) && v < 9e15;
    if (!is_number)
        return err_set(e, ERR_ARG, 0, "'%.40s' is no value for %s", eq + 1, names[i].name);
    m->has[names[i].field] = true;
    m->value[names[i].field] = v;
    return OK;
}

/* ---- the books ------------------------------------------------------------------------------ */

struct books {
    struct rundesc run;
    struct key key;
    struct spool spool;
    struct store *store;
    struct model_table table;
    struct publish publish;
    struct course course;
    struct store_tail tail;
};

static void close_books(struct books *b)
{
    if (!b) return;
    course_deinit(&b->course);
    store_close(b->store);
    spool_close(&b->spool);
    model_table_deinit(&b->table);
    key_wipe(&b->key);
    free(b);
}

static int read_books(struct books *b, struct err *e)
{
    course_deinit(&b->course);
    int rc = store_record_tail(b->store, &b->tail, e);
    return rc == OK ? publish_course(&b->publish, &b->course, e) : rc;
}

static int open_books(const char *home, struct books **ret, struct err *e)
{
    char path[PATH_CAP], secret[PATH_CAP];
    struct books *b = alloc_zero(1, sizeof *b);
    if (!b) return err_set(e, ERR_NOMEM, 0, "no memory for the books");
    *ret = b;
    b->publish =
        (struct publish){.run = &b->run, .table = &b->table, .spool = &b->spool, .key = &b->key};
    if (path_format(path, "%s/aggregator.db", home) ||
        path_format(secret, "%s/keys/host.key", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int rc = describe_read(home, &b->run, NULL, e);
    if (rc == OK) rc = key_load_or_create(secret, &b->key, e);
    if (rc == OK && !key_equal(&b->key.pub, &b->run.host))
        rc = err_set(e, ERR_AUTH, 0, "'%s' is not the key that signed this run", secret);
    if (rc == OK) rc = model_table_init(&b->table, &b->run.model, e);
    if (rc == OK) rc = spool_open(&b->spool, home, e);
    if (rc == OK) rc = store_open(path, &b->run.id, &b->store, e);
    b->publish.store = b->store;
    if (rc == OK) rc = read_books(b, e);
    if (rc == OK && b->tail.n_entries == 0) {
        rc = err_set(e, ERR_WRONG_STATE, 0, "the run has not begun");
        err_hint(e, "until it is served for the first time, make it anew with init and prepare");
    }
    return rc;
}

static int check_open(const struct books *b, struct err *e)
{
    if (!b->tail.is_ended) return OK;
    return err_set(e, ERR_WRONG_STATE, 0, "the run is over: its course cannot change any more");
}

static int read_reason(const char *reason, char dst[MSG_REASON_CAP], struct err *e)
{
    if (!reason) reason = "";
    if (strlen(reason) >= MSG_REASON_CAP)
        return err_set(e, ERR_ARG, 0, "a reason has at most %d bytes", MSG_REASON_CAP - 1);
    if (strcmp(utf8_printable(reason, dst, MSG_REASON_CAP), reason) == 0) return OK;
    return err_set(e, ERR_ARG, 0, "the reason has signs that cannot be printed");
}

/* ---- change --------------------------------------------------------------------------------- */

static int check_round(const struct books *b, const struct steer_request *q, struct entry_change *m,
                       struct err *e)
{
    uint64_t first = b->tail.n_rounds + 1; /* the open round keeps what it began with */
    m->from_round = q->has_from ? q->from_round : first;
    if (m->from_round >= first) return course_check(&b->course, m, e);
    err_set(e, ERR_ARG, 0, "round %" PRIu64 " has begun or is over", m->from_round);
    err_hint(e, "the first that can change is round %" PRIu64, first);
    return ERR_ARG;
}

static int append(struct books *b, const struct entry_change *m, uint64_t *ret_index, struct err *e)
{
    struct entry x = {.kind = ENTRY_CHANGE,
                      .run = b->run.id,
                      .index = b->tail.n_entries,
                      .at_ms = clock_wall_ms()};
    struct store_entry row = {.kind = ENTRY_CHANGE};
    x.change = *m;
    *ret_index = x.index;
    int rc = entry_sign(&x, &b->key, &row.text, e);
    if (rc == OK) rc = store_record_append(b->store, x.index, &row, 1, e);
    buf_deinit(&row.text);
    return rc;
}

/* Nobody else writes the files of the record: we hold the lock of the home. */
static int write_log(struct books *b, struct err *e)
{
    int rc = publish_open(&b->publish, clock_wall_ms(), e);
    publish_close(&b->publish);
    return rc;
}

int steer_change(const struct steer_request *q, struct steer_report *ret, struct err *e)
{
    struct books *b = NULL;
    *ret = (struct steer_report){0};
    int rc = read_reason(q->reason, ret->change.reason, e);
    for (int i = 0; rc == OK && i < q->n_words; i++)
        rc = steer_word(q->words[i], &ret->change, e);
    if (rc == OK) rc = open_books(q->home, &b, e);
    if (rc == OK) rc = check_open(b, e);
    if (rc == OK) rc = check_round(b, q, &ret->change, e);
    if (rc == OK) rc = append(b, &ret->change, &ret->index, e);
    /* The server may have put a round on record meanwhile. */
    for (int i = 0; rc == ERR_WRONG_STATE && b && !b->tail.is_ended && i < 3; i++) {
        rc = read_books(b, e);
        if (rc == OK) rc = check_round(b, q, &ret->change, e);
        if (rc == OK) rc = append(b, &ret->change, &ret->index, e);
    }
    if (rc == OK) {
        ret->n_open = b->tail.n_rounds;
        ret->is_public = serve_lock(q->home, NULL) == OK;
        if (ret->is_public) rc = write_log(b, e);
    }
    close_books(b);
    return rc;
}

/* ---- rollback ------------------------------------------------------------------------------- */

int steer_rollback(const char *home, uint64_t to_round, const char *reason,
                   struct steer_report *ret, struct err *e)
{
    char clean[MSG_REASON_CAP];
    struct books *b = NULL;
    float *weights = NULL;
    *ret = (struct steer_report){0};
    int rc = read_reason(reason, clean, e);
    if (rc == OK && !clean[0]) {
        rc = err_set(e, ERR_ARG, 0, "a rollback needs a reason, which everybody will read");
        err_hint(e, "add --reason 'what happened'");
    }
    if (rc == OK) rc = open_books(home, &b, e);
    if (rc == OK) rc = check_open(b, e);
    if (rc == OK && to_round > b->tail.n_rounds) {
        rc = err_set(e, ERR_ARG, 0, "round %" PRIu64 " is not on record; the open one is %" PRIu64,
                     to_round, b->tail.n_rounds);
        err_hint(e, "--to names the round whose beginning the model goes back to");
    }
    if (rc == OK && !(weights = alloc_zero(b->table.n_params, sizeof *weights)))
        rc = err_set(e, ERR_NOMEM, 0, "no memory for the model of that round");
    if (rc == OK && publish_weights(&b->publish, to_round, weights, e) != OK) {
        rc = err_wrap(e, "the model of round %" PRIu64 " cannot be made any more", to_round);
        err_hint(e, "its updates went with the run's retention; choose a later round");
    }
    if (rc == OK) rc = store_record_ask_rollback(b->store, to_round, clean, e);
    if (rc == OK) ret->n_open = b->tail.n_rounds;
    free(weights);
    close_books(b);
    return rc;
}

/* ---- list ----------------------------------------------------------------------------------- */

static void list_all(const struct books *b, struct buf *out)
{
    const struct entry_change *m = (const void *)b->course.changes.p;
    const struct entry_rollback *back = (const void *)b->course.rollbacks.p;
    uint64_t round = b->tail.n_rounds;
    if (b->tail.is_ended && round) round--; /* there is no other to come */
    struct course_terms t = course_terms(&b->course, round);
    for (size_t i = 0; i < b->course.changes.len / sizeof *m; i++) {
        course_words(&m[i], out);
        buf_put_u8(out, '\n');
    }
    for (size_t i = 0; i < b->course.rollbacks.len / sizeof *back; i++)
        buf_printf(out, "before round %" PRIu64 ": back to the model of round %" PRIu64 " (%s)\n",
                   back[i].next_round, back[i].to_round, back[i].reason);
    if (!b->course.n_entries) buf_put_str(out, "the record has changed nothing so far\n");
    buf_printf(out,
               "round %" PRIu64 ": inner_steps %" PRIu32 ", inner_ms %" PRIu32
               ", max_inner_steps %" PRIu32 ", upload_ms %" PRIu32 ", min_contributions %" PRIu32
               ", merge_min_senders %.10g, n_rounds %" PRIu64
               ", lr %.10g, outer_lr %.10g, reward_per_round %" PRIu64 "\n",
               round, t.inner_steps, t.inner_ms, t.max_inner_steps, t.upload_ms,
               t.min_contributions, t.merge_min_senders, t.n_rounds, t.lr, t.outer_lr, t.emission);
    if (b->tail.is_ended)
        buf_printf(out, "the run is over, after %" PRIu64 " rounds\n", b->tail.n_rounds);
}

int steer_list(const char *home, struct buf *out, struct err *e)
{
    struct books *b = NULL;
    int rc = open_books(home, &b, e);
    if (rc == OK) list_all(b, out);
    close_books(b);
    return rc == OK ? buf_ok(out, e) : rc;
}
