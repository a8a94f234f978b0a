#include "aggregator/api.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/door.h"
#include "aggregator/hoststatus.h"
#include "aggregator/job.h"
#include "aggregator/round_seat.h"
#include "aggregator/store_payee.h"
#include "aggregator/store_view.h"
#include "aggregator/upload.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "net/router.h"
#include "record/runlist.h"

#define JSON            "application/json"
#define JOSE            "application/jose"
#define BYTES           "application/octet-stream"
#define RECEIPTS_A_TIME 1000
#define PEERS_FRESH_MS  1000
#define AHEAD_MS        INT64_C(86400000) /* by which a contributor's clock may be ahead */
#define API_MAX_JOBS    2048 /* in the pool and before it, however many requests asked for them */

typedef void (*handler_fn)(struct host *h, struct request *r, const struct router_match *m);

/* ---- small answers -------------------------------------------------------------------------- */

static void refuse(struct request *r, int status, const struct err *e, const char *hint)
{
    request_reply_error(r, status, e->what, e->hint[0] ? e->hint : hint);
}

void api_trouble(struct request *r, const struct err *e)
{
    log_err(LOG_WARN, e, "a request could not be answered");
    request_add_header(r, "retry-after", "30");
    request_reply_error(r, e->sys == ENOSPC ? 507 : 503, "the aggregator has trouble with its disk",
                        "try again in half a minute");
}

/* Of the whole stored thing, also where only a range of it is sent (RFC 9530). */
static void send_hash(struct request *r, const struct hash *h)
{
    char text[DIGEST_CAP];
    request_add_header(r, "repr-digest", digest_text(h, text));
}

static void reply_buf(struct request *r, int rc, const char *type, const struct buf *b,
                      const struct err *e)
{
    if (rc == OK)
        request_reply(r, 200, type, b->p, b->len);
    else
        api_trouble(r, e);
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end = NULL;
    if (!text || *text < '0' || *text > '9' || strlen(text) > 18) return false;
    *ret = strtoull(text, &end, 10);
    return *end == '\0' && *ret <= max;
}

static void not_found(struct request *r, const char *what)
{
    request_reply_error(r, 404, what, "ask for the current round: it says what there is");
}

/* ---- files with ranges ---------------------------------------------------------------------- */

/* "bytes=a-b", "bytes=a-" within size. False: malformed or outside. */
static bool parse_range(const char *text, uint64_t size, uint64_t *ret_from, uint64_t *ret_n)
{
    uint64_t from = 0, to = size - 1;
    char a[24] = "", b[24] = "";
    if (strncmp(text, "bytes=", 6) != 0) return false;
    const char *dash = strchr(text + 6, '-');
    if (!dash || (size_t)(dash - text - 6) >= sizeof a || strlen(dash + 1) >= sizeof b)
        return false;
    memcpy(a, text + 6, (size_t)(dash - text - 6));
    memcpy(b, dash + 1, strlen(dash + 1));
    if (!number(a, size - 1, &from)) return false;
    if (*b && !number(b, UINT64_MAX, &to)) return false;
    if (to < from) return false;
    *ret_from = from;
    *ret_n = (to < size - 1 ? to : size - 1) - from + 1;
    return true;
}

static void send_file(struct host *h, struct request *r, enum spool_kind kind,
                      const struct hash *hash)
{
    struct stat st;
    int fd = spool_fd(&h->spool, kind, hash);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
        if (fd >= 0) close(fd);
        not_found(r, "that file is not kept any more");
        return;
    }
    uint64_t size = (uint64_t)st.st_size, from = 0, n = size;
    const char *range = request_header(r, "range");
    if (range && !parse_range(range, size, &from, &n)) {
        close(fd);
        request_reply_error(r, 416, "that range is outside the file", "ask without a range");
        return;
    }
    send_hash(r, hash);
    request_add_header(r, "accept-ranges", "bytes");
    if (range) {
        char text[96];
        snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, from + n - 1,
                 size);
        request_add_header(r, "content-range", text);
    }
    request_reply_file(r, range ? 206 : 200, BYTES, fd, from, n);
}

