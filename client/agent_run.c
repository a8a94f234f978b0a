/* One joined run: carries out what its session orders, and tells it what came of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "client/agent_parts.h"
#include "client/snapshot.h"

#define PARK_MS          20000 /* a pause longer than this saves the state */
#define PARTING_MS       1500  /* whatever the connection says */
#define LOOK_EVERY_S     5
#define SAVE_HISTORY_S   120
#define SAVE_METER_S     60
#define MAX_HISTORY_FILE (8u << 20)
#define MAX_NOTE_FILE    4096

/* --- orders to the trainer ---------------------------------------------------------------------- */

static enum work_kind work_kind_of(enum session_do what)
{
    switch ((int)what) {
    case SESSION_DO_PACK: return WORK_PACK;
    case SESSION_DO_FOLD: return WORK_FOLD;
    case SESSION_DO_RETURN: return WORK_RETURN;
    case SESSION_DO_APPLY: return WORK_APPLY;
    case SESSION_DO_LOAD: return WORK_LOAD;
    case SESSION_DO_STOP_WORK: return WORK_STOP;
    default: return WORK_TRAIN;
    }
}

static void order(struct agent *a, const struct session_action *x)
{
    struct work_order o = {.kind = work_kind_of(x->what),
                           .tag = x->tag,
                           .round = x->round,
                           .n_steps = x->n_steps,
                           .until_ms = x->until_ms == SESSION_NONE ? INT64_MAX : x->until_ms};
    if (o.kind == WORK_APPLY || o.kind == WORK_LOAD) wire_take_fetched(a->wire, &o.bytes);
    work_order(a->work, &o);
}

static void write_note(struct agent *a)
{
    struct buf b = {0};
    struct err e = {0};
    int rc = journal_note_encode(&a->session.note, &b, &e);
    if (rc == OK) rc = file_replace(a->note_path, b.p, b.len, 0600, &e);
    /* Even without the note nothing is counted twice while the aggregator knows the upload. */
    if (rc != OK) log_err(LOG_WARN, &e, "noting what became of the contribution");
    buf_deinit(&b);
}

static void gate(struct agent *a, bool is_paused)
{
    work_gate(a->work, is_paused);
    a->paused_at_ms = is_paused ? clock_mono_ms() : 0;
}

static void carry_out(struct agent *a, const struct session_action *x)
{
    switch (x->what) {
    case SESSION_DO_JOIN:
    case SESSION_DO_POLL:
    case SESSION_DO_FETCH_UPDATE:
    case SESSION_DO_FETCH_CHECKPOINT:
    case SESSION_DO_RESERVE:
    case SESSION_DO_PUT_CHUNK:
    case SESSION_DO_MANIFEST:
    case SESSION_DO_CHECK_RECORD:
        work_progress_copy(a->work, &a->progress);
        wire_request(a->wire, x, &a->session, a->progress.engine, a->progress.tok_per_s);
        break;
    case SESSION_DO_DROP: wire_drop(a->wire, x->tag); break;
    case SESSION_DO_TRAIN:
    case SESSION_DO_PACK:
    case SESSION_DO_FOLD:
    case SESSION_DO_RETURN:
    case SESSION_DO_APPLY:
    case SESSION_DO_LOAD:
    case SESSION_DO_STOP_WORK: order(a, x); break;
    case SESSION_DO_HALT: work_halt(a->work); break;
    case SESSION_DO_GATE: gate(a, x->is_long); break;
    case SESSION_DO_NOTE: write_note(a); break;
    case SESSION_DO_SAY: log_write(x->is_long ? LOG_WARN : LOG_INFO, "%s", x->text); break;
    }
}

/* --- after each step ---------------------------------------------------------------------------- */

void agent_run_keep_wish(struct agent *a)
{
    const struct session *s = &a->session;
    const struct wish_snooze *z = &a->guest.snooze;
    if (!a->is_open) return;
    if (s->is_paused == a->wish.is_paused && s->is_finishing == a->wish.is_finishing &&
        z->ms == a->wish.snooze_ms && z->until_ms == a->wish.snooze_until_ms)
        return;
    a->wish = (struct journal_wish){s->is_paused, s->is_finishing, z->ms, z->until_ms};
    struct buf b = {0};
    struct err e = {0};
    int rc = journal_wish_encode(&a->wish, &b, &e);
    if (rc == OK) rc = file_replace(a->wish_path, b.p, b.len, 0600, &e);
    if (rc != OK) log_err(LOG_WARN, &e, "remembering what you asked for");
    buf_deinit(&b);
}

