#include "client/work_state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/trainer_state.h"
#include "record/checkpoint.h"

static void state_path(const struct work_state *s, char dst[PATH_CAP])
{
    check(path_format(dst, "%s/state", s->dir) == 0);
}

int work_state_payload(const char *dir, const struct hash *payload, char dst[PATH_CAP])
{
    char hex[HASH_HEX];
    return path_format(dst, "%s/payload-%.16s", dir, hash_hex(payload, hex));
}

uint64_t work_state_schedule(const struct rundesc *run, uint64_t round, uint32_t i_step)
{
    return rundesc_schedule_step(run, round, i_step);
}

/* Payloads that the state just saved does not name are of no more use. */
static void sweep_payloads(const struct work_state *s)
{
    char keep[PATH_CAP];
    if (work_state_payload(s->dir, &s->journal.payload.hash, keep) != 0) return;
    const char *kept = strrchr(keep, '/') + 1;
    DIR *d = opendir(s->dir);
    if (!d) return;
    const struct dirent *it;
    while ((it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        if (strncmp(it->d_name, "payload-", 8) != 0) continue;
        if (s->journal.has_payload && strcmp(it->d_name, kept) == 0) continue;
        unlinkat(dirfd(d), it->d_name, 0);
    }
    closedir(d);
}

/* The one error that a person can do something about at once gets a short sentence. */
static int storing_failed(int rc, struct err *e)
{
    if (rc == OK || !e || e->sys != ENOSPC) return rc;
    err_set(e, ERR_IO, 0, "the disk is full: the training state cannot be saved");
    err_hint(e, "free some space; nothing is lost, it is tried again by itself");
    return ERR_IO;
}

int work_state_save(struct work_state *s, struct err *e)
{
    char path[PATH_CAP];
    if (s->is_empty) return OK; /* nothing to lose, and no file that would look like a model */
    state_path(s, path);
    struct buf note = {0};
    int rc = journal_encode(&s->journal, &note, e);
    if (rc == OK) rc = trainer_save(s->trainer, path, buf_str(&note), e);
    buf_deinit(&note);
    if (rc != OK) return storing_failed(rc, e);
    s->saved_at_ms = clock_mono_ms();
    sweep_payloads(s);
    return OK;
}

static void begin(struct work_state *s)
{
    s->is_empty = s->run->is_from_checkpoint;
    if (!s->is_empty) trainer_init_weights(s->trainer, s->run->init_seed);
    s->journal = (struct journal){.run = s->run->id};
    s->is_fresh = true;
}

/* The state says a payload waits to be sent: is it really there? */
static void check_payload(struct work_state *s, char *said, size_t said_cap)
{
    struct journal *j = &s->journal;
    if (!j->has_payload) return;
    char path[PATH_CAP];
    struct buf b = {0};
    int rc = work_state_payload(s->dir, &j->payload.hash, path) == 0
                 ? file_read(path, (size_t)j->payload.n_bytes, &b, NULL)
                 : ERR_ARG;
    struct hash h = hash_of(b.p, b.len);
    if (rc == OK && hash_equal(&h, &j->payload.hash)) {
        buf_deinit(&b);
        return;
    }
    buf_deinit(&b);
    j->has_payload = false;
    j->is_round_done = true;
    snprintf(said, said_cap,
             "round %llu's packed contribution is damaged or missing and cannot be sent again",
             (unsigned long long)j->model_round);
}

static int take_up(struct work_state *s, const char *path, struct err *e)
{
    char note[JOURNAL_CAP];
    struct journal j;
    int rc = trainer_load(s->trainer, path, note, sizeof note, e);
    if (rc == OK) rc = journal_decode(note, strlen(note), &j, e);
    if (rc == OK && !hash_equal(&j.run, &s->run->id))
        rc = err_set(e, ERR_AUTH, 0, "the state file belongs to another run");
    if (rc == OK) s->journal = j;
    return rc;
}

/* Not deleted: a person may want to look. One copy is kept, the newest: states are large. */
static int put_aside(const char *path, const struct err *why, char *said, size_t said_cap,
                     struct err *e)
{
    char aside[PATH_CAP];
    if (path_format(aside, "%s.damaged-last", path) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    bool had_one = file_exists(aside);
    if (rename(path, aside) != 0) {
        err_set(e, ERR_IO, errno, "the saved training state is damaged and cannot be moved aside");
        err_hint(e, "look whether the home folder can be written, then start again");
        return ERR_IO;
    }
    snprintf(said, said_cap,
             "%.80s; it was moved to %.60s%s and training starts from the run's weights", why->what,
             strrchr(aside, '/') + 1, had_one ? " (an older one there was replaced)" : "");
    return OK;
}

/* As it was kept, so that the file can be taken up; what is wrong with it shows there. */
static struct trainer_options as_kept(const char *path, const struct trainer_options *how,
                                      struct work_choice chosen)
{
    struct trainer_options o = *how;
    enum packed_kind moments, feedback;
    if (trainer_state_kinds(path, &moments, &feedback, NULL) != OK) return o;
    if (!chosen.moments) o.moments = moments;
    if (!chosen.feedback) o.feedback = feedback;
    return o;
}

int work_state_open(struct work_state *s, const struct rundesc *run, const char *dir,
                    const struct trainer_options *how, struct work_choice chosen, char *said,
                    size_t said_cap, struct err *e)
{
    char path[PATH_CAP];
    said[0] = 0;
    s->run = run;
    if (path_format(s->dir, "%s", dir) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    state_path(s, path);
    struct trainer_options options = as_kept(path, how, chosen);
    options.ahead = run->ahead_steps > 0;
    int rc = trainer_create(&run->model, &run->train, &options, &s->trainer, e);
    if (rc != OK) return rc;
    s->saved_at_ms = clock_mono_ms();
    struct err why = {0};
    rc = file_exists(path) ? take_up(s, path, &why) : ERR_NOTFOUND;
    if (rc == OK) {
        check_payload(s, said, said_cap);
    } else if (rc == ERR_NOTFOUND) {
        begin(s);
        rc = OK;
    } else if (rc == ERR_PROTO || rc == ERR_AUTH) {
        rc = put_aside(path, &why, said, said_cap, e);
        if (rc == OK) begin(s);
    } else {
        /* Memory, permissions, a newer program's file: what was trained is there and stays. */
        if (e) *e = why;
        if (!why.hint[0]) err_hint(e, "nothing was changed; mend that, then start again");
        return rc;
    }
    s->base = trainer_base_hash(s->trainer);
    return rc;
}

void work_state_close(struct work_state *s)
{
    trainer_destroy(s->trainer);
    s->trainer = NULL;
}

static void forget_ahead(struct journal *j)
{
    j->ahead_steps = 0;
    j->ahead_tokens = 0;
    j->ahead_loss_sum = 0;
    j->ahead_busy_ns = 0;
}

/* The phase's worth now lies in the error feedback: nothing of it may be packed again. */
static void forget_phase(struct work_state *s)
{
    struct journal *j = &s->journal;
    trainer_reset_local(s->trainer);
    forget_ahead(j);
    j->n_steps = 0;
    j->n_tokens = 0;
    j->loss_sum = 0;
    j->busy_ns = 0;
    j->has_payload = false;
    j->is_round_done = true;
}

void work_state_give_up(struct work_state *s)
{
    forget_phase(s);
}

void work_state_give_up_ahead(struct work_state *s)
{
    trainer_ahead_drop(s->trainer);
    forget_ahead(&s->journal);
}

static int write_payload(struct work_state *s, const struct buf *b, struct err *e)
{
    char path[PATH_CAP];
    struct hash h = hash_of(b->p, b->len);
    if (work_state_payload(s->dir, &h, path) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return storing_failed(file_replace(path, b->p, b->len, 0600, e), e);
}

/* trainer_pack moves the residual into the error feedback, so it must not run twice for one phase.
 * When the disk fails afterwards, what was packed goes straight back, and the phase stays open: the
 * session asks again later, and the sum of payload and feedback is what it was.
 */
int work_state_pack(struct work_state *s, struct err *e)
{
    struct buf b = {0};
    struct delta_stats stats = {0};
    struct journal before = s->journal;
    struct journal *j = &s->journal;
    int rc = OK;
    if (!j->has_payload) {
        rc = trainer_pack(s->trainer, &b, &stats, e);
        if (rc != OK) goto done;
        j->has_payload = true;
        j->payload = (struct session_payload){
            .hash = hash_of(b.p, b.len), .n_bytes = b.len, .created_at_ms = clock_wall_ms()};
        j->payload.n_chunks = (uint32_t)((b.len + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES);
        j->last_bytes = b.len;
        if (stats.n_values) j->bits_per_value = (double)stats.total_bits / (double)stats.n_values;
        rc = write_payload(s, &b, e);
        if (rc != OK) {
            *j = before;
            int back = trainer_return_payload(s->trainer, b.p, b.len, e);
            trainer_reset_local(s->trainer); /* the phase now lives in the error feedback */
            if (back != OK) rc = back;
            goto done;
        }
    }
    if (s->run->ahead_steps) rc = trainer_ahead_begin(s->trainer, e);
    if (rc == OK) rc = work_state_save(s, e);
done:
    buf_deinit(&b);
    return rc;
}

int work_state_fold(struct work_state *s, struct err *e)
{
    struct buf b = {0};
    int rc = OK;
    if (s->journal.n_steps > 0) { /* not again after a failed save */
        rc = trainer_pack(s->trainer, &b, NULL, e);
        if (rc == OK) rc = trainer_return_payload(s->trainer, b.p, b.len, e);
        if (rc == OK) forget_phase(s);
    }
    buf_deinit(&b);
    return rc == OK ? work_state_save(s, e) : rc;
}

int work_state_return(struct work_state *s, struct err *e)
{
    struct journal *j = &s->journal;
    struct buf b = {0};
    char path[PATH_CAP];
    int rc = OK;
    if (j->has_payload) {
        if (work_state_payload(s->dir, &j->payload.hash, path) != 0)
            return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
        rc = file_read(path, (size_t)j->payload.n_bytes, &b, e);
        if (rc == OK) rc = trainer_return_payload(s->trainer, b.p, b.len, e);
        if (rc == OK) trainer_ahead_fold(s->trainer);
        if (rc == OK) forget_phase(s);
    }
    buf_deinit(&b);
    return rc == OK ? work_state_save(s, e) : rc;
}

/* Steps ahead, if any, are the first ones of its phase. */
static void next_round(struct work_state *s, uint64_t round)
{
    struct journal *j = &s->journal;
    j->model_round = round;
    j->n_steps = j->ahead_steps;
    j->n_tokens = j->ahead_tokens;
    j->loss_sum = j->ahead_loss_sum;
    j->busy_ns = j->ahead_busy_ns;
    forget_ahead(j);
    j->is_round_done = false;
    j->has_payload = false;
    s->base = trainer_base_hash(s->trainer);
}

int work_state_apply(struct work_state *s, const void *bytes, size_t n, struct err *e)
{
    int rc = trainer_apply_update(s->trainer, bytes, n, e);
    if (rc == OK) next_round(s, s->journal.model_round + 1);
    return rc;
}

int work_state_load(struct work_state *s, uint64_t round, const void *bytes, size_t n,
                    struct err *e)
{
    struct checkpoint c;
    int rc = checkpoint_parse(bytes, n, &c, e);
    if (rc == OK && c.round != round)
        rc = err_set(e, ERR_PROTO, 0, "the checkpoint is for round %llu, not %llu",
                     (unsigned long long)c.round, (unsigned long long)round);
    if (rc == OK && round == 0 && !hash_equal(&c.model, &s->run->initial_model)) {
        err_set(e, ERR_AUTH, 0, "the first weights are not those that the run description names");
        err_hint(e, "tell the run's host");
        rc = ERR_AUTH;
    }
    if (rc == OK) rc = trainer_load_weights(s->trainer, c.weights, c.n_bytes, e);
    if (rc != OK) return rc;
    forget_ahead(&s->journal);
    s->is_empty = false;
    next_round(s, round);
    return OK;
}