static void get_blob(struct host *h, struct request *r, const struct router_match *m)
{
    struct hash hash;
    enum spool_kind kind = SPOOL_PAYLOAD;
    if (hash_from_hex(m->segment[0], &hash) != 0)
        request_reply_error(r, 404, "that is not a hash", "64 lower-case hex digits");
    else if (!spool_find(&h->spool, &hash, &kind))
        request_reply_error(r, 404, "no file with that hash is kept",
                            "old payloads go when the run's retention allows it");
    else
        send_file(h, r, kind, &hash);
}

/* checkpoint, tile/... : what is only a name of the record's own never reaches the file system. */
static void send_log(struct host *h, struct request *r, const char *path, const char *type,
                     const char *cache)
{
    struct buf b = {0};
    struct err e = {0};
    int rc = publish_log_read(&h->spool, path, &b, &e);
    if (rc == ERR_NOTFOUND) {
        request_reply_error(r, 404, "the record has no such file",
                            "the tree head at /v1/log/checkpoint says what there is");
    } else if (rc != OK) {
        api_trouble(r, &e);
    } else {
        request_add_header(r, "cache-control", cache);
        request_reply(r, 200, type, b.p, b.len);
    }
    buf_deinit(&b);
}

static void get_log_head(struct host *h, struct request *r, const struct router_match *m)
{
    (void)m;
    send_log(h, r, "checkpoint", "text/plain; charset=utf-8", "no-cache");
}

/* Full tiles never change; a partial one is the beginning of what it becomes. */
static void get_log_tile(struct host *h, struct request *r, const struct router_match *m)
{
    char path[ROUTER_SEGMENT_BYTES + 8];
    snprintf(path, sizeof path, "tile/%s", m->segment[0]);
    send_log(h, r, path, BYTES, "max-age=31536000, immutable");
}

static void get_update(struct host *h, struct request *r, const struct router_match *m)
{
    struct msg_update u;
    struct err e = {0};
    uint64_t round = 0;
    int rc = number(m->segment[0], INT64_MAX, &round)
                 ? store_round_get(h->store, round, &u, NULL, &e)
                 : ERR_NOTFOUND;
    if (rc == OK)
        send_file(h, r, SPOOL_UPDATE, &u.update);
    else if (rc == ERR_NOTFOUND)
        not_found(r, "that round is not merged");
    else
        api_trouble(r, &e);
}

static void get_head(struct host *h, struct request *r, const struct router_match *m)
{
    struct msg_update u;
    struct err e = {0};
    struct buf head = {0};
    uint64_t round = 0;
    int rc = number(m->segment[0], INT64_MAX, &round)
                 ? store_round_get(h->store, round, &u, &head, &e)
                 : ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND)
        not_found(r, "that round is not merged");
    else
        reply_buf(r, rc, JOSE, &head, &e);
    buf_deinit(&head);
}

/* What a run goes on from is kept for good: without it nobody could do its first rounds again. */
static void send_first_weights(struct host *h, struct request *r)
{
    char path[PATH_CAP];
    struct stat st;
    int fd =
        path_format(path, "%s/model/weights", h->home) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        request_reply_file(r, 200, BYTES, fd, 0, (uint64_t)st.st_size);
        return;
    }
    if (fd >= 0) close(fd);
    not_found(r, "that file is not kept any more");
}

static void get_checkpoint(struct host *h, struct request *r, const struct router_match *m)
{
    struct store_checkpoint c[PUBLISH_KEEP_CHECKPOINTS];
    struct err e = {0};
    uint64_t round = 0;
    uint32_t n = 0;
    bool is_number = number(m->segment[0], INT64_MAX, &round);
    if (store_round_checkpoints(h->store, c, PUBLISH_KEEP_CHECKPOINTS, &n, &e) != OK) {
        api_trouble(r, &e);
        return;
    }
    for (uint32_t i = 0; is_number && i < n; i++) {
        if (c[i].round != round) continue;
        send_file(h, r, SPOOL_CHECKPOINT, &c[i].file);
        return;
    }
    if (is_number && round == 0 && h->run.is_from_checkpoint)
        send_first_weights(h, r);
    else
        not_found(r, "there is no checkpoint of that round");
}

/* ---- run and data --------------------------------------------------------------------------- */