static void log_state(const struct session *s)
{
    unsigned long long round = s->model_round;
    switch (s->state) {
    case SESSION_TRAINING: log_info("round %llu: training", round); break;
    case SESSION_WAITING:
        if (s->fate == SESSION_FATE_ACCEPTED) log_info("round %llu: contribution accepted", round);
        break;
    case SESSION_PAUSED:
        if (s->is_paused) log_info("paused by you");
        break;
    case SESSION_RETRYING: log_info("waiting to try again: %s", s->why); break;
    case SESSION_ENDED: log_info("the run ended after %llu rounds", round); break;
    case SESSION_DISTRUST: log_error("stopped: %s", s->why); break;
    case SESSION_IDLE:
    case SESSION_JOINING:
    case SESSION_FETCHING:
    case SESSION_PACKING:
    case SESSION_EXCHANGING:
    case SESSION_RETURNING:
    case SESSION_APPLYING:
    case SESSION_LEAVING:
    case SESSION_GONE:
    case SESSION_STATE_COUNT: log_debug("%s", session_state_name(s->state)); break;
    }
}

/* --- going -------------------------------------------------------------------------------------- */

static void end_if_gone(struct agent *a)
{
    if (a->session.state == SESSION_GONE && !a->parting_at_ms) agent_gone(a, a->session.ending);
}

static void on_parted(void *ctx)
{
    struct agent *a = ctx;
    a->parting_at_ms = 0;
    end_if_gone(a);
}

/* While the trainer saves, the aggregator learns that no round need wait for us. */
static void say_goodbye(struct agent *a)
{
    if (!a->session.is_joined || a->parting_at_ms) return;
    if (wire_goodbye(a->wire, a->session.token, on_parted, a)) a->parting_at_ms = clock_mono_ms();
}

/* Books of where the time goes. A round's uploading and waiting end when training begins anew. */
static void on_state(struct agent *a, int64_t now_ms)
{
    struct agent_times *t = &a->times;
    int64_t ms = now_ms - t->since_ms;
    if (t->state == SESSION_EXCHANGING) t->upload_ms += ms;
    if (t->state == SESSION_WAITING) t->wait_ms += ms;
    if (a->session.state == SESSION_TRAINING && (t->upload_ms || t->wait_ms)) {
        t->last_upload_ms = t->upload_ms;
        t->last_wait_ms = t->wait_ms;
        t->upload_ms = 0;
        t->wait_ms = 0;
    }
    t->state = a->session.state;
    t->since_ms = now_ms;
    if (t->state == SESSION_LEAVING || t->state == SESSION_DISTRUST) say_goodbye(a);
    log_state(&a->session);
}

void agent_run_tick(struct agent *a)
{
    if (!a->is_open || a->is_ending) return;
    int64_t at = session_next_ms(&a->session);
    if (at == SESSION_NONE) {
        uv_timer_stop(&a->tick);
        return;
    }
    int64_t left = at - clock_mono_ms();
    uv_update_time(&a->loop); /* its clock stands still while callbacks run */
    uv_timer_start(&a->tick, a->on_tick, left > 0 ? (uint64_t)left : 0, 0);
}

void agent_run_event(struct agent *a, const struct session_event *ev)
{
    if (!a->is_open) return;
    struct session_actions out;
    int64_t now_ms = clock_mono_ms();
    session_step(&a->session, ev, now_ms, &out);
    for (uint32_t i = 0; i < out.n; i++)
        carry_out(a, &out.a[i]);
    agent_run_keep_wish(a);
    if (a->session.state != a->times.state) on_state(a, now_ms);
    if (ev->kind != SESSION_EV_TICK) control_changed(a->control);
    if (a->session.state == SESSION_GONE)
        end_if_gone(a);
    else
        agent_run_tick(a);
}

/* --- news of the trainer ------------------------------------------------------------------------- */

