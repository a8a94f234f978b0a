#include "client/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "client/about.h"
#include "client/explain.h"
#include "client/home.h"

#define MICRO 1000000

void snapshot_machine(struct agent_machine *m, int64_t now_ms)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    int64_t us = (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * MICRO + u.ru_utime.tv_usec +
                 u.ru_stime.tv_usec;
    m->n_cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (m->at_ms && now_ms > m->at_ms)
        m->cpu_frac =
            (double)(us - m->cpu_us) / 1000.0 / (double)(now_ms - m->at_ms) / (double)m->n_cores;
    m->cpu_us = us;
    m->at_ms = now_ms;
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return;
    if (fscanf(f, "%*u %lu", &pages) == 1)
        m->rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    fclose(f);
}

static double smooth(double was, double now)
{
    return was > 0 ? was * 0.8 + now * 0.2 : now;
}

void snapshot_traffic(struct agent *a, int64_t now_ms)
{
    struct agent_machine *m = &a->machine;
    uint64_t up = 0, down = 0;
    double frac = wire_fetch_frac(a->wire);
    wire_traffic(a->wire, &down, &up);
    bool is_known = m->bytes_up + m->bytes_down > 0 && up >= m->bytes_up && down >= m->bytes_down;
    if (is_known) { /* once a second */
        m->up_per_s = smooth(m->up_per_s, (double)(up - m->bytes_up));
        m->down_per_s = smooth(m->down_per_s, (double)(down - m->bytes_down));
    }
    m->bytes_up = up;
    m->bytes_down = down;
    if (!isfinite(frac) || frac < m->fetch_from) m->fetch_since_ms = 0;
    if (isfinite(frac) && m->fetch_since_ms == 0) {
        m->fetch_since_ms = now_ms;
        m->fetch_from = frac;
    }
}

/* What is left of a download takes as long, for its size, as what has come. */
static int64_t fetch_left_ms(const struct agent *a, double frac, int64_t now_ms)
{
    const struct agent_machine *m = &a->machine;
    double done = frac - m->fetch_from;
    if (!isfinite(frac) || m->fetch_since_ms == 0 || done < 0.01) return VIEW_NONE;
    return (int64_t)((double)(now_ms - m->fetch_since_ms) * (1 - frac) / done);
}

void snapshot_state(const struct agent *a, int64_t now_ms, struct explain_line *ret)
{
    bool stands = a->stopped.code != OK;
    if (stands) {
        explain_stopped(&a->stopped, ret);
    } else if (!a->has_run) {
        explain_no_run(ret);
    } else if (!a->is_open) {
        a->solving ? explain_puzzle(ret) : explain_opening(ret);
    } else {
        struct explain_facts f = {.n_steps = a->progress.journal.n_steps,
                                  .n_planned = a->session.terms.inner_steps,
                                  .is_waiting_for_text = a->progress.is_waiting_for_text,
                                  .now_ms = now_ms,
                                  .fetch_frac = wire_fetch_frac(a->wire)};
        explain_session(&a->session, &f, ret);
    }
}

static void fill_state(const struct agent *a, struct view *v, int64_t now_ms)
{
    struct explain_line line;
    snapshot_state(a, now_ms, &line);
    v->state = line.state;
    snprintf(v->reason, sizeof v->reason, "%s", line.reason);
    snprintf(v->override_hint, sizeof v->override_hint, "%s", line.hint);
    v->ends_at_ms = line.ends_in_ms == VIEW_NONE ? VIEW_NONE : v->at_ms + line.ends_in_ms;
    v->is_finishing = a->session.is_finishing;
    v->is_run_ended = a->is_open && a->session.has_round &&
                      a->session.round.state == MSG_ROUND_ENDED && a->session.is_agreed;
}

