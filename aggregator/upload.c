#include "aggregator/upload.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/job.h"
#include "aggregator/round_seat.h"
#include "base/digest.h"
#include "net/signature.h"

#define PARTIAL "application/partial-upload"

/* What the head of a PUT or PATCH says. */
struct said {
    struct hash content; /* of the bytes of this request */
    struct hash whole;   /* of the chunk; zero while it is not to be complete */
    uint64_t offset;
    uint32_t i_chunk;
    bool is_complete;
};

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end = NULL;
    if (!text || *text < '0' || *text > '9' || strlen(text) > 18) return false;
    *ret = strtoull(text, &end, 10);
    return *end == '\0' && *ret <= max;
}

/* NULL, or what is wrong (400). A PUT without fields of the draft is a whole chunk. */
static const char *read_head(const struct request *r, bool is_patch, struct said *ret)
{
    const char *content = request_header(r, "content-digest");
    const char *whole = request_header(r, "repr-digest");
    const char *complete = request_header(r, "upload-complete");
    if (!is_patch && !content) content = whole; /* it is sent whole: the same */
    if (!content || digest_parse(content, &ret->content) != 0)
        return "the header content-digest is missing or malformed";
    if (!complete && !is_patch) complete = "?1";
    if (!complete || (strcmp(complete, "?1") != 0 && strcmp(complete, "?0") != 0))
        return "the header upload-complete is missing or malformed";
    ret->is_complete = strcmp(complete, "?1") == 0;
    if (is_patch && !number(request_header(r, "upload-offset"), MSG_CHUNK_BYTES, &ret->offset))
        return "the header upload-offset is missing or malformed";
    if (!ret->is_complete) return NULL;
    if (!is_patch) ret->whole = ret->content;
    if (is_patch && (!whole || digest_parse(whole, &ret->whole) != 0))
        return "the header repr-digest is missing or malformed";
    return NULL;
}

/* A chunk has no signed text of its own, so the request is signed: nobody can fill the upload of
 * another, whatever ids get known. An unknown upload is the round's to refuse.
 */
static int check_owner(const struct host *h, const struct request *r, const char *id, struct err *e)
{
    const struct round_seat *s = round_seat_by_id(&h->round, id);
    const char *digest = request_header(r, "content-digest");
    if (!digest) digest = request_header(r, "repr-digest");
    struct signature_target t = {request_method(r), request_header(r, ":authority"),
                                 request_path(r), digest};
    struct key_pub key;
    int rc = signature_check(&t, request_header(r, "signature-input"),
                             request_header(r, "signature"), &key, e);
    if (rc == OK && s && !key_equal(&key, &s->key))
        rc = err_set(e, ERR_AUTH, 0, "that upload belongs to another key");
    return rc;
}

static bool chunk_number(const struct router_match *m, struct said *ret)
{
    uint64_t i = 0;
    if (!number(m->segment[1], MSG_MAX_CHUNKS - 1, &i)) return false;
    ret->i_chunk = (uint32_t)i;
    return true;
}

static void no_such_chunk(struct request *r)
{
    request_reply_error(r, 404, "there is no such chunk", "cut the payload as the slot says");
}

static void store(struct host *h, struct request *r, const struct router_match *m,
                  const struct said *said, bool is_cut)
{
    struct job_input in = {.hash = said->whole, .content = said->content, .from = r};
    (void)request_body(r, &in.n_bytes);
    struct round_event ev = {.kind = ROUND_EV_CHUNK,
                             .id = m->segment[0],
                             .i_chunk = said->i_chunk,
                             .offset = said->offset,
                             .n_bytes = in.n_bytes,
                             .is_part = is_cut || !said->is_complete};
    if (!is_cut) ev.req = host_wait_reply(h, r);
    host_step_with(h, &ev, &in);
}

static void take(struct host *h, struct request *r, const struct router_match *m, bool is_patch)
{
    struct said said = {0};
    struct err e = {0};
    const char *fault = read_head(r, is_patch, &said);
    if (fault) {
        request_reply_error(r, 400, fault,
                            "docs/PROTOCOL.md says how chunks are sent, \"Uploads\"");
        return;
    }
    if (!chunk_number(m, &said)) {
        no_such_chunk(r);
        return;
    }
    int rc = check_owner(h, r, m->segment[0], &e);
    if (rc != OK)
        request_reply_problem(r, rc == ERR_PROTO ? 401 : 403, "potluck:problem/signature", e.what,
                              e.hint[0] ? e.hint
                                        : "sign the chunk with the key that reserved the upload");
    else
        store(h, r, m, &said, false);
}

void upload_put(struct host *h, struct request *r, const struct router_match *m)
{
    take(h, r, m, false);
}

void upload_patch(struct host *h, struct request *r, const struct router_match *m)
{
    const char *type = request_header(r, "content-type");
    if (type && strcmp(type, PARTIAL) == 0)
        take(h, r, m, true);
    else
        request_reply_error(r, 415, "a PATCH here is of type " PARTIAL, "name that content-type");
}

/* Whoever asks has given up what it sent before: that must not move the offset afterwards. */
void upload_head(struct host *h, struct request *r, const struct router_match *m)
{
    struct said said = {0};
    if (!chunk_number(m, &said)) {
        no_such_chunk(r);
        return;
    }
    if (h->server) server_cut(h->server, r);
    struct round_event ev = {.kind = ROUND_EV_OFFSET, .id = m->segment[0], .i_chunk = said.i_chunk};
    ev.req = host_wait_reply(h, r);
    host_step(h, &ev);
}

void upload_cut(struct host *h, struct request *r, const struct router_match *m)
{
    struct said said = {0};
    bool is_patch = strcmp(request_method(r), "PATCH") == 0;
    if (!round_seat_by_id(&h->round, m->segment[0])) return;
    if (read_head(r, is_patch, &said) || !chunk_number(m, &said)) return;
    if (check_owner(h, r, m->segment[0], NULL) != OK) return;
    store(h, r, m, &said, true);
}