static void read_note(struct agent *a, struct session_note *ret)
{
    struct buf b = {0};
    struct err e = {0};
    int rc = file_read(a->note_path, MAX_NOTE_FILE, &b, &e);
    if (rc == OK) rc = journal_note_decode(b.p, b.len, ret, &e);
    if (rc != OK && rc != ERR_NOTFOUND)
        log_err(LOG_WARN, &e, "reading what became of the last contribution");
    buf_deinit(&b);
}

static void start_session(struct agent *a, const struct work_news *n)
{
    const struct rundesc *d = a->run;
    struct session_config c = {.run = d->id,
                               .inner_steps = d->inner_steps,
                               .max_inner_steps = d->max_inner_steps,
                               .ahead_steps = d->ahead_steps,
                               .upload_ms = d->upload_ms,
                               .n_addresses = d->n_aggregators};
    memcpy(&c.seed, a->key.pub.b, sizeof c.seed);
    session_init(&a->session, &c, &n->base);
    struct session_saved v = {.model_round = n->journal.model_round,
                              .base = n->base,
                              .phase = journal_phase(&n->journal),
                              .ahead = journal_ahead(&n->journal),
                              .is_round_done = n->journal.is_round_done,
                              .has_payload = n->journal.has_payload,
                              .payload = n->journal.payload,
                              .is_paused = a->wish.is_paused,
                              .is_finishing = a->wish.is_finishing,
                              .is_held = a->guest.is_held,
                              .is_empty = n->is_empty};
    read_note(a, &v.note);
    session_restore(&a->session, &v);
    a->is_open = true;
    if (n->said[0]) log_warn("%s", n->said);
    log_info("%s the run \"%s\" at round %llu, step %u", n->is_fresh ? "joining" : "back in",
             d->name, (unsigned long long)v.model_round, v.phase.n_steps);
    if (n->is_empty) log_info("the run goes on from a model; its weights come first");
    struct session_event ev = {.kind = SESSION_EV_START};
    agent_run_event(a, &ev);
}

static void solved(uint64_t proof, const struct err *e, void *ctx)
{
    struct agent *a = ctx;
    a->solving = NULL;
    a->pass.proof = proof;
    if (!proof)
        log_err(LOG_WARN, e, "the run's puzzle is not solved"); /* the host will say so too */
    if (proof) log_info("the run's puzzle is solved");
    wire_set_pass(a->wire, &a->pass);
    start_session(a, &a->opened);
}

/* The trainer is there. A puzzle comes before the first question to the aggregator. */
static void opened(struct agent *a, const struct work_news *n)
{
    struct err e = {0};
    a->opened = *n;
    if (a->run->puzzle.bits && !a->pass.proof) {
        log_info(
            "this run asks new keys to solve a puzzle, once; that takes some seconds to minutes");
        if (pass_solve(&a->loop, a->run_dir, &a->run->puzzle, &a->run->id, &a->key.pub, solved, a,
                       &a->solving, &e) == OK)
            return;
        log_err(LOG_WARN, &e, "the run's puzzle cannot be begun");
    }
    start_session(a, n);
}

void agent_run_knock(struct agent *a)
{
    uint64_t proof = a->pass.proof;
    pass_load(a->run_dir, &a->pass);
    a->pass.proof = proof;
    wire_set_pass(a->wire, &a->pass);
    struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = INTENT_JOIN};
    agent_run_event(a, &ev);
}

static void tell_work(struct agent *a, const struct work_news *n)
{
    char why[MSG_REASON_CAP];
    struct session_event ev = {.tag = n->tag};
    ev.phase = n->is_ahead ? journal_ahead(&n->journal) : journal_phase(&n->journal);
    ev.phase.is_halted = n->is_halted;
    ev.payload = n->journal.payload;
    ev.applied = n->base;
    if (n->kind == WORK_FAILED && n->order != WORK_STOP) {
        ev.kind = SESSION_EV_WORK_FAILED;
        ev.failed.code = n->err.code;
        ev.failed.why = err_line(&n->err, why, sizeof why);
        agent_run_event(a, &ev);
        return;
    }
    switch (n->order) {
    case WORK_OPEN: return;
    case WORK_TRAIN: ev.kind = SESSION_EV_TRAINED; break;
    case WORK_PACK: ev.kind = SESSION_EV_PACKED; break;
    case WORK_FOLD:
    case WORK_RETURN: ev.kind = SESSION_EV_RETURNED; break;
    case WORK_APPLY:
    case WORK_LOAD: ev.kind = SESSION_EV_APPLIED; break;
    case WORK_STOP:
        if (n->kind == WORK_FAILED) log_err(LOG_WARN, &n->err, "saving before the end");
        ev.kind = SESSION_EV_STOPPED;
        break;
    }
    agent_run_event(a, &ev);
}