static void fill_run(const struct agent *a, struct view *v)
{
    const struct rundesc *d = a->run;
    const struct rundesc_aggregator *g = wire_aggregator(a->wire);
    snprintf(v->run_name, sizeof v->run_name, "%s", d->name);
    snprintf(v->run_note, sizeof v->run_note, "%s", d->note);
    hash_hex(&d->id, v->run_id);
    snprintf(v->aggregator, sizeof v->aggregator, "%s:%u", g->host, g->port);
    v->n_rounds = course_terms(wire_course(a->wire), a->session.round.round).n_rounds;
    v->n_card = about_fill(d, v->card);
    v->n_layers = d->model.num_hidden_layers;
    v->hidden_size = d->model.hidden_size;
    v->vocab_size = d->model.vocab_size;
    v->seq_len = d->train.seq_len;
    snprintf(v->reward_unit, sizeof v->reward_unit, "%s", d->reward_unit);
    struct model_table t;
    if (model_table_init(&t, &d->model, NULL) == OK) {
        v->n_params = t.n_params;
        model_table_deinit(&t);
    }
}

static void fill_round(const struct agent *a, struct view *v, int64_t now_ms)
{
    const struct session *s = &a->session;
    v->round = s->model_round;
    struct course_terms t = course_terms(wire_course(a->wire), s->model_round);
    bool is_ahead = s->state == SESSION_TRAINING && s->fate != SESSION_FATE_NONE;
    v->i_step = is_ahead ? a->progress.journal.ahead_steps : a->progress.journal.n_steps;
    v->n_steps = is_ahead ? a->run->ahead_steps : t.inner_steps;
    hash_hex(&s->base, v->model_hash);
    v->is_model_hash_agreed = s->is_agreed;
    v->is_model_hash_wrong = s->is_base_wrong && !s->is_empty;
    snprintf(v->engine, sizeof v->engine, "%s", a->progress.engine);
    if (!s->has_round) return;
    v->n_peers = s->round.n_contributors;
    v->swarm_tok_per_s = s->round.swarm_tok_per_s;
    v->val_loss = s->round.val_loss;
    v->val_bits_per_byte = s->round.val_bits_per_byte;
    v->val_round = s->round.val_round;
    if (s->round.state != MSG_ROUND_OPEN) return;
    int64_t left = s->round.left_ms - (now_ms - s->round_at_ms);
    if (left < 0) left = 0;
    v->round_ends_at_ms = v->at_ms + left;
    uint64_t whole = course_round_ms(&t);
    double by_steps = t.inner_steps ? (double)v->i_step / t.inner_steps : 0;
    double by_time = whole ? 1.0 - (double)left / (double)whole : (double)NAN;
    v->round_frac = t.inner_steps ? by_steps : by_time;
    if (v->round_frac < 0) v->round_frac = 0;
    if (v->round_frac > 1) v->round_frac = 1;
}

static void fill_numbers(const struct agent *a, struct view *v, int64_t now_ms)
{
    const struct work_progress *p = &a->progress;
    bool is_training = a->session.state == SESSION_TRAINING && !p->is_waiting_for_text;
    v->tok_per_s = is_training ? p->tok_per_s : (double)NAN;
    v->tok_per_s_avg = (double)series_stats(&a->history->speed, v->at_ms, 15 * 60000).mean;
    v->tok_per_s_best = a->history->best_speed;
    v->loss = p->loss;
    v->loss_best = fmin(a->history->best_loss, p->loss_best); /* NaN: the other */
    v->n_tokens = p->journal.total_tokens;
    v->n_accepted = a->counted.n_accepted + a->session.n_accepted;
    v->n_late = a->counted.n_late + a->session.n_late;
    v->n_rejected = a->counted.n_rejected + a->session.n_rejected;
    v->bits_per_value = p->journal.bits_per_value > 0 ? p->journal.bits_per_value : (double)NAN;
    v->payload_bytes = p->journal.last_bytes;
    wire_traffic(a->wire, &v->bytes_down, &v->bytes_up);
    double rtt = wire_rtt_ms(a->wire);
    if (rtt >= 0) v->rtt_ms = rtt;
    v->fetch_frac = wire_fetch_frac(a->wire);
    v->up_per_s = a->machine.up_per_s;
    v->down_per_s = a->machine.down_per_s;
    v->fetch_left_ms = fetch_left_ms(a, v->fetch_frac, now_ms);
    snprintf(v->said, sizeof v->said, "%s", p->said);
    v->said_round = p->said_round;
    if (p->saved_at_ms) v->saved_ms_ago = now_ms - p->saved_at_ms;
    v->ms_train = p->ms_train;
    v->ms_pack = p->ms_pack;
    v->ms_apply = p->ms_apply;
    v->ms_upload = a->times.last_upload_ms;
    v->ms_wait = a->times.last_wait_ms;
}

