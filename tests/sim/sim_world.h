#pragma once
/* Why: the whole system in one thread and one process, with time, network, disks and accidents
 * made up from a seed. The machines are the programs' own: client/session.c and aggregator/round.c
 * decide, record/ and engine/ encode, sign, merge and apply. Here are only the worlds around them,
 * and an oracle that knows everything and watches (sim_oracle.c).
 *
 *   sim_world   clock and queue; every happening is an event, ordered by time, then by number
 *   sim_net     delay, loss, duplication, reordering, broken connections, addresses that are down
 *   sim_disk    unsynced writes may be lost in a crash
 *   sim_host    carries out what round.c orders: sim_host_work writes, judges, merges, publishes
 *   sim_peer    carries out what session.c orders: sim_trainer trains, packs, applies
 *   sim_log     the host's record and what a contributor remembers of it
 *   sim_fault   the plan of a seed and its accidents
 *   sim_oracle  what must hold, checked when it can break and at the end
 *
 * A seed is the whole experiment: the same seed gives the same events, and the same trace number.
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/round.h"
#include "base/buf.h"
#include "base/key.h"
#include "base/rng.h"
#include "client/session.h"
#include "engine/model.h"
#include "engine/trainer.h"
#include "tests/sim/sim_disk.h"

#define SIM_MAX_PEERS  6
#define SIM_MAX_ROUNDS 24
#define SIM_MAX_CALLS  256
#define SIM_END_MS     (6LL * 3600 * 1000) /* a run that takes longer than this does not finish */
#define SIM_HOLD_MS    20000               /* a long poll is answered after so long at the latest */
#define SIM_BETA       0.95F
#define SIM_OUTER_LR   0.8

/* Bugs put in on purpose: the simulator must find each of them. */
enum sim_plant {
    SIM_PLANT_NONE = 0,
    SIM_PLANT_ACK_BEFORE_SYNC, /* the host answers before the receipt is on the disk */
    SIM_PLANT_FORGET_RECEIPTS, /* the host does not take up its receipts after a crash */
    SIM_PLANT_SPLIT_PUBLISH,   /* ledger lines and the round's row are not one transaction */
    SIM_PLANT_FORGET_NOTE,     /* a contributor's note is never synced */
    SIM_PLANT_FORK,            /* after a crash the host signs another history */
    SIM_PLANT_COUNT,
};

enum sim_verb {
    SIM_JOIN = 1,
    SIM_POLL,
    SIM_RESERVE,
    SIM_CHUNK,
    SIM_MANIFEST,
    SIM_UPDATE,
    SIM_CHECKPOINT,
    SIM_RECORD,
};

enum sim_kind {
    SIM_EV_REQUEST = 1, /* data: sim_request, arrives at the host */
    SIM_EV_REPLY,       /* data: sim_reply, arrives at a contributor */
    SIM_EV_HOLD,        /* a held poll has waited long enough; number: req */
    SIM_EV_HOST_WORK,   /* data: sim_job */
    SIM_EV_HOST_TICK,
    SIM_EV_HOST_START,
    SIM_EV_PEER_TICK,
    SIM_EV_PEER_START,
    SIM_EV_PEER_STEP, /* one inner step is done */
    SIM_EV_PEER_WORK, /* the order under way goes on */
    SIM_EV_FAULT,     /* the next accident */
    SIM_EV_CALM,      /* after the accidents: bring everybody back */
};

struct sim_event {
    int64_t at_ms;
    uint64_t seq;
    enum sim_kind kind;
    uint32_t who;    /* contributor */
    uint32_t life;   /* of the process it is meant for; another life never sees it */
    uint64_t number; /* generation of a timer, or a request */
    void *data;      /* owned; sim_world_free knows how */
};

/* A request on its way. */
struct sim_request {
    enum sim_verb verb;
    uint32_t peer, life, tag, host_life;
    uint64_t round;
    char id[MSG_ID_HEX]; /* upload, or session token */
    uint32_t i_chunk;
    uint64_t n_bytes; /* what the chunk weighs */
    bool is_long, is_paused;
    struct hash digest;
    struct buf body;
};

/* An answer on its way; status 0: the connection broke. */
struct sim_reply {
    enum sim_verb verb;
    uint32_t peer, life, tag;
    int status;
    char why[MSG_REASON_CAP];
    struct buf head;
    struct buf body;
};