void agent_run_news(struct agent *a)
{
    struct work_news n;
    while (a->work && !a->is_ending && work_take(a->work, &n)) {
        if (n.kind == WORK_WANTS) {
            wire_want(a->wire, &n.want);
        } else if (n.order == WORK_OPEN && n.kind == WORK_FAILED) {
            a->stopped = n.err;
            log_err(LOG_ERROR, &n.err, "the trainer cannot start");
            control_changed(a->control);
        } else if (n.order == WORK_OPEN) {
            opened(a, &n);
        } else {
            tell_work(a, &n);
        }
    }
}

/* --- answers of the aggregator ------------------------------------------------------------------- */

static void on_event(const struct session_event *ev, void *ctx)
{
    struct agent *a = ctx;
    if (ev->kind == SESSION_EV_ROUND && a->history)
        history_val(a->history, ev->round->val_round, ev->round->val_loss);
    if (ev->kind == SESSION_EV_RECEIPT && ev->receipt->verdict != MSG_ACCEPTED && a->history)
        history_moment(a->history, ev->receipt->verdict == MSG_LATE ? "late" : "rejected",
                       ev->receipt->reason, clock_wall_ms());
    if (ev->kind == SESSION_EV_RECEIPT && ev->receipt->verdict != MSG_ACCEPTED)
        log_warn("round %llu: %s", (unsigned long long)ev->receipt->round, ev->receipt->reason);
    agent_run_event(a, ev);
}

static void on_text(const struct chunks_want *want, struct buf *bytes, void *ctx)
{
    struct agent *a = ctx;
    work_feed(a->work, want, bytes);
}

static void on_peers(const struct msg_peers *peers, void *ctx)
{
    struct agent *a = ctx;
    if (!a->peers) a->peers = alloc_zero(1, sizeof *a->peers);
    if (a->peers) *a->peers = *peers;
}

static void on_credits(const struct msg_credits *credits, void *ctx)
{
    struct agent *a = ctx;
    if (!a->credits) a->credits = alloc_zero(1, sizeof *a->credits);
    if (a->credits) *a->credits = *credits;
    if (a->history) history_confirmed(a->history, credits->confirmed, clock_wall_ms());
}

/* --- once a second ------------------------------------------------------------------------------- */

/* The history is written by libuv's pool: nobody waits for it. */
struct history_job {
    uv_work_t req;
    struct agent *agent;
    struct buf bytes;
    char path[PATH_CAP];
    int rc;
    struct err err;
};

static void write_history(uv_work_t *req)
{
    struct history_job *j = req->data;
    j->rc = file_replace(j->path, j->bytes.p, j->bytes.len, 0600, &j->err);
}

static void history_written(uv_work_t *req, int status)
{
    struct history_job *j = req->data;
    (void)status;
    j->agent->is_saving_history = false;
    if (j->rc != OK) log_err(LOG_WARN, &j->err, "saving the history of the graphs");
    buf_deinit(&j->bytes);
    free(j);
}

static void save_history(struct agent *a)
{
    if (a->is_saving_history || !a->history) return;
    struct history_job *j = alloc_zero(1, sizeof *j);
    if (!j) return;
    j->agent = a;
    j->req.data = j;
    snprintf(j->path, sizeof j->path, "%s", a->history_path);
    if (history_save(a->history, &j->bytes, &j->err) != OK ||
        uv_queue_work(&a->loop, &j->req, write_history, history_written) != 0) {
        buf_deinit(&j->bytes);
        free(j);
        return;
    }
    a->is_saving_history = true;
}

/* What a gap in the speed's graph is called; "": training goes on, or is about to. */
static const char *stands_still(enum view_state s)
{
    if (s == VIEW_PAUSED) return "paused";
    if (s == VIEW_RETRYING) return "no host";
    return s == VIEW_STOPPED ? "stopped" : "";
}

