#include "record/note.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "record/merkle.h"

#define ED25519_TYPE 0x01 /* signed-note's number for the kind of signature */
#define ORIGIN_WORD  "potluck/"

static const char dash[] = "\xe2\x80\x94 "; /* every signature line begins with it */

char *note_origin(const struct hash *run, char dst[NOTE_ORIGIN_CAP])
{
    char hex[HASH_HEX];
    snprintf(dst, NOTE_ORIGIN_CAP, ORIGIN_WORD "%s", hash_hex(run, hex));
    return dst;
}

void note_key_id(const char *name, const struct key_pub *key, uint8_t ret[NOTE_ID_BYTES])
{
    uint8_t tail[2 + KEY_BYTES] = {'\n', ED25519_TYPE};
    memcpy(tail + 2, key->b, KEY_BYTES);
    struct hash h = hash_of_two(name, strlen(name), tail, sizeof tail);
    memcpy(ret, h.b, NOTE_ID_BYTES);
}

int note_sign(const struct note_head *h, const struct key *k, struct buf *out, struct err *e)
{
    char origin[NOTE_ORIGIN_CAP];
    uint8_t sig[NOTE_ID_BYTES + KEY_SIG_BYTES];
    size_t start = out->len;
    if (h->n_leaves >= MERKLE_MAX_LEAVES)
        return err_set(e, ERR_LIMIT, 0, "a log cannot have that many entries");
    note_origin(&h->run, origin);
    buf_printf(out, "%s\n%llu\n", origin, (unsigned long long)h->n_leaves);
    hex_b64_encode(out, h->root.b, sizeof h->root.b);
    buf_put_u8(out, '\n');
    int rc = buf_ok(out, e);
    if (rc) return rc;
    note_key_id(origin, &k->pub, sig);
    key_sign(k, out->p + start, out->len - start, sig + NOTE_ID_BYTES);
    buf_printf(out, "\n%s%s ", dash, origin);
    hex_b64_encode(out, sig, sizeof sig);
    buf_put_u8(out, '\n');
    return buf_ok(out, e);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What is left to read. */
struct rest {
    const char *p;
    size_t n;
};

/* The next line without its newline; false when there is no whole one. */
static bool take_line(struct rest *r, struct rest *ret)
{
    const char *end = r->n ? memchr(r->p, '\n', r->n) : NULL;
    if (!end) return false;
    *ret = (struct rest){r->p, (size_t)(end - r->p)};
    r->n -= ret->n + 1;
    r->p = end + 1;
    return true;
}

static int bad(struct err *e, const char *what)
{
    return err_set(e, ERR_PROTO, 0, "the tree head %s", what);
}

static int read_origin(const struct rest *line, struct hash *ret, struct err *e)
{
    const size_t n_word = strlen(ORIGIN_WORD);
    char hex[HASH_HEX];
    if (line->n == n_word + HASH_HEX - 1 && memcmp(line->p, ORIGIN_WORD, n_word) == 0) {
        memcpy(hex, line->p + n_word, HASH_HEX - 1);
        hex[HASH_HEX - 1] = 0;
        if (hash_from_hex(hex, ret) == 0) return OK;
    }
    return bad(e, "does not begin with the name of a run's log");
}

static int read_size(const struct rest *line, uint64_t *ret, struct err *e)
{
    uint64_t v = 0;
    bool is_good = line->n > 0 && line->n < 20 && (line->p[0] != '0' || line->n == 1);
    for (size_t i = 0; is_good && i < line->n; i++) {
        is_good = line->p[i] >= '0' && line->p[i] <= '9';
        v = v * 10 + (uint64_t)(line->p[i] - '0');
    }
    if (!is_good || v >= MERKLE_MAX_LEAVES) return bad(e, "has no number of entries");
    *ret = v;
    return OK;
}

static int read_root(const struct rest *line, struct hash *ret, struct err *e)
{
    struct buf b = {0};
    int rc = OK;
    if (line->n > 64 || hex_b64_decode(&b, line->p, line->n))
        rc = bad(e, "has no root");
    else
        rc = buf_ok(&b, e);
    if (!rc && b.len != HASH_BYTES) rc = bad(e, "has no root");
    if (!rc) memcpy(ret->b, b.p, HASH_BYTES);
    buf_deinit(&b);
    return rc;
}

static bool is_space(uint32_t cp)
{
    return cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
           cp == 0x205f || cp == 0x3000;
}

/* A key name: not empty, no space of any script, no plus. The text is valid UTF-8 already. */
static bool is_name(const char *p, size_t n)
{
    if (n == 0 || n >= NOTE_NAME_CAP) return false;
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        size_t len = utf8_decode((const uint8_t *)p + i, n - i, &cp);
        if (len == 0 || is_space(cp) || cp == '+') return false;
        i += len;
    }
    return true;
}