static void get_run(struct host *h, struct request *r, const struct router_match *m)
{
    (void)m;
    request_reply(r, 200, JOSE, h->run_jws.p, h->run_jws.len);
}

static void get_tokenizer(struct host *h, struct request *r, const struct router_match *m)
{
    (void)m;
    send_hash(r, &h->data.tokenizer_hash);
    request_reply(r, 200, JSON, h->data.tokenizer.p, h->data.tokenizer.len);
}

/* data/SET/S/...: the shard, or NULL. */
static const struct dataset_shard *find_shard(const struct host *h, const struct router_match *m)
{
    uint64_t s = 0;
    if (!number(m->segment[1], RUNDESC_MAX_SHARDS, &s)) return NULL;
    if (strcmp(m->segment[0], "train") == 0 && s < h->data.n_train) return &h->data.train[s];
    return strcmp(m->segment[0], "val") == 0 && s == 0 ? &h->data.val : NULL;
}

static void get_index(struct host *h, struct request *r, const struct router_match *m)
{
    const struct dataset_shard *s = find_shard(h, m);
    if (!s) {
        not_found(r, "there is no such shard");
        return;
    }
    send_hash(r, &s->hash);
    request_reply(r, 200, BYTES, s->index.p, s->index.len);
}

static void get_chunk(struct host *h, struct request *r, const struct router_match *m)
{
    const struct dataset_shard *s = find_shard(h, m);
    struct err e = {0};
    struct buf chunk = {0};
    uint64_t i = 0;
    if (!s || s == &h->data.val || !number(m->segment[2], DATA_MAX_CHUNKS, &i) ||
        i >= s->x.n_chunks) {
        not_found(r, "there is no such chunk");
        return;
    }
    int rc = dataset_chunk(s, (uint32_t)i, &chunk, &e);
    if (rc == OK) send_hash(r, &s->x.chunk_hashes[i]);
    reply_buf(r, rc, BYTES, &chunk, &e);
    buf_deinit(&chunk);
}

/* ---- presence ------------------------------------------------------------------------------- */

static void note_seen(struct host *h, const struct registry_row *row)
{
    struct round_event ev = {
        .kind = ROUND_EV_SEEN, .contributor = row->key, .is_paused = row->state == REGISTRY_PAUSED};
    host_step(h, &ev);
}

/* It was let in: a session, and what round it is. */
static void joined(struct host *h, struct request *r, const struct msg_join *join)
{
    struct err e = {0};
    struct buf json = {0};
    char name[MSG_NAME_CAP], client[sizeof join->client], key[KEY_HEX];
    utf8_printable(join->name, name, sizeof name);
    utf8_printable(join->client, client, sizeof client);
    if (store_join(h->store, &join->contributor, name, client, clock_wall_ms(), &e) != OK) {
        api_trouble(r, &e);
        return;
    }
    const struct registry_row *old = registry_of(&h->registry, &join->contributor);
    bool is_new = !old || !registry_is_here(old, clock_mono_ms());
    struct registry_row *row =
        registry_join(&h->registry, &join->contributor, name, clock_mono_ms());
    if (is_new)
        log_info("joined: %s (%.8s, %s)", *name ? name : "anonymous",
                 key_hex(&join->contributor, key), client);
    note_seen(h, row);
    reply_buf(r, host_round_json(h, row->session, &json, &e), JSON, &json, &e);
    buf_deinit(&json);
}

static void post_join(struct host *h, struct request *r, const struct router_match *m)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    struct msg_join join;
    struct err e = {0};
    (void)m;
    if (msg_join_verify(body, n, NULL, &join, &e) != OK) {
        refuse(r, 400, &e, "sign the join with your key, as docs/PROTOCOL.md says");
        return;
    }
    if (!hash_equal(&join.run, &h->run.id)) {
        request_reply_error(r, 409, "this aggregator serves another run",
                            "join with this aggregator's own invite link");
        return;
    }
    door_join(h, r, &join, joined);
}

/* Nobody waits for it any more: the round may close without it right now. */
static void say_goodbye(struct host *h, struct registry_row *row)
{
    char key[KEY_HEX];
    struct round_event ev = {.kind = ROUND_EV_GONE, .contributor = row->key};
    registry_leave(row);
    log_info("left: %s (%.8s)", row->name[0] ? row->name : "anonymous", key_hex(&row->key, key));
    host_step(h, &ev);
}