/* The first hold that stops the training now; false: none does. */
static bool held_by(const struct agent *a, int64_t wall, struct view_hold *ret)
{
    for (int k = 0; k < HOLDS; k++) {
        if (!a->guest.holds.one[k].stands) continue;
        holds_row(&a->guest.holds, (enum hold)k, wall, ret);
        if (!ret->is_overridden) return true;
    }
    return false;
}

static void mark(struct agent *a)
{
    struct explain_line line;
    struct view_hold hold;
    int64_t wall = clock_wall_ms();
    snapshot_state(a, clock_mono_ms(), &line);
    bool is_asked = a->session.is_paused || a->guest.snooze.ms;
    if (line.state == VIEW_PAUSED && !is_asked && held_by(a, wall, &hold))
        history_still(a->history, "held", hold.reason, wall);
    else
        history_still(a->history, stands_still(line.state), line.reason, wall);
}

static void sample(struct agent *a)
{
    struct work_progress p;
    work_progress_copy(a->work, &p);
    struct history *h = a->history;
    int64_t wall = clock_wall_ms();
    bool has_moved = p.n_steps_ever != a->progress.n_steps_ever;
    a->progress = p;
    bool is_training = a->session.state == SESSION_TRAINING && !p.is_waiting_for_text;
    if (is_training && isfinite(p.tok_per_s)) {
        series_push(&h->speed, p.tok_per_s, wall);
        if (!(h->best_speed >= p.tok_per_s)) h->best_speed = p.tok_per_s;
    }
    if (has_moved && isfinite(p.loss)) {
        series_push(&h->loss, p.loss, wall);
    }
    if (!(h->best_loss <= p.loss_best)) h->best_loss = p.loss_best;
    if (a->session.has_round) series_push(&h->peers, a->session.round.n_contributors, wall);
}

void agent_run_second(struct agent *a)
{
    if (!a->is_open || !a->history) return;
    if (a->parting_at_ms && clock_mono_ms() - a->parting_at_ms > PARTING_MS) {
        on_parted(a);
        return;
    }
    sample(a);
    mark(a);
    snapshot_traffic(a, clock_mono_ms());
    if (a->n_seconds % LOOK_EVERY_S == 1 && a->session.is_joined) wire_look_around(a->wire);
    if (a->n_seconds % SAVE_HISTORY_S == SAVE_HISTORY_S - 1) save_history(a);
    if (a->paused_at_ms && clock_mono_ms() - a->paused_at_ms > PARK_MS) {
        a->paused_at_ms = 0;
        work_park(a->work);
    }
}

/* --- joining and leaving -------------------------------------------------------------------------- */

static int find_paths(struct agent *a, const struct hash *run, struct err *e)
{
    const struct home *h = a->config.home;
    int rc = home_run_path(h, run, "", a->run_dir, e);
    if (rc == OK) rc = home_run_path(h, run, "note.json", a->note_path, e);
    if (rc == OK) rc = home_run_path(h, run, "wish.json", a->wish_path, e);
    if (rc == OK) rc = home_run_path(h, run, "receipts.jws", a->receipts_path, e);
    if (rc == OK) rc = home_run_path(h, run, "history", a->history_path, e);
    if (rc == OK) rc = home_cache_path(h, run, a->cache_dir, e);
    if (rc == OK && path_format(a->evidence_dir, "%s/evidence", h->paths.data))
        rc = err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return rc;
}

/* What earlier processes left beside the trainer's state. Nothing here can stop the run. */
static void read_leftovers(struct agent *a)
{
    struct buf b = {0};
    struct err e = {0};
    int rc = file_read(a->wish_path, MAX_NOTE_FILE, &b, &e);
    if (rc == OK) rc = journal_wish_decode(b.p, b.len, &a->wish, &e);
    if (rc != OK && rc != ERR_NOTFOUND) log_err(LOG_WARN, &e, "reading what you asked for");
    guest_restore(a);
    buf_clear(&b);
    history_init(a->history);
    rc = file_read(a->history_path, MAX_HISTORY_FILE, &b, &e);
    if (rc == OK) rc = history_load(b.p, b.len, a->history, &e);
    if (rc != OK && rc != ERR_NOTFOUND) log_err(LOG_WARN, &e, "the graphs begin anew");
    history_begin(a->history, clock_wall_ms());
    buf_deinit(&b);
    uint32_t n_bad = 0;
    if (receipts_read(a->receipts_path, a->run, &a->key.pub, &a->counted, &n_bad, &e) != OK)
        log_err(LOG_WARN, &e, "reading the receipts");
    if (n_bad) log_warn("%u lines of %s are no receipts of this run", n_bad, a->receipts_path);
}

