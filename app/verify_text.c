#include "app/verify_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/utf8.h"
#include "view/text.h"

/* Items in the order of a sentence, and how they are counted in it. */
static const struct {
    enum audit_item item;
    const char *one, *many;
} names[] = {
    {AUDIT_HEAD,         "tree head",       "tree heads"      },
    {AUDIT_TILE,         "tile",            "tiles"           },
    {AUDIT_ENTRY,        "entry",           "entries"         },
    {AUDIT_SECRET,       "secret",          "secrets"         },
    {AUDIT_SHEET,        "sheet",           "sheets"          },
    {AUDIT_RECEIPT,      "receipt",         "receipts"        },
    {AUDIT_MANIFEST,     "manifest",        "manifests"       },
    {AUDIT_CONTRIBUTION, "contribution",    "contributions"   },
    {AUDIT_UPDATE,       "update",          "updates"         },
    {AUDIT_MODEL,        "model",           "models"          },
    {AUDIT_REWARD,       "reward line",     "reward lines"    },
    {AUDIT_LEDGER,       "round's sum",     "rounds' sums"    },
    {AUDIT_PAYOUT,       "settlement file", "settlement files"},
    {AUDIT_LOSS,         "held-out loss",   "held-out losses" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int verify_exit_code(const struct audit_report *r)
{
    switch (r->verdict) {
    case AUDIT_TRUE:
    case AUDIT_TRUE_SO_FAR: return VERIFY_EXIT_TRUE;
    case AUDIT_UNKNOWN: return VERIFY_EXIT_UNKNOWN;
    case AUDIT_FALSE: break;
    }
    return VERIFY_EXIT_FALSE;
}

static void put_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
    char a[TEXT_CAP];
    buf_printf(out, "%s %s", text_count((int64_t)n, a), n == 1 ? one : many);
}

/* "5 contributions, 2 updates" of one outcome. */
static void put_items(struct buf *out, const struct audit_book *b, enum audit_outcome o)
{
    const char *comma = "";
    for (size_t i = 0; i < COUNT(names); i++) {
        uint64_t n = b->n[names[i].item][o];
        if (!n) continue;
        buf_put_str(out, comma);
        put_count(out, n, names[i].one, names[i].many);
        comma = ", ";
    }
}

/* The first finding of an outcome, made printable; "" when none was kept. */
static const char *first(const struct verify_facts *v, enum audit_outcome o, char dst[256])
{
    dst[0] = 0;
    for (uint32_t i = 0; i < v->n_findings && !dst[0]; i++)
        if (v->findings[i].outcome == o) utf8_printable(v->findings[i].what, dst, 256);
    return dst;
}

/* What was done again and holds. */
static void put_done(struct buf *out, const struct verify_facts *v)
{
    const struct audit_report *r = v->report;
    const struct audit_book *b = &r->book;
    if (v->round == AUDIT_ALL_ROUNDS)
        buf_printf(out, "%" PRIu64 " of %" PRIu64 " rounds %s recomputed bit for bit",
                   r->done.n_recomputed, r->n_rounds, r->done.n_recomputed == 1 ? "was" : "were");
    else
        buf_printf(out, "round %" PRIu64 " was %srecomputed bit for bit", v->round,
                   r->done.n_recomputed ? "" : "not ");
    buf_put_str(out, ", ");
    put_count(out, r->done.n_contributions, "contribution", "contributions");
    buf_put_str(out, ", ");
    put_count(out, b->n[AUDIT_RECEIPT][AUDIT_OK], "receipt", "receipts");
    buf_put_str(out, " and ");
    put_count(out, b->n[AUDIT_REWARD][AUDIT_OK], "reward line", "reward lines");
    buf_put_str(out, " agree with the signed record");
    if (b->n[AUDIT_LOSS][AUDIT_OK])
        buf_printf(out, ", the held-out loss was evaluated again within %g", v->tolerance);
}

/* What no record can show, or was not asked for. */
static void put_limits(struct buf *out, const struct verify_facts *v)
{
    const struct audit_report *r = v->report;
    buf_put_str(out, "; not checked: ");
    if (audit_count(&r->book, AUDIT_NOT_KEPT)) {
        put_items(out, &r->book, AUDIT_NOT_KEPT);
        buf_printf(out, " that the run keeps for only %" PRIu64 " rounds, ", r->retention);
    }
    if (r->done.n_refused) {
        buf_put_str(out, "why ");
        put_count(out, r->done.n_refused, "contribution was", "contributions were");
        buf_put_str(out, " late or refused, ");
    }
    if (!v->with_scores)
        buf_put_str(out, "losses (--scores), ");
    else if (v->no_scores[0])
        buf_printf(out, "losses (%s), ", v->no_scores);
    if (!v->is_known) buf_put_str(out, "whether this is the run you mean, ");
    buf_put_str(out, "how contributors trained.");
}

void verify_sentence(const struct verify_facts *v, struct buf *out)
{
    const struct audit_report *r = v->report;
    uint64_t n_wrong = audit_count(&r->book, AUDIT_WRONG);
    char what[256];
    switch (r->verdict) {
    case AUDIT_TRUE:
        buf_put_str(out, "The host told the truth: ");
        put_done(out, v);
        put_limits(out, v);
        return;
    case AUDIT_TRUE_SO_FAR:
        buf_put_str(out, "The host told the truth as far as it is kept: ");
        put_done(out, v);
        put_limits(out, v);
        return;
    case AUDIT_UNKNOWN:
        buf_put_str(out,
                    "Whether the host told the truth could not be checked in full, for lack of ");
        put_items(out, &r->book, AUDIT_NO_DATA);
        buf_printf(out, " (first: %s); nothing that could be read is wrong.",
                   first(v, AUDIT_NO_DATA, what));
        return;
    case AUDIT_FALSE: break;
    }
    buf_printf(out, "The host did not tell the truth%s: %s",
               v->is_dir ? ", or this copy is damaged" : "", first(v, AUDIT_WRONG, what));
    if (n_wrong > 1) {
        buf_put_str(out, "; in all ");
        put_items(out, &r->book, AUDIT_WRONG);
        buf_put_str(out, " do not hold");
    }
    buf_put_str(out, ".");
}

static void put_line(struct buf *out, const char *word, const struct audit_book *b,
                     enum audit_outcome o)
{
    if (!audit_count(b, o)) return;
    buf_printf(out, "%-8s ", word);
    put_items(out, b, o);
    buf_put_u8(out, '\n');
}

void verify_lines(const struct verify_facts *v, struct buf *out)
{
    const struct audit_report *r = v->report;
    char a[TEXT_CAP], c[TEXT_CAP], hex[HASH_HEX], what[256], unit[sizeof v->run->reward_unit];
    buf_printf(out, "run      %s, %.16s..., read from %s\n",
               utf8_printable(v->run->name, what, sizeof what), hash_hex(&v->run->id, hex),
               v->from);
    if (r->has_head)
        buf_printf(out, "record   %s entries, root %.16s...%s\n",
                   text_count((int64_t)r->head.n_leaves, a), hash_hex(&r->head.root, hex),
                   r->has_end ? ", ended" : "");
    buf_printf(out, "rounds   %" PRIu64 " on record, %" PRIu64 " recomputed; %s %s paid\n",
               r->n_rounds, r->done.n_recomputed, text_credits((int64_t)r->done.paid, c),
               utf8_printable(v->run->reward_unit, unit, sizeof unit));
    put_line(out, "good", &r->book, AUDIT_OK);
    put_line(out, "not kept", &r->book, AUDIT_NOT_KEPT);
    put_line(out, "missing", &r->book, AUDIT_NO_DATA);
    put_line(out, "wrong", &r->book, AUDIT_WRONG);
    for (uint32_t i = 0; i < v->n_losses; i++)
        if (v->losses[i].is_done)
            buf_printf(out, "loss     before round %" PRIu64 ": said %.4f, found %.4f\n",
                       v->losses[i].round, v->losses[i].said, v->losses[i].found);
    for (uint32_t i = 0; i < v->n_findings; i++)
        if (v->findings[i].outcome != AUDIT_NOT_KEPT)
            buf_printf(out, "  %-8s %s\n", audit_outcome_word(v->findings[i].outcome),
                       utf8_printable(v->findings[i].what, what, sizeof what));
    if (v->n_left_out) buf_printf(out, "  and %s more\n", text_count((int64_t)v->n_left_out, a));
    verify_sentence(v, out);
    buf_put_u8(out, '\n');
}

static const char *verdict_word(enum audit_verdict v)
{
    switch (v) {
    case AUDIT_TRUE: return "true";
    case AUDIT_TRUE_SO_FAR: return "true as far as kept";
    case AUDIT_UNKNOWN: return "unknown";
    case AUDIT_FALSE: break;
    }
    return "false";
}

/* An item's word as a name in an object: "tree_head". */
static const char *key_of(enum audit_item item, char dst[32])
{
    snprintf(dst, 32, "%s", audit_item_word(item));
    for (char *p = dst; *p; p++)
        if (*p == ' ') *p = '_';
    return dst;
}

static json_t *items_json(const struct audit_book *b)
{
    json_t *o = json_object();
    char key[32];
    for (size_t i = 0; i < COUNT(names); i++) {
        const uint64_t *n = b->n[names[i].item];
        json_t *row = json_object();
        json_set_u64(row, "ok", n[AUDIT_OK]);
        json_set_u64(row, "not_kept", n[AUDIT_NOT_KEPT]);
        json_set_u64(row, "no_data", n[AUDIT_NO_DATA]);
        json_set_u64(row, "wrong", n[AUDIT_WRONG]);
        json_object_set_new(o, key_of(names[i].item, key), row);
    }
    return o;
}

static json_t *findings_json(const struct verify_facts *v)
{
    json_t *list = json_array();
    char key[32];
    for (uint32_t i = 0; i < v->n_findings; i++) {
        const struct audit_finding *f = &v->findings[i];
        json_t *row = json_object();
        json_set_text(row, "outcome", audit_outcome_word(f->outcome));
        json_set_text(row, "item", key_of(f->item, key));
        if (f->round == AUDIT_NO_ROUND)
            json_object_set_new(row, "round", json_null());
        else
            json_set_u64(row, "round", f->round);
        json_set_text(row, "what", f->what);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *losses_json(const struct verify_facts *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->n_losses; i++) {
        json_t *row = json_object();
        json_set_u64(row, "round", v->losses[i].round);
        json_set_real(row, "said", v->losses[i].said);
        if (v->losses[i].is_done)
            json_set_real(row, "found", v->losses[i].found);
        else
            json_object_set_new(row, "found", json_null());
        json_array_append_new(list, row);
    }
    return list;
}

int verify_json(const struct verify_facts *v, struct buf *out, struct err *e)
{
    const struct audit_report *r = v->report;
    json_t *o = json_object();
    struct buf sentence = {0};
    verify_sentence(v, &sentence);
    json_set_text(o, "verdict", verdict_word(r->verdict));
    json_set_text(o, "sentence", buf_str(&sentence));
    json_set_hash(o, "run", &v->run->id);
    json_set_text(o, "run_name", v->run->name);
    json_set_text(o, "from", v->from);
    json_set_bool(o, "run_is_known", v->is_known);
    json_set_u64(o, "entries", r->has_head ? r->head.n_leaves : 0);
    if (r->has_head) json_set_hash(o, "root", &r->head.root);
    json_set_bool(o, "ended", r->has_end);
    json_set_u64(o, "rounds", r->n_rounds);
    json_set_u64(o, "rounds_recomputed", r->done.n_recomputed);
    json_set_u64(o, "contributions", r->done.n_contributions);
    json_set_u64(o, "merged", r->done.n_merged);
    json_set_u64(o, "refused", r->done.n_refused);
    json_set_u64(o, "rewards", r->book.n[AUDIT_REWARD][AUDIT_OK]);
    json_set_u64(o, "paid_micro", r->done.paid);
    json_set_u64(o, "retention", r->retention);
    json_object_set_new(o, "checked", items_json(&r->book));
    json_object_set_new(o, "findings", findings_json(v));
    json_set_u64(o, "findings_left_out", v->n_left_out);
    if (v->with_scores) {
        json_object_set_new(o, "losses", losses_json(v));
        json_set_real(o, "tolerance", v->tolerance);
        json_set_text(o, "no_losses_because", v->no_scores);
    }
    json_set_real(o, "seconds", v->seconds);
    int rc = buf_ok(&sentence, e);
    if (rc == OK) rc = json_write(o, out, e);
    json_decref(o);
    buf_deinit(&sentence);
    return rc;
}
