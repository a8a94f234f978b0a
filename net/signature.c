#include "net/signature.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"

#define LABEL      "potluck"
#define COMPONENTS "(\"@method\" \"@authority\" \"@path\" \"content-digest\")"
#define TAIL       ";alg=\"ed25519\";tag=\"potluck+1\""
#define MAX_TEXT   1024 /* of one covered value */
#define MAX_LABEL  32
#define MAX_DIGITS 12

static int shape(struct err *e, const char *what)
{
    err_set(e, ERR_PROTO, 0, "%s", what);
    err_hint(e, "sign as docs/PROTOCOL.md, \"Signed requests\", says");
    return ERR_PROTO;
}

static void put_authority(struct buf *b, const char *authority)
{
    size_t n = strlen(authority);
    if (n > 4 && strcmp(authority + n - 4, ":443") == 0) n -= 4;
    for (size_t i = 0; i < n; i++) {
        char c = authority[i];
        buf_put_u8(b, (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    }
}

/* RFC 9421, section 2.5. params: what follows the label and its "=" in Signature-Input. */
static int make_base(const struct signature_target *t, const char *params, struct buf *b,
                     struct err *e)
{
    const char *const texts[] = {t->method, t->authority, t->path, t->digest};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!texts[i] || strlen(texts[i]) > MAX_TEXT || strpbrk(texts[i], "\r\n"))
            return err_set(e, ERR_LIMIT, 0,
                           "the request cannot be signed: a part is missing or long");
    buf_printf(b, "\"@method\": %s\n\"@authority\": ", t->method);
    put_authority(b, t->authority);
    buf_printf(b, "\n\"@path\": %s\n\"content-digest\": %s\n\"@signature-params\": %s", t->path,
               t->digest, params);
    return buf_ok(b, e);
}

int signature_make(const struct signature_target *t, const struct key *k, int64_t created_s,
                   char input[SIGNATURE_INPUT_CAP], char value[SIGNATURE_VALUE_CAP], struct err *e)
{
    char hex[KEY_HEX];
    uint8_t sig[KEY_SIG_BYTES];
    struct buf base = {0}, text = {0};
    snprintf(input, SIGNATURE_INPUT_CAP,
             LABEL "=" COMPONENTS ";created=%" PRId64 ";keyid=\"%s\"" TAIL, created_s,
             key_hex(&k->pub, hex));
    int rc = make_base(t, input + sizeof LABEL, &base, e);
    if (rc == OK) {
        key_sign(k, base.p, base.len, sig);
        digest_base64(&text, sig, sizeof sig);
        rc = buf_ok(&text, e);
    }
    if (rc == OK) snprintf(value, SIGNATURE_VALUE_CAP, LABEL "=:%s:", buf_str(&text));
    buf_deinit(&base);
    buf_deinit(&text);
    return rc;
}

/* Text at *p, which moves behind it. */
static bool skip(const char **p, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*p, text, n) != 0) return false;
    *p += n;
    return true;
}

/* What follows `label=`; NULL when it is malformed. *ret_n: length of the label. */
static const char *after_label(const char *text, size_t *ret_n)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.*");
    *ret_n = n;
    return n > 0 && n <= MAX_LABEL && text[n] == '=' ? text + n + 1 : NULL;
}

static bool parse_params(const char *params, struct key_pub *ret_key)
{
    char hex[KEY_HEX] = "";
    const char *p = params;
    if (!skip(&p, COMPONENTS ";created=")) return false;
    size_t n = strspn(p, "0123456789");
    if (n == 0 || n > MAX_DIGITS) return false;
    p += n;
    if (!skip(&p, ";keyid=\"") || strnlen(p, KEY_HEX) < KEY_HEX - 1) return false;
    memcpy(hex, p, KEY_HEX - 1);
    p += KEY_HEX - 1;
    return skip(&p, "\"" TAIL) && *p == '\0' && key_from_hex(hex, ret_key) == 0;
}

static bool parse_value(const char *value, uint8_t sig[KEY_SIG_BYTES])
{
    size_t n = strlen(value);
    return n > 2 && value[0] == ':' && value[n - 1] == ':' &&
           digest_unbase64(value + 1, n - 2, sig, KEY_SIG_BYTES) == 0;
}

int signature_check(const struct signature_target *t, const char *input, const char *value,
                    struct key_pub *ret_key, struct err *e)
{
    struct key_pub key;
    uint8_t sig[KEY_SIG_BYTES];
    struct buf base = {0};
    size_t n_label = 0, n_other = 0;
    if (!input || !value) return shape(e, "the request is not signed");
    const char *params = after_label(input, &n_label);
    const char *rest = after_label(value, &n_other);
    if (!params || !rest || n_label != n_other || memcmp(input, value, n_label) != 0)
        return shape(e, "Signature-Input and Signature do not belong together");
    if (!parse_params(params, &key))
        return shape(e, "Signature-Input is not of the one shape that is taken");
    if (!parse_value(rest, sig)) return shape(e, "Signature is malformed");
    int rc = make_base(t, params, &base, e);
    if (rc == OK) rc = key_verify(&key, base.p, base.len, sig, sizeof sig, e);
    buf_deinit(&base);
    if (rc == OK) *ret_key = key;
    return rc;
}
