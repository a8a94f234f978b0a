/* The record in the simulator. An entry is the signed head of a round, so the whole log follows from
 * what the host has on its disk; a run is short enough for one tile. The contributor's side is what
 * client/treehead.c does, on the virtual disk: the same notes, tiles and proofs.
 */
#include <inttypes.h>
#include <string.h>

#include "record/note.h"
#include "record/tiles.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_world.h"

#define KEPT_NAME "treehead"

/* --- host --------------------------------------------------------------------------------------- */

static struct hash leaf_of(const struct sim_world *w, uint64_t i)
{
    char name[SIM_DISK_NAME];
    if (i == 0) return merkle_leaf(w->run.b, sizeof w->run.b);
    sim_store_number_name(name, "head", i - 1);
    const struct buf *head = sim_disk_get(&w->host.disk, name);
    check(head);
    /* The planted bug: after a crash one old entry is left out of what is signed. */
    bool is_forked = w->opt.plant == SIM_PLANT_FORK && w->host.n_crashes && i == 1;
    return merkle_leaf(head->p, is_forked ? head->len - 1 : head->len);
}

void sim_log_request(struct sim_world *w, const struct sim_request *rq)
{
    struct note_head head = {.run = w->run, .n_leaves = 1 + w->host.round.round};
    struct sim_call c = {.verb = rq->verb, .peer = rq->peer, .life = rq->life, .tag = rq->tag};
    struct merkle_range range = {0};
    struct buf tile = {0};
    struct buf note = {0};
    check(head.n_leaves < TILES_WIDTH);
    for (uint64_t i = 0; i < head.n_leaves; i++) {
        struct hash leaf = leaf_of(w, i);
        merkle_range_add(&range, &leaf);
        buf_put(&tile, leaf.b, sizeof leaf.b);
    }
    head.root = merkle_range_root(&range);
    check(note_sign(&head, &w->host.key, &note, NULL) == OK);
    sim_net_reply(w, &c, 200, "", &note, &tile);
    buf_deinit(&note);
    buf_deinit(&tile);
}

/* --- contributor -------------------------------------------------------------------------------- */

static int give(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH], struct err *e)
{
    const struct buf *tile = ctx;
    check(at->level == 0 && at->index == 0);
    return tiles_hashes(tile->p, tile->len, at->width, ret, e);
}

/* Does the log of `now` begin with that of `was`? */
static bool goes_on(const struct note_head *was, const struct note_head *now,
                    const struct buf *tile)
{
    struct tiles_reader r;
    struct buf copy = *tile;
    struct merkle_proof proof;
    if (now->n_leaves < was->n_leaves) return false;
    tiles_reader_init(&r, now->n_leaves, give, &copy);
    return merkle_consistency(was->n_leaves, now->n_leaves, tiles_node, &r, &proof, NULL) == OK &&
           merkle_check_consistency(was->n_leaves, &was->root, now->n_leaves, &now->root, &proof,
                                    NULL) == OK;
}

static void betray(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct session_event ev = {.kind = SESSION_EV_REWRITTEN, .tag = rp->tag};
    ev.failed.code = ERR_AUTH;
    ev.failed.why = "the host has rewritten the run's history";
    sim_peer_event(w, p, &ev);
    if (!p->is_up) return; /* the power went just then: the next life finds out again */
    if (p->session.state != SESSION_DISTRUST)
        sim_world_fail(w, "peer %u goes on with a host that has rewritten its history", p->i);
    sim_world_fail(w, "peer %u: a rewritten history was noticed", p->i);
}

void sim_log_reply(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct note_head now;
    struct note_head was;
    struct err e = {0};
    bool has = sim_store_row(&p->disk, KEPT_NAME, &was, sizeof was);
    if (note_verify(rp->head.p, rp->head.len, &w->run, &w->host.key.pub, &now, &e)) {
        sim_world_fail(w, "an honest tree head is refused: %s", e.what);
        return;
    }
    if (has && !goes_on(&was, &now, &rp->body)) {
        betray(w, p, rp);
        return;
    }
    if (now.n_leaves < p->record_round + 1)
        sim_world_fail(w, "the record has %" PRIu64 " entries, but round %" PRIu64 " was merged",
                       now.n_leaves, p->record_round - 1);
    uint64_t txn = sim_disk_begin(&p->disk);
    sim_disk_put(&p->disk, txn, false, KEPT_NAME, &now, sizeof now);
    sim_disk_sync(&p->disk, txn);
    struct session_event ev = {.kind = SESSION_EV_RECORD, .tag = rp->tag};
    if (!w->has_failed) sim_peer_event(w, p, &ev);
}
