#include "client/payto.h"

#include <string.h>

#include "base/file.h"
#include "client/fetch.h"
#include "client/sent.h"

#define NAME "payout.jws"

int payto_load(const struct home *h, const struct rundesc *run, const struct key *k,
               struct payee *ret, struct buf *text, struct err *e)
{
    char path[PATH_CAP];
    struct buf b = {0};
    int rc = home_run_path(h, &run->id, NAME, path, e);
    if (rc == OK) rc = file_read(path, PAYEE_MAX_BYTES, &b, e);
    if (rc == OK) rc = payee_verify(b.p, b.len, &k->pub, ret, e);
    if (rc == OK && !hash_equal(&ret->run, &run->id))
        rc = err_set(e, ERR_PROTO, 0, "it was signed for another run");
    if (rc == OK && text) {
        buf_put(text, b.p, b.len);
        rc = buf_ok(text, e);
    }
    buf_deinit(&b);
    if (rc == OK || rc == ERR_NOTFOUND) return rc;
    err_wrap(e, "the payout address kept in %.200s", path);
    err_hint(e, "set it anew with `potluck payout set ADDRESS`");
    return rc;
}

int payto_keep(const struct home *h, const struct rundesc *run, const struct key *k,
               enum payee_kind kind, const char *address, int64_t now_ms, struct err *e)
{
    char path[PATH_CAP];
    struct payee had, m = {.run = run->id, .kind = kind, .created_at_ms = now_ms};
    struct buf text = {0};
    int rc = payee_check(kind, address, e);
    if (rc == OK) rc = home_run_path(h, &run->id, NAME, path, e);
    if (rc != OK) return rc;
    size_t n = strlen(address);
    memcpy(m.address, address, n + 1);
    /* One that cannot be read has nothing to say about the time. */
    if (payto_load(h, run, k, &had, NULL, NULL) == OK && had.created_at_ms >= now_ms)
        m.created_at_ms = had.created_at_ms + 1;
    rc = payee_sign(&m, k, &text, e);
    if (rc == OK) rc = file_replace(path, text.p, text.len, 0600, e);
    buf_deinit(&text);
    return rc;
}

int payto_tell(const struct rundesc *run, const struct buf *text, struct err *e)
{
    int rc = ERR_IO;
    for (uint32_t i = 0; i < run->n_aggregators && rc == ERR_IO; i++) {
        const struct rundesc_aggregator *a = &run->aggregators[i];
        rc = fetch_post(a->host, a->port, &a->tls_pin, sent_kind(SENT_PAYOUT)->path,
                        "application/jose", text, FETCH_STALL_MS, e);
        if (rc == ERR_IO) (void)err_wrap(e, "asking %.60s:%u", a->host, a->port);
    }
    return rc;
}