/* "<dash> NAME BASE64" */
static int read_sig(const char *text, const struct rest *line, struct note_sig *ret, struct err *e)
{
    const size_t n_dash = sizeof dash - 1;
    struct buf b = {0};
    if (line->n < n_dash || memcmp(line->p, dash, n_dash) != 0)
        return bad(e, "has a line that is no signature");
    const char *name = line->p + n_dash;
    const char *end = line->p + line->n;
    const char *gap = memchr(name, ' ', (size_t)(end - name));
    if (!gap || !is_name(name, (size_t)(gap - name))) return bad(e, "has a signature without name");
    memcpy(ret->name, name, (size_t)(gap - name));
    ret->name[gap - name] = 0;
    ret->at = (size_t)(gap + 1 - text);
    ret->n = (size_t)(end - gap - 1);
    int rc = OK;
    if (hex_b64_decode(&b, gap + 1, ret->n))
        rc = bad(e, "has a signature that is not base64");
    else
        rc = buf_ok(&b, e);
    if (!rc && b.len <= NOTE_ID_BYTES) rc = bad(e, "has an empty signature");
    if (!rc) memcpy(ret->id, b.p, NOTE_ID_BYTES);
    buf_deinit(&b);
    return rc;
}

static int check_characters(const char *p, size_t n, struct err *e)
{
    if (n > NOTE_MAX_BYTES)
        return err_set(e, ERR_LIMIT, 0, "the tree head has more than %u bytes", NOTE_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 && p[i] != '\n') return bad(e, "has a control character");
    return utf8_valid(p, n) ? OK : bad(e, "is not UTF-8");
}

int note_parse(const void *text, size_t n, struct note *ret, struct err *e)
{
    struct rest r = {text, n};
    struct rest line[4];
    int rc = check_characters(text, n, e);
    if (rc) return rc;
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < 4; i++)
        if (!take_line(&r, &line[i])) return bad(e, "ends too early");
    rc = read_origin(&line[0], &ret->head.run, e);
    if (!rc) rc = read_size(&line[1], &ret->head.n_leaves, e);
    if (!rc) rc = read_root(&line[2], &ret->head.root, e);
    if (!rc && line[3].n) rc = bad(e, "says more than this program understands");
    ret->n_text = n - r.n - 1; /* all before the empty line */
    while (!rc && r.n > 0) {
        if (ret->n_sigs == NOTE_MAX_SIGS)
            return err_set(e, ERR_LIMIT, 0, "the tree head has more than %d signatures",
                           NOTE_MAX_SIGS);
        rc = take_line(&r, &line[0]) ? read_sig(text, &line[0], &ret->sigs[ret->n_sigs++], e)
                                     : bad(e, "ends within a line");
    }
    if (!rc && ret->n_sigs == 0) rc = bad(e, "is not signed");
    return rc;
}

/* OK when this line is the key's good signature, ERR_AUTH when it claims to be and is not. */
static int check_sig(const char *text, const struct note *n, const struct note_sig *s,
                     const struct key_pub *key, struct err *e)
{
    struct buf b = {0};
    int rc = hex_b64_decode(&b, text + s->at, s->n) ? ERR_PROTO : buf_ok(&b, e);
    if (!rc)
        rc = key_verify(key, text, n->n_text, b.p + NOTE_ID_BYTES, b.len - NOTE_ID_BYTES, NULL);
    if (rc && rc != ERR_NOMEM)
        rc = err_set(e, ERR_AUTH, 0, "the tree head's signature is not the aggregator's");
    buf_deinit(&b);
    return rc;
}

int note_verify(const void *text, size_t n, const struct hash *run, const struct key_pub *key,
                struct note_head *ret_head, struct err *e)
{
    struct note v;
    char origin[NOTE_ORIGIN_CAP];
    uint8_t id[NOTE_ID_BYTES];
    bool is_signed = false;
    int rc = note_parse(text, n, &v, e);
    if (rc) return rc;
    if (!hash_equal(&v.head.run, run))
        return err_set(e, ERR_AUTH, 0, "the tree head is of another run's log");
    note_key_id(note_origin(run, origin), key, id);
    for (uint32_t i = 0; i < v.n_sigs; i++) {
        const struct note_sig *s = &v.sigs[i];
        if (strcmp(s->name, origin) != 0 || memcmp(s->id, id, sizeof id) != 0) continue;
        rc = check_sig(text, &v, s, key, e);
        if (rc) return rc;
        is_signed = true;
    }
    if (!is_signed) return err_set(e, ERR_AUTH, 0, "the tree head is not signed by the aggregator");
    *ret_head = v.head;
    return OK;
}