static void get_round(struct host *h, struct request *r, const struct router_match *m)
{
    uint64_t after = 0;
    const char *session = request_query(r, "session");
    struct registry_row *row = registry_find(&h->registry, session);
    (void)m;
    if (session && !row) {
        request_reply_error(r, 401, "unknown session", "join again; nothing is lost");
        return;
    }
    const char *state = request_query(r, "state");
    if (row && state && strcmp(state, "gone") == 0) {
        say_goodbye(h, row);
        host_wait_round(h, r, UINT64_MAX); /* no round has that number: answered at once */
        return;
    }
    if (row && !door_is_in(h, r, &row->key)) { /* the host has changed its mind */
        say_goodbye(h, row);
        return;
    }
    if (row) {
        registry_note(row, state, request_query(r, "speed"), clock_mono_ms());
        note_seen(h, row);
    }
    const char *text = request_query(r, "after");
    if (text && !number(text, INT64_MAX, &after)) {
        request_reply_error(r, 400, "'after' is not a round number", "leave it out");
        return;
    }
    host_wait_round(h, r, text ? after : UINT64_MAX);
}

/* To whom a contributor wants to be paid; a settlement puts it on record. */
static void post_payout(struct host *h, struct request *r, const struct router_match *m)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    struct payee payee;
    struct err e = {0};
    (void)m;
    if (payee_verify(body, n, NULL, &payee, &e) != OK) {
        refuse(r, 400, &e, "sign the address with your key, as docs/PROTOCOL.md says");
        return;
    }
    if (!hash_equal(&payee.run, &h->run.id)) {
        request_reply_error(r, 409, "this aggregator serves another run",
                            "sign the address for this run");
        return;
    }
    if (payee.created_at_ms > clock_wall_ms() + AHEAD_MS) {
        request_reply_error(r, 422, "the address was signed in the future",
                            "set this computer's clock, then the address anew");
        return;
    }
    if (!door_is_in(h, r, &payee.contributor)) return;
    int rc = store_payee_put(h->store, &payee, body, n, &e);
    if (rc == OK)
        request_reply(r, 200, JOSE, body, n);
    else if (rc == ERR_WRONG_STATE)
        refuse(r, 409, &e, "");
    else
        api_trouble(r, &e);
}

/* ---- contributions -------------------------------------------------------------------------- */

static void post_contribution(struct host *h, struct request *r, const struct router_match *m)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    struct msg_reserve reserve;
    struct err e = {0};
    (void)m;
    if (msg_reserve_verify(body, n, NULL, &reserve, &e) != OK) {
        refuse(r, 400, &e, "sign the reservation with your key");
        return;
    }
    if (!door_is_in(h, r, &reserve.contributor)) return;
    struct round_event ev = {
        .kind = ROUND_EV_RESERVE, .reserve = &reserve, .room_bytes = spool_room(&h->spool)};
    ev.req = host_wait_reply(h, r);
    host_step(h, &ev);
}

static void post_manifest(struct host *h, struct request *r, const struct router_match *m)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    struct msg_manifest manifest;
    struct err e = {0};
    if (msg_manifest_verify(body, n, NULL, &manifest, &e) != OK) {
        refuse(r, 400, &e, "sign the manifest with your key");
        return;
    }
    if (strcmp(m->segment[0], manifest.id) != 0) {
        request_reply_error(r, 400, "the manifest names another upload than the path",
                            "send it to the upload that it names");
        return;
    }
    struct job_input in = {.bytes = body, .n_bytes = n, .manifest = &manifest};
    struct round_event ev = {
        .kind = ROUND_EV_MANIFEST, .manifest = &manifest, .manifest_hash = hash_of(body, n)};
    ev.req = host_wait_reply(h, r);
    host_step_with(h, &ev, &in);
}

/* ---- views ---------------------------------------------------------------------------------- */

static const char *peer_state(const struct host *h, const struct registry_row *row, int64_t now)
{
    const struct round_seat *s = round_seat(&h->round, &row->key);
    if (!registry_is_here(row, now)) return "gone";
    if (row->state == REGISTRY_WAITING && s && s->phase == ROUND_SLOT_DONE &&
        s->slot_round == h->round.round)
        return s->verdict == MSG_ACCEPTED ? "accepted"
               : s->verdict == MSG_LATE   ? "late"
                                          : "rejected";
    return registry_state_word(row->state);
}