/* A request the host has not answered yet. */
struct sim_call {
    uint64_t req;
    enum sim_verb verb;
    uint32_t peer, life, tag;
    bool is_held;
};

/* Work of the host under way: written, then synced, then told to the machine. */
struct sim_job {
    enum round_action_kind what;
    struct round_op op;
    uint32_t stage;
    uint64_t txn, txn_files;
    struct round_event done;
    struct buf chunk;
    struct hash digest;
    uint32_t n_chunks; /* JUDGE */
    struct hash *chunks;
};

struct sim_host {
    bool is_up;
    uint32_t life;
    struct key key;
    struct round round;
    struct sim_disk disk;
    int64_t frozen_until_ms; /* stands still; what arrives waits */
    float *base;
    uint64_t base_round;
    uint64_t next_req, tick_gen;
    struct sim_call calls[SIM_MAX_CALLS];
    uint32_t n_calls;
    char tokens[SIM_MAX_PEERS][MSG_ID_HEX];
    uint32_t n_crashes;
};

struct sim_call_out {
    uint32_t tag;
    enum sim_verb verb;
};

/* What of a contributor survives with its state file. */
struct sim_book {
    uint64_t model_round;
    struct session_phase phase, ahead;
    bool is_ahead; /* the anchor holds the local weights as packed */
    bool is_round_done;
    bool has_payload;
    struct session_payload payload;
};

struct sim_peer {
    bool is_member; /* takes part in the run, now or again after a restart */
    bool is_up;
    bool is_liar; /* sends payloads that cannot be read, or claims work it did not do */
    uint32_t i, life;
    struct key key;
    struct session session;
    struct sim_disk disk;
    struct sim_book book;
    float *base, *local, *acc, *anchor;
    struct buf payload;            /* bytes of book.payload, without its bulk */
    struct buf update, checkpoint; /* fetched */
    struct session_action order;   /* of the trainer, tag 0: none */
    uint32_t stage;
    uint64_t work_gen, tick_gen;
    bool is_gated, is_halted;
    int64_t frozen_until_ms; /* a laptop whose lid is closed */
    struct sim_call_out calls[8];
    uint32_t n_calls;
    uint64_t record_round; /* of the check under way */
    uint32_t dropped[16];  /* tags whose answers nobody waits for any more */
    uint32_t n_dropped;
    int64_t step_ms; /* speed of this machine */
    int64_t mib_ms;  /* and of its uplink */
    uint32_t n_crashes, n_left;
};

struct sim_plan {
    uint32_t n_peers, n_late; /* the last n_late of them come later */
    uint32_t n_addresses;
    uint32_t n_bulk; /* chunks of a MiB that each payload weighs on top */
    uint64_t n_rounds;
    uint32_t inner_steps, inner_ms, max_inner_steps, ahead_steps, upload_ms;
    uint32_t min_contributions, wait_for;
    uint32_t checkpoint_every, keep_updates;
    int64_t faults_end_ms, delay_ms;
    double loss_frac, dup_frac, flip_frac; /* of messages */
    double disk_frac;                      /* of the host's writes that fail */
    double door_frac;                      /* of joins and polls that the host shuts out */
    double crash_frac;                     /* of actions after which the power goes */
    int64_t crash_every_ms, intent_every_ms, cut_every_ms, down_every_ms, freeze_every_ms;
};

struct sim_options {
    uint64_t seed;
    enum sim_plant plant;
    bool is_verbose;
};

struct sim_oracle;

struct sim_world {
    struct sim_options opt;
    struct sim_plan plan;
    struct rng rng;
    int64_t now;
    struct sim_event *queue; /* binary heap */
    uint32_t n_queue, cap_queue;
    uint64_t next_seq;
    bool has_failed, is_calm;
    char failure[512];
    uint64_t trace; /* every event and every state, folded into one number */
    uint64_t n_events;
    struct model_table table;
    struct delta_params delta;
    float *initial;
    struct hash initial_hash, run;
    bool is_down[2]; /* addresses */
    struct sim_host host;
    struct sim_peer peers[SIM_MAX_PEERS];
    struct sim_oracle *oracle;
    uint64_t n_accepted, n_late, n_rejected; /* receipts that reached a contributor */
};

