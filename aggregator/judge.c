#include "aggregator/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum round_outcome judge_trouble(const struct err *e)
{
    return e->sys == ENOSPC || e->sys == EDQUOT ? ROUND_FULL : ROUND_FAILED;
}

int judge_payload(const struct model_table *t, const struct delta_params *p, const void *bytes,
                  size_t n, struct err *e)
{
    double *norms = alloc_zero(t->n_tensors, sizeof *norms);
    if (!norms) return err_set(e, ERR_NOMEM, 0, "no memory to check a payload");
    double sum = 0;
    int rc = delta_check(t, p, DELTA_CONTRIBUTION, bytes, n, norms, e);
    for (uint32_t i = 0; rc == OK && i < t->n_tensors; i++) {
        if (!isfinite(norms[i]))
            rc = err_set(e, ERR_PROTO, 0, "tensor '%s' is too large to be summed",
                         t->tensors[i].name);
        sum += norms[i];
    }
    if (rc == OK && sum == 0)
        rc = err_set(e, ERR_PROTO, 0, "it carries no change at all; nothing was learned");
    free(norms);
    return rc;
}

/* Put the chunks together; ROUND_MISMATCH when one is missing or not what was announced. */
static enum round_outcome assemble(const struct spool *sp, const struct msg_manifest *m,
                                   struct buf *out, struct err *e)
{
    for (uint32_t i = 0; i < m->n_chunks; i++) {
        size_t before = out->len;
        int rc = spool_chunk_read(sp, m->id, i, out, e);
        if (rc == ERR_NOTFOUND || rc == ERR_LIMIT) return ROUND_MISMATCH;
        if (rc != OK) return ROUND_FAILED;
        struct hash got = hash_of(out->p + before, out->len - before);
        if (!hash_equal(&got, &m->chunks[i])) return ROUND_MISMATCH;
    }
    struct hash whole = hash_of(out->p, out->len);
    bool is_same = out->len == m->n_bytes && hash_equal(&whole, &m->payload);
    return is_same ? ROUND_OK : ROUND_MISMATCH;
}

static enum round_outcome judge_bytes(const struct spool *sp, struct store *st,
                                      const struct model_table *t, const struct delta_params *p,
                                      const struct msg_manifest *m, const struct buf *payload,
                                      char reason[MSG_REASON_CAP], enum round_check *failed,
                                      struct err *e)
{
    uint64_t round = 0;
    struct hash h;
    int rc = judge_payload(t, p, payload->p, payload->len, e);
    if (rc == ERR_NOMEM) return ROUND_FAILED;
    *failed = ROUND_CHECK_FORM;
    if (rc != OK) {
        snprintf(reason, MSG_REASON_CAP, "the payload is refused: %.100s", e->what);
        return ROUND_BAD;
    }
    *failed = ROUND_CHECK_NEW;
    rc = store_payload_round(st, &m->payload, &round, e);
    if (rc == OK) {
        snprintf(reason, MSG_REASON_CAP, "this payload was counted already in round %" PRIu64,
                 round);
        return ROUND_BAD;
    }
    if (rc == ERR_NOTFOUND) rc = spool_put(sp, SPOOL_PAYLOAD, payload->p, payload->len, &h, e);
    return rc == OK ? ROUND_OK : judge_trouble(e);
}

enum round_outcome judge_upload(const struct spool *sp, struct store *st,
                                const struct model_table *t, const struct delta_params *p,
                                const struct msg_manifest *m, char reason[MSG_REASON_CAP],
                                enum round_check *failed, struct err *e)
{
    struct buf payload = {0};
    *reason = '\0';
    enum round_outcome o = assemble(sp, m, &payload, e);
    if (o == ROUND_OK) o = judge_bytes(sp, st, t, p, m, &payload, reason, failed, e);
    buf_deinit(&payload);
    return o;
}
