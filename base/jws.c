#include "base/jws.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"

int jws_sign(const json_t *payload, const char *typ, const struct key *k, struct buf *out,
             struct err *e)
{
    struct buf part = {0};
    uint8_t sig[KEY_SIG_BYTES];
    json_t *head = json_object();
    size_t start = out->len;
    json_set_text(head, "alg", "EdDSA");
    json_set_key(head, "kid", &k->pub);
    json_set_text(head, "typ", typ);
    int rc = json_write(head, &part, e);
    if (!rc) {
        hex_b64url_encode(out, part.p, part.len);
        buf_put_u8(out, '.');
        buf_clear(&part);
        rc = json_write(payload, &part, e);
    }
    if (!rc) {
        hex_b64url_encode(out, part.p, part.len);
        rc = buf_ok(out, e);
    }
    if (!rc) {
        key_sign(k, out->p + start, out->len - start, sig);
        buf_put_u8(out, '.');
        hex_b64url_encode(out, sig, sizeof sig);
        rc = buf_ok(out, e);
    }
    json_decref(head);
    buf_deinit(&part);
    return rc;
}

static int decode_part(const char *p, size_t n, json_t **ret, struct err *e)
{
    struct buf b = {0};
    int rc =
        hex_b64url_decode(&b, p, n) ? err_set(e, ERR_PROTO, 0, "not base64url") : buf_ok(&b, e);
    if (!rc) rc = json_parse(b.p ? (const void *)b.p : "", b.len, ret, e);
    buf_deinit(&b);
    return rc;
}

static int read_header(const char *p, size_t n, const char *typ, struct key_pub *ret, struct err *e)
{
    json_t *head = NULL;
    int rc = decode_part(p, n, &head, e);
    if (rc) return err_wrap(e, "signed message header");
    struct json_reader r = {.e = e};
    char alg[16];
    char kind[48];
    json_text(&r, head, "alg", alg, sizeof alg);
    json_text(&r, head, "typ", kind, sizeof kind);
    json_key(&r, head, "kid", ret);
    if (!json_bad(&r) && strcmp(alg, "EdDSA") != 0) json_fail(&r, "signature is not EdDSA");
    if (!json_bad(&r) && strcmp(kind, typ) != 0) json_fail(&r, "signed message is not a %s", typ);
    json_decref(head);
    return json_bad(&r) ? ERR_PROTO : OK;
}

int jws_verify(const char *text, size_t n, const char *typ, const struct key_pub *expect,
               json_t **ret_payload, struct key_pub *ret_signer, struct err *e)
{
    if (n > JWS_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "signed message is too long");
    const char *dot1 = memchr(text, '.', n);
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', n - (size_t)(dot1 + 1 - text)) : NULL;
    if (!dot2) return err_set(e, ERR_PROTO, 0, "not a signed message");
    struct key_pub signer = {0};
    int rc = read_header(text, (size_t)(dot1 - text), typ, &signer, e);
    if (rc) return rc;
    if (expect && !key_equal(expect, &signer))
        return err_set(e, ERR_AUTH, 0, "the %s is signed by another key than expected", typ);
    struct buf sig = {0};
    size_t n_sig = n - (size_t)(dot2 + 1 - text);
    if (hex_b64url_decode(&sig, dot2 + 1, n_sig))
        rc = err_set(e, ERR_PROTO, 0, "signature is not base64url");
    else
        rc = buf_ok(&sig, e); /* no memory is not a wrong signature */
    if (rc == OK) rc = key_verify(&signer, text, (size_t)(dot2 - text), sig.p, sig.len, e);
    buf_deinit(&sig);
    if (rc) return err_wrap(e, "checking the %s", typ);
    rc = decode_part(dot1 + 1, (size_t)(dot2 - dot1 - 1), ret_payload, e);
    if (rc) return err_wrap(e, "reading the %s", typ);
    if (ret_signer) *ret_signer = signer;
    return OK;
}