static void fill_series(const struct agent *a, struct view *v)
{
    const struct history *h = a->history;
    uint32_t step_ms = view_range_step_ms((enum view_range)v->range);
    series_view(&h->speed, v->at_ms, step_ms, &v->speed);
    series_view(&h->loss, v->at_ms, step_ms, &v->loss_curve);
    series_view(&h->peers, v->at_ms, step_ms, &v->peers_curve);
    v->n_marks = h->n_marks;
    memcpy(v->marks, h->marks, h->n_marks * sizeof *h->marks);
    v->n_days = history_days(h, v->days);
    v->val_curve.n = h->n_val;
    v->val_curve.step_ms = 0;
    memcpy(v->val_curve.v, h->val, h->n_val * sizeof *h->val);
}

static void fill_peers(const struct agent *a, struct view *v)
{
    const struct msg_peers *m = a->peers;
    double all = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (isfinite(m->peers[i].tok_per_s)) all += m->peers[i].tok_per_s;
    for (uint32_t i = 0; i < m->n && v->n_peer_rows < VIEW_PEERS; i++) {
        const struct msg_peer *p = &m->peers[i];
        struct view_peer *row = &v->peers[v->n_peer_rows++];
        home_display_name(p->name, &p->key, row->name);
        row->is_you = key_equal(&p->key, &a->key.pub) != 0;
        row->tok_per_s = p->tok_per_s;
        row->share_frac = all > 0 && isfinite(p->tok_per_s) ? p->tok_per_s / all : (double)NAN;
        snprintf(row->state, sizeof row->state, "%s", p->state);
        snprintf(row->last10, sizeof row->last10, "%s", p->last10);
        row->seen_ms_ago = p->seen_ms_ago;
    }
}

static void fill_credits(const struct agent *a, struct view *v)
{
    const struct msg_credits *m = a->credits;
    v->credits_confirmed = m->confirmed;
    v->credits_pending = m->pending;
    for (uint32_t i = 0; i < m->n && v->n_credit_rows < VIEW_CREDITS; i++) {
        const struct msg_credit *c = &m->lines[i];
        struct view_credit *row = &v->credits[v->n_credit_rows++];
        row->at_ms = c->at_ms;
        row->round = c->round;
        row->n_tokens = c->n_tokens;
        utf8_printable(c->reason[0] ? c->reason : "accepted", row->result, sizeof row->result);
        row->amount = c->amount;
        row->is_settled = c->is_settled;
    }
    /* Lines come newest first, the graph wants the oldest first; confirmed and pending share an
     * axis, so each has a zero where the other has the amount.
     */
    uint32_t n = m->n < VIEW_SERIES ? m->n : VIEW_SERIES;
    v->earned.n = n;
    v->earned_pending.n = n;
    for (uint32_t i = 0; i < n; i++) {
        const struct msg_credit *c = &m->lines[n - 1 - i];
        float whole = (float)((double)c->amount / MICRO);
        v->earned.v[i] = c->is_settled ? whole : 0;
        v->earned_pending.v[i] = c->is_settled ? 0 : whole;
    }
}

void snapshot_fill(struct agent *a, struct view *v)
{
    int64_t now_ms = clock_mono_ms();
    v->seq = ++a->seq;
    v->at_ms = clock_wall_ms();
    snprintf(v->version, sizeof v->version, "%s", POTLUCK_VERSION);
    home_display_name(a->name, &a->key.pub, v->name);
    key_hex(&a->key.pub, v->key);
    v->is_demo = a->config.is_demo;
    v->n_cores = a->machine.n_cores;
    v->rss_bytes = a->machine.rss_bytes;
    v->cpu_frac = a->machine.cpu_frac;
    if (a->work) work_progress_copy(a->work, &a->progress);
    fill_state(a, v, now_ms);
    guest_view(a, v);
    v->n_log = logbook_copy(&a->logbook, v->log);
    if (!a->has_run) return;
    fill_run(a, v);
    fill_numbers(a, v, now_ms);
    fill_series(a, v);
    if (a->is_open) fill_round(a, v, now_ms);
    if (a->peers) fill_peers(a, v);
    if (a->credits) fill_credits(a, v);
    if (a->outlook && a->credits && a->run) outlook_fill(a->outlook, a->run, v);
}
