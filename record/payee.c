#include "record/payee.h"

#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "base/utf8.h"
#include "record/msg_json.h"
#include "record/ss58.h"

#define TYP        "potluck-payout+1"
#define N_WORDS(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

static const char *const kind_words[] = {
    [PAYEE_NONE] = "none", [PAYEE_TEXT] = "text", [PAYEE_SS58] = "ss58"};

const char *payee_kind_word(enum payee_kind k)
{
    unsigned i = (unsigned)k;
    return i < N_WORDS(kind_words) && kind_words[i] ? kind_words[i] : "?";
}

int payee_kind_parse(const char *word, enum payee_kind *ret)
{
    for (unsigned i = 1; i < N_WORDS(kind_words); i++) {
        if (strcmp(word, kind_words[i]) != 0) continue;
        *ret = (enum payee_kind)i;
        return 0;
    }
    return -1;
}

int payee_check(enum payee_kind kind, const char *address, struct err *e)
{
    char clean[PAYEE_CAP];
    struct ss58 ignored;
    if (kind == PAYEE_NONE && *address)
        return err_set(e, ERR_PROTO, 0, "an address is given where there is to be none");
    if (kind == PAYEE_NONE) return OK;
    if (!*address) return err_set(e, ERR_PROTO, 0, "the address is empty");
    if (strlen(address) >= PAYEE_CAP)
        return err_set(e, ERR_PROTO, 0, "an address has at most %d bytes", PAYEE_CAP - 1);
    if (strcmp(utf8_printable(address, clean, sizeof clean), address) != 0)
        return err_set(e, ERR_PROTO, 0, "the address has signs that cannot be printed");
    return kind == PAYEE_SS58 ? ss58_parse(address, &ignored, e) : OK;
}

static void put(json_t *o, const struct payee *m)
{
    json_set_hash(o, "run", &m->run);
    json_set_text(o, "kind", payee_kind_word(m->kind));
    json_set_text(o, "address", m->address);
    json_set_i64(o, "created_at_ms", m->created_at_ms);
}

static void get(struct json_reader *r, const json_t *o, struct payee *m)
{
    struct err why = {0};
    json_hash(r, o, "run", &m->run);
    m->kind = (enum payee_kind)msg_json_word(r, o, "kind", kind_words, N_WORDS(kind_words));
    json_text(r, o, "address", m->address, sizeof m->address);
    m->created_at_ms = json_i64(r, o, "created_at_ms", 0, MSG_JSON_MAX_MS);
    if (json_bad(r) || payee_check(m->kind, m->address, &why) == OK) return;
    json_fail(r, "%s", why.what);
    if (r->e && why.hint[0]) err_hint(r->e, "%s", why.hint);
}

int payee_sign(const struct payee *m, const struct key *k, struct buf *out, struct err *e)
{
    struct payee again = {0};
    struct json_reader r = {.e = e};
    size_t start = out->len;
    json_t *o = json_object();
    if (!o) return err_set(e, ERR_NOMEM, 0, "out of memory while writing an address");
    put(o, m);
    get(&r, o, &again);
    int rc = json_bad(&r) ? ERR_PROTO : jws_sign(o, TYP, k, out, e);
    if (rc == OK && out->len - start > PAYEE_MAX_BYTES)
        rc = err_set(e, ERR_LIMIT, 0, "the address is too long");
    if (rc != OK) out->len = start;
    json_decref(o);
    return rc;
}

int payee_verify(const void *jws, size_t n, const struct key_pub *expect, struct payee *ret,
                 struct err *e)
{
    struct payee m = {0};
    struct json_reader r = {.e = e};
    json_t *o = NULL;
    if (n > PAYEE_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "a signed address is too long");
    int rc = jws_verify(jws, n, TYP, expect, &o, &m.contributor, e);
    if (rc != OK) return rc;
    get(&r, o, &m);
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = m;
    return OK;
}