static int make_peers(struct host *h, int64_t now, struct err *e)
{
    struct msg_peers *p = alloc_zero(1, sizeof *p);
    if (!p) return err_set(e, ERR_NOMEM, 0, "no memory for the list of contributors");
    int rc = OK;
    for (uint32_t i = 0; rc == OK && i < h->registry.n && p->n < MSG_MAX_PEERS; i++) {
        const struct registry_row *row = &h->registry.rows[i];
        struct msg_peer *peer = &p->peers[p->n++];
        rc = store_view_peer(h->store, &row->key, h->round.round, peer, e);
        peer->key = row->key;
        peer->tok_per_s = row->tok_per_s;
        peer->seen_ms_ago = now - row->seen_ms;
        snprintf(peer->name, sizeof peer->name, "%s", row->name);
        snprintf(peer->state, sizeof peer->state, "%s", peer_state(h, row, now));
    }
    buf_clear(&h->peers);
    if (rc == OK) rc = msg_peers_encode(p, &h->peers, e);
    h->peers_ms = now;
    free(p);
    return rc;
}

static void get_peers(struct host *h, struct request *r, const struct router_match *m)
{
    struct err e = {0};
    int64_t now = clock_mono_ms();
    (void)m;
    bool is_fresh = h->peers.len && now - h->peers_ms < PEERS_FRESH_MS;
    reply_buf(r, is_fresh ? OK : make_peers(h, now, &e), JSON, &h->peers, &e);
}

static void get_credits(struct host *h, struct request *r, const struct router_match *m)
{
    struct key_pub k;
    struct err e = {0};
    struct buf json = {0};
    uint64_t before = INT64_MAX;
    const char *text = request_query(r, "before");
    struct msg_credits *c = alloc_zero(1, sizeof *c);
    if (!c || key_from_hex(m->segment[0], &k) != 0 || (text && !number(text, INT64_MAX, &before))) {
        not_found(r, "that is not a contributor's key, or not a receipt's number");
    } else {
        int rc = store_view_credits(h->store, &k, h->run.reward_per_round, before, c, &e);
        if (rc == OK) rc = msg_credits_encode(c, &json, &e);
        reply_buf(r, rc, JSON, &json, &e);
    }
    buf_deinit(&json);
    free(c);
}

static void get_receipts(struct host *h, struct request *r, const struct router_match *m)
{
    struct key_pub k;
    struct err e = {0};
    struct buf lines = {0};
    uint64_t after = 0;
    const char *text = request_query(r, "after");
    if (key_from_hex(m->segment[0], &k) != 0 || (text && !number(text, INT64_MAX, &after))) {
        not_found(r, "that is not a contributor's key, or not a receipt's number");
        return;
    }
    int rc = store_receipts_after(h->store, &k, after, RECEIPTS_A_TIME, &lines, &e);
    reply_buf(r, rc, "text/plain; charset=utf-8", &lines, &e);
    buf_deinit(&lines);
}

static void get_status(struct host *h, struct request *r, const struct router_match *m)
{
    struct err e = {0};
    struct buf json = {0};
    struct msg_round now = {0};
    int64_t ms = clock_mono_ms();
    (void)m;
    round_describe(&h->round, ms, &now);
    struct hoststatus s = {.run = &h->run,
                           .state = round_state_word(h->round.state),
                           .is_ending = h->round.is_ending && h->round.state != ROUND_ENDED,
                           .round = h->round.round,
                           .model = h->round.base,
                           .n_peers = registry_n_here(&h->registry, ms),
                           .swarm_tok_per_s = registry_speed(&h->registry, ms),
                           .left_ms = h->round.state == ROUND_OPEN ? now.left_ms : -1,
                           .n_received = now.n_received,
                           .values_per_contribution = h->values_per_contribution,
                           .n_params = h->table.n_params};
    server_traffic(h->server, &s.bytes_in, &s.bytes_out);
    uv_mutex_lock(&h->val_lock);
    s.has_val = h->has_val;
    s.val_first = h->val_first;
    s.val_last = h->val_last;
    uv_mutex_unlock(&h->val_lock);
    int rc = store_view_totals(h->store, &s.totals, &e);
    if (rc == OK) rc = hoststatus_json(&s, &json, &e);
    reply_buf(r, rc, JSON, &json, &e);
    buf_deinit(&json);
}

