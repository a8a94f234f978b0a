#include "app/train_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "app/train_history.h"
#include "app/train_in.h"
#include "base/clock.h"
#include "view/text.h"

#define ROW_STEPS    10 /* of the history */
#define EVAL_SLICE   4  /* sequences between two looks at the signal */
#define SAVE_S       60 /* default of --save */
#define SAVE_SHARE   20 /* and saving takes at most about one part in so many */
#define RETRY_S      5  /* the last save of a training, on a full disk */
#define RETRIES      120
#define WARM_STEPS   20   /* before a loss is believed to be bad */
#define WORSE_THAN   1.25 /* times the loss of guessing: it has diverged */
#define NATS_PER_BIT 0.6931471805599453

/* How the loop stands. */
struct course {
    uint64_t first; /* step this call began at */
    uint64_t end;
    int64_t began_ns; /* standing still not counted, as in now_ns */
    int64_t saved_ns, save_took_ns;
    uint64_t saved_step;
    struct train_mean loss, tokens, busy_ns;
    double row_loss; /* summed since the last row */
    uint64_t row_n;
    double val_loss, bits_per_byte;
    double lr, grad_norm;
};

/* Monotonic time in which the process did not stand still. */
static int64_t now_ns(const struct train *t)
{
    return clock_mono_ns() - train_stop_suspended_ns(t->stop);
}

static struct train_progress progress_of(const struct train *t, const struct course *c)
{
    int64_t elapsed_ms = (now_ns(t) - c->began_ns) / 1000000;
    double ns = train_mean_value(&c->busy_ns);
    return (struct train_progress){
        .step = t->note.step,
        .steps = t->o.steps,
        .loss = train_mean_value(&c->loss),
        .val_loss = c->val_loss,
        .bits_per_byte = c->bits_per_byte,
        .tok_per_s = ns > 0 ? train_mean_value(&c->tokens) * 1e9 / ns : (double)NAN,
        .elapsed_ms = t->before_ms + elapsed_ms,
        .left_ms = train_left_ms(t->note.step - c->first, elapsed_ms, t->o.steps - t->note.step)};
}

static void warn(struct train *t, const struct err *e)
{
    char line[400];
    train_show_end(&t->show);
    fprintf(stderr, "potluck train: %s\n", err_line(e, line, sizeof line));
}

/* A line that is lost is told, and training goes on. */
static void add_row(struct train *t, struct course *c, bool is_eval)
{
    char path[PATH_CAP];
    struct err e = {0};
    struct train_row row = {.p = progress_of(t, c),
                            .n_tokens = t->note.n_tokens,
                            .lr = c->lr,
                            .grad_norm = c->grad_norm,
                            .wall_ms = clock_wall_ms()};
    row.p.loss = c->row_n ? c->row_loss / (double)c->row_n : (double)NAN;
    if (!is_eval) row.p.val_loss = row.p.bits_per_byte = (double)NAN; /* was told before */
    c->row_loss = 0;
    c->row_n = 0;
    int rc = train_out_path(t->out.dir, "history.ndjson", path, &e);
    if (rc == OK) rc = train_history_add(path, &row, &e);
    if (rc != OK) warn(t, &e);
}

/* ERR_CANCELLED when a signal came. */
static int evaluate(struct train *t, struct course *c, struct err *e)
{
    double nats = 0;
    uint64_t n_tokens = 0;
    if (!t->val.n_seqs) return OK;
    int rc = train_check_weights(t, e);
    for (uint32_t i = 0; rc == OK && i < t->val.n_seqs; i += EVAL_SLICE) {
        struct trainer_eval_result r = {0};
        uint32_t k = t->val.n_seqs - i < EVAL_SLICE ? t->val.n_seqs - i : EVAL_SLICE;
        rc = trainer_eval(t->trainer, t->val.tokens + i * (t->o.seq + 1), k, &r, e);
        nats += r.nats;
        n_tokens += r.n_tokens;
    }
    if (rc != OK) return rc;
    c->val_loss = nats / (double)n_tokens;
    c->bits_per_byte = t->val.n_bytes ? nats / NATS_PER_BIT / (double)t->val.n_bytes : (double)NAN;
    return OK;
}