static void wake(void *ctx)
{
    struct agent *a = ctx;
    uv_async_send(&a->wake);
}

static int start_parts(struct agent *a, struct err *e)
{
    struct wire_config w = {.loop = &a->loop,
                            .run = a->run,
                            .key = &a->key,
                            .run_dir = a->run_dir,
                            .receipts_path = a->receipts_path,
                            .evidence_dir = a->evidence_dir,
                            .on_event = on_event,
                            .on_text = on_text,
                            .on_peers = on_peers,
                            .on_credits = on_credits,
                            .ctx = a};
    snprintf(w.name, sizeof w.name, "%s", a->name);
    pass_load(a->run_dir, &a->pass);
    int rc = wire_create(&w, &a->wire, e);
    if (rc == OK) wire_set_pass(a->wire, &a->pass);
    if (rc == OK) guest_caps(a);
    struct work_config k = {.run = a->run,
                            .contributor = a->key.pub,
                            .run_dir = a->run_dir,
                            .cache_dir = a->cache_dir,
                            .quota_bytes = (uint64_t)a->guest.config.v[CONFIG_DISK_QUOTA].n << 20,
                            .n_threads = guest_threads(a),
                            .precision = a->config.precision,
                            .moments = a->config.moments,
                            .feedback = a->config.feedback,
                            .recompute = a->config.recompute,
                            .chosen = a->config.chosen,
                            .save_every_ms = a->guest.config.v[CONFIG_SAVE].n * 1000,
                            .wake = wake,
                            .ctx = a};
    if (rc == OK) rc = guest_fits(a, e);
    if (rc == OK) rc = work_create(&k, &a->work, e);
    if (rc == OK) guest_begin(a);
    return rc;
}

int agent_run_begin(struct agent *a, const struct hash *run, struct err *e)
{
    a->run = alloc_zero(1, sizeof *a->run);
    a->history = alloc_zero(1, sizeof *a->history);
    int rc = a->run && a->history ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the run");
    if (rc == OK) rc = home_load_run(a->config.home, run, a->run, e);
    if (rc == OK) rc = find_paths(a, run, e);
    if (rc == OK) {
        home_name(a->config.home, a->name); /* `join --name` may have changed it */
        read_leftovers(a);
        rc = start_parts(a, e);
    }
    if (rc != OK) {
        agent_run_end(a);
        return rc;
    }
    a->stopped = (struct err){0};
    a->has_run = true;
    return OK;
}

static void wire_gone(void *ctx)
{
    free(ctx); /* the run description, which the wire pointed to */
}

void agent_run_end(struct agent *a)
{
    uv_timer_stop(&a->tick);
    if (a->history && a->has_run) {
        struct buf b = {0};
        if (history_save(a->history, &b, NULL) == OK)
            (void)!file_replace(a->history_path, b.p, b.len, 0600, NULL);
        buf_deinit(&b);
    }
    pass_cancel(a->solving);
    a->solving = NULL;
    work_destroy(a->work);
    if (a->wire)
        wire_close(a->wire, wire_gone, a->run);
    else
        free(a->run);
    free(a->history);
    free(a->peers);
    free(a->credits);
    a->work = NULL;
    a->wire = NULL;
    a->run = NULL;
    a->history = NULL;
    a->peers = NULL;
    a->credits = NULL;
    a->has_run = false;
    a->is_open = false;
    a->session = (struct session){0};
    a->wish = (struct journal_wish){0};
    a->guest.snooze = (struct wish_snooze){0};
    a->progress = (struct work_progress){0};
    a->counted = (struct receipts_count){0};
    a->times = (struct agent_times){0};
    a->paused_at_ms = 0;
    a->parting_at_ms = 0;
}