/* The host's list of runs, if it keeps one: read anew each time, so that a new one counts at once. */
static void get_runs(struct host *h, struct request *r, const struct router_match *m)
{
    struct err e = {0};
    struct buf list = {0};
    char path[PATH_CAP];
    (void)m;
    int rc = path_format(path, "%s/runs.potluck", h->home) == 0
                 ? file_read(path, RUNLIST_MAX_BYTES, &list, &e)
                 : ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND)
        request_reply_error(r, 404, "this aggregator has no list of runs", "ask its host for one");
    else
        reply_buf(r, rc, JOSE, &list, &e);
    buf_deinit(&list);
}

/* ---- table ---------------------------------------------------------------------------------- */

/* clang-format off */
static const struct router_entry routes[] = {
    {"GET",  "/v1/run"},                          {"POST", "/v1/join"},
    {"GET",  "/v1/round"},                        {"POST", "/v1/contributions"},
    {"PUT",  "/v1/contributions/*/chunks/*"},     {"PATCH", "/v1/contributions/*/chunks/*"},
    {"HEAD", "/v1/contributions/*/chunks/*"},     {"POST", "/v1/contributions/*/manifest"},
    {"GET",  "/v1/updates/*"},                    {"GET",  "/v1/updates/*/head"},
    {"GET",  "/v1/checkpoints/*"},                {"GET",  "/v1/tokenizer"},
    {"GET",  "/v1/data/*/*/index"},               {"GET",  "/v1/data/*/*/chunks/*"},
    {"GET",  "/v1/peers"},                        {"GET",  "/v1/credits/*"},
    {"GET",  "/v1/receipts/*"},                   {"GET",  "/v1/status"},
    {"GET",  "/v1/blobs/*"},                      {"GET",  "/v1/log/checkpoint"},
    {"GET",  "/v1/log/tile/**"},
    {"GET",  "/v1/runs"},                         {"POST", "/v1/payouts"},
};
static const handler_fn handlers[] = {
    get_run, post_join, get_round, post_contribution, upload_put, upload_patch,
    upload_head, post_manifest, get_update, get_head,
    get_checkpoint, get_tokenizer, get_index, get_chunk, get_peers, get_credits, get_receipts,
    get_status, get_blob, get_log_head, get_log_tile, get_runs, post_payout,
};
/* clang-format on */

void api_handle(struct request *r, void *ctx)
{
    struct host *h = ctx;
    struct router_match m;
    int i =
        router_find(routes, sizeof routes / sizeof *routes, request_method(r), request_path(r), &m);
    if (i >= 0) request_set_route(r, routes[i].pattern);
    if (h->is_stopping) {
        request_add_header(r, "retry-after", "30");
        request_reply_error(r, 503, "the aggregator is stopping", "try again in half a minute");
    } else if (i >= 0 && h->n_jobs >= API_MAX_JOBS && strcmp(routes[i].method, "GET") != 0) {
        request_add_header(r, "retry-after", "2");
        request_reply_error(r, 503, "the aggregator has more to do than it may keep waiting",
                            "try again in a moment");
    } else if (i >= 0) {
        handlers[i](h, r, &m);
    } else if (i == ROUTER_NOT_METHOD) {
        request_reply_error(r, 405, "this address takes another method", "see docs/PROTOCOL.md");
    } else {
        request_reply_error(r, 404, "there is nothing at this address", "see docs/PROTOCOL.md");
    }
}

void api_cut(struct request *r, void *ctx)
{
    struct host *h = ctx;
    struct router_match m;
    int i =
        router_find(routes, sizeof routes / sizeof *routes, request_method(r), request_path(r), &m);
    if (h->is_stopping || i < 0 || h->n_jobs >= API_MAX_JOBS) return;
    if (handlers[i] == upload_put || handlers[i] == upload_patch) upload_cut(h, r, &m);
}