static void show_eval(struct train *t, struct course *c)
{
    char loss[TEXT_CAP], bits[TEXT_CAP], step[TEXT_CAP];
    struct train_progress p = progress_of(t, c);
    train_show_event(&t->show, t->show.is_json ? train_progress_json("eval", &p) : NULL);
    train_show_line(&t->show, "step %-9s loss %s   held-out %s bits/byte",
                    text_count((int64_t)p.step, step), text_fixed(p.loss, 3, loss),
                    text_fixed(p.bits_per_byte, 3, bits));
}

/* ---- saving ---- */

static int save(struct train *t, struct course *c, struct err *e)
{
    int64_t began = clock_mono_ns();
    int rc = train_save(t, e);
    c->saved_ns = now_ns(t);
    if (rc != OK) return rc;
    c->save_took_ns = clock_mono_ns() - began;
    c->saved_step = t->note.step;
    json_t *o = t->show.is_json ? json_object() : NULL;
    json_set_text(o, "event", "saved");
    json_set_u64(o, "step", t->note.step);
    train_show_event(&t->show, o);
    return OK;
}

static bool must_save(const struct train *t, const struct course *c)
{
    int64_t wait_ns = (int64_t)(t->o.save_s ? t->o.save_s : SAVE_S) * 1000000000;
    /* A large model on a slow disk would do nothing but save; who asks for it gets it. */
    if (!t->o.save_s && wait_ns < c->save_took_ns * SAVE_SHARE)
        wait_ns = c->save_took_ns * SAVE_SHARE;
    return now_ns(t) - c->saved_ns >= wait_ns;
}

/* The last one: what was learnt is not given up because a disk is full for a moment. */
static int save_at_last(struct train *t, struct course *c, struct err *e)
{
    if (c->saved_step == t->note.step) return OK;
    int rc = save(t, c, e);
    for (int i = 0; rc == ERR_IO && i < RETRIES; i++) {
        if (i == 0) {
            warn(t, e);
            fprintf(stderr, "potluck train: trying again every %d s; Ctrl+C gives it up\n",
                    RETRY_S);
        }
        nanosleep(&(struct timespec){.tv_sec = RETRY_S}, NULL);
        rc = save(t, c, e);
    }
    return rc;
}

/* ---- a step and what follows it ---- */

static int diverged(const struct course *c, struct err *e)
{
    err_hint(e,
             "the model of step %" PRIu64 " is kept; begin anew with a lower --lr, another --out",
             c->saved_step);
    return ERR_LIMIT;
}

/* Worse than drawing tokens from a hat: nothing good will come of it. */
static int check_loss(const struct train *t, const struct course *c, struct err *e)
{
    double loss = train_mean_value(&c->loss);
    double guess = log((double)t->plan.model.vocab_size);
    if (t->note.step - c->first < WARM_STEPS || loss < guess * WORSE_THAN) return OK;
    err_set(e, ERR_LIMIT, 0,
            "training diverged by step %" PRIu64 ": loss %.2f, where guessing has %.2f",
            t->note.step, loss, guess);
    return diverged(c, e);
}

static int one_step(struct train *t, struct course *c, struct err *e)
{
    struct trainer_step_result r = {0};
    uint32_t batch = (uint32_t)t->o.batch;
    int rc = train_data_batch(&t->data, &t->walk, t->note.step, batch, t->tokens, e);
    if (rc != OK) return rc;
    int64_t still_ns = train_stop_suspended_ns(t->stop);
    rc = trainer_step(t->trainer, t->tokens, t->note.step, &r, e);
    if (rc == ERR_LIMIT) return diverged(c, e);
    if (rc != OK) return rc;
    still_ns = train_stop_suspended_ns(t->stop) - still_ns;
    t->note.step++;
    t->note.n_tokens += r.n_tokens;
    train_mean_add(&c->loss, r.loss);
    train_mean_add(&c->tokens, (double)r.n_tokens);
    train_mean_add(&c->busy_ns, (double)(r.busy_ns > still_ns ? r.busy_ns - still_ns : 1));
    c->row_loss += r.loss;
    c->row_n++;
    c->lr = r.lr;
    c->grad_norm = r.grad_norm;
    return check_loss(t, c, e);
}