/* One experiment from its seed to its end. Returns whether everything held; the world stays for
 * the caller to read until sim_world_deinit.
 */
bool sim_world_run(struct sim_world *w, const struct sim_options *o);
void sim_world_deinit(struct sim_world *w);
const char *sim_plant_name(enum sim_plant p);
/* Words of the failure that tells this very bug, not one of its consequences. */
const char *sim_plant_failure(enum sim_plant p);

/* Something that must hold does not: the first such sentence counts, and ends the experiment. */
void sim_world_fail(struct sim_world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_world_say(const struct sim_world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_world_fold(struct sim_world *w, uint64_t v);

struct sim_event *sim_world_push(struct sim_world *w, int64_t in_ms, enum sim_kind kind,
                                 uint32_t who, uint32_t life);
void sim_world_free(struct sim_event *ev);

/* Chances and times, all from the one generator; no accidents once the world is calm. */
bool sim_world_chance(struct sim_world *w, double frac);
bool sim_world_accident(struct sim_world *w, double frac);
int64_t sim_world_between(struct sim_world *w, int64_t lo, int64_t hi);
struct hash sim_world_hash(const struct sim_world *w, const float *params);
int64_t sim_world_wall(const struct sim_world *w);

/* sim_fault.c */
void sim_fault_plan(struct sim_world *w);
void sim_fault_begin(struct sim_world *w);
void sim_fault_next(struct sim_world *w, uint64_t which);
void sim_fault_calm(struct sim_world *w);

/* sim_net.c */
void sim_net_send(struct sim_world *w, uint32_t i_address, struct sim_request *rq);
void sim_net_reply(struct sim_world *w, const struct sim_call *c, int status, const char *why,
                   const struct buf *head, const struct buf *body);
void sim_net_cut(struct sim_world *w, struct sim_peer *p); /* the connection breaks */
void sim_net_free_request(struct sim_request *rq);
void sim_net_free_reply(struct sim_reply *rp);

/* sim_host.c */
void sim_host_start(struct sim_world *w);
void sim_host_crash(struct sim_world *w);
void sim_host_request(struct sim_world *w, struct sim_request *rq);
void sim_host_tick(struct sim_world *w);
void sim_host_hold_over(struct sim_world *w, uint64_t req);
void sim_host_step(struct sim_world *w, const struct round_event *ev, const struct sim_request *rq,
                   const struct msg_manifest *m);
void sim_host_deinit(struct sim_world *w);

/* sim_host_work.c */
void sim_host_work_begin(struct sim_world *w, const struct round_action *a,
                         const struct sim_request *rq, const struct msg_manifest *m);
void sim_host_work_go_on(struct sim_world *w, struct sim_event *ev);
void sim_host_work_free(struct sim_job *job);

/* sim_log.c */
void sim_log_request(struct sim_world *w, const struct sim_request *rq);
void sim_log_reply(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp);

/* sim_peer.c */
void sim_peer_start(struct sim_world *w, struct sim_peer *p);
void sim_peer_crash(struct sim_world *w, struct sim_peer *p);
void sim_peer_leave(struct sim_world *w, struct sim_peer *p);
void sim_peer_intent(struct sim_world *w, struct sim_peer *p, enum intent_kind intent);
void sim_peer_reply(struct sim_world *w, struct sim_reply *rp);
void sim_peer_tick(struct sim_world *w, struct sim_peer *p);
void sim_peer_event(struct sim_world *w, struct sim_peer *p, const struct session_event *ev);
void sim_peer_deinit(struct sim_peer *p);

/* sim_trainer.c */
void sim_trainer_order(struct sim_world *w, struct sim_peer *p, const struct session_action *a);
void sim_trainer_halt(struct sim_world *w, struct sim_peer *p, uint32_t tag);
void sim_trainer_gate(struct sim_world *w, struct sim_peer *p, bool is_paused);
void sim_trainer_step(struct sim_world *w, struct sim_peer *p);
void sim_trainer_work(struct sim_world *w, struct sim_peer *p);
void sim_trainer_open(struct sim_world *w, struct sim_peer *p);
void sim_trainer_save(struct sim_world *w, struct sim_peer *p);