/* --duty: rest for as long as it takes to make the step that share of the time. */
static void rest(struct train *t, int64_t worked_ns)
{
    if (t->o.duty >= 100) return;
    double ns = (double)worked_ns * (double)(100 - t->o.duty) / (double)t->o.duty;
    (void)train_stop_sleep(t->stop, (int64_t)(ns / 1e6 + 0.5));
}

static int after_step(struct train *t, struct course *c, struct err *e)
{
    uint64_t step = t->note.step;
    bool is_last = step == t->o.steps;
    bool is_eval = is_last || step % t->o.eval_every == 0;
    int rc = is_eval ? evaluate(t, c, e) : OK;
    if (rc == OK && is_eval) show_eval(t, c);
    if (is_eval || step % ROW_STEPS == 0) add_row(t, c, is_eval && rc == OK);
    if (rc != OK) return rc;
    if (!is_last && must_save(t, c)) {
        struct err why = {0};
        if (save(t, c, &why) != OK) warn(t, &why); /* and it is tried again later */
    }
    struct train_progress p = progress_of(t, c);
    train_show_progress(&t->show, &p, clock_mono_ms(), false);
    return OK;
}

static int loop(struct train *t, struct course *c, struct err *e)
{
    int rc = OK;
    if (t->note.step == 0) {
        rc = evaluate(t, c, e);
        if (rc == OK && t->val.n_seqs) show_eval(t, c);
        add_row(t, c, true);
    }
    while (rc == OK && t->note.step < c->end && !train_stop_asked(t->stop)) {
        int64_t began = now_ns(t);
        rc = one_step(t, c, e);
        if (rc == OK) rc = after_step(t, c, e);
        if (rc == OK && t->note.step < c->end) rest(t, now_ns(t) - began);
    }
    return rc == ERR_CANCELLED ? OK : rc;
}

/* ---- the end ---- */

static void say_end(struct train *t, struct course *c)
{
    struct rusage use;
    struct train_progress p = progress_of(t, c);
    char elapsed[TEXT_CAP], speed[TEXT_CAP], step[TEXT_CAP], of[TEXT_CAP];
    getrusage(RUSAGE_SELF, &use);
    bool is_done = t->note.step >= t->o.steps;
    json_t *o = t->show.is_json ? train_progress_json(is_done ? "done" : "stopped", &p) : NULL;
    json_set_u64(o, "tokens", t->note.n_tokens);
    json_set_real(o, "rss_mb", (double)use.ru_maxrss / 1024);
    json_set_text(o, "out", t->out.dir);
    train_show_event(&t->show, o);
    train_show_line(&t->show, "%s at step %s of %s, after %s (%s tok/s): %s",
                    is_done ? "done" : "saved", text_count((int64_t)p.step, step),
                    text_count((int64_t)p.steps, of), text_duration(p.elapsed_ms, elapsed),
                    text_number(p.tok_per_s, speed), t->out.dir);
    if (!is_done) train_show_line(&t->show, "go on with: potluck train --out %s", t->out.dir);
}

int train_steps(struct train *t, struct err *e)
{
    struct course c = {.first = t->note.step, .end = t->o.steps, .saved_step = t->note.step};
    c.val_loss = c.bits_per_byte = (double)NAN;
    c.lr = c.grad_norm = (double)NAN;
    c.began_ns = c.saved_ns = now_ns(t);
    if (t->o.stop_at && t->o.stop_at < c.end) c.end = t->o.stop_at;
    if (t->note.step >= c.end)
        train_show_line(&t->show, "nothing to do: it has taken %" PRIu64 " steps already%s",
                        t->note.step, c.end == t->o.steps ? "; --steps N gives it more" : "");
    int rc = loop(t, &c, e);
    if (rc == ERR_LIMIT) return rc; /* diverged: the file keeps the better model */
    struct err why = {0};
    int saved = save_at_last(t, &c, &why);
    if (rc != OK && saved != OK) warn(t, &why);
    if (rc == OK && saved != OK && e) *e = why;
    if (rc == OK) rc = saved;
    if (rc == OK) say_end(t, &c);
    return rc;
}

int train_run(const struct train_options *o, struct err *e)
{
    struct train *t = calloc(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "no memory to begin");
    t->o = *o;
    int rc = train_begin(t, e);
    if (rc == OK && !t->is_done) rc = train_steps(t, e);
    train_end(t);
    free(t);
    return rc;
}
