#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/trainer.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

enum { T = 24, B = 3, N_TOKENS = B * (T + 1) };

static const struct model_config model = {
    .vocab_size = 64,
    .hidden_size = 32,
    .intermediate_size = 48,
    .num_hidden_layers = 2,
    .num_attention_heads = 4,
    .num_key_value_heads = 2,
    .max_position_embeddings = T,
    .rms_norm_eps = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.05,
    .tie_word_embeddings = true,
};

static const struct train_params params = {
    .seq_len = T,
    .batch_seqs = B,
    .lr = 1e-2,
    .lr_min_frac = 0.1,
    .warmup_steps = 3,
    .total_steps = 200,
    .beta1 = 0.9,
    .beta2 = 0.95,
    .eps = 1e-8,
    .weight_decay = 0.1,
    .clip_norm = 1,
    .ef_beta = 0.95,
    .outer_lr = 1,
    .delta = {.chunk = 256, .k = 16},
};

/* Every allocation of the process, whoever makes it (BLAS, libc): counted by standing in front of
 * malloc. The sanitizers stand there already, so their rows count only our own allocator.
 */
static _Atomic uint64_t n_mallocs;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__) &&       \
    !defined(__clang__)
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
    n_mallocs++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    n_mallocs++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    n_mallocs++;
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    n_mallocs++;
    return __libc_memalign(align, n);
}
#endif

static struct trainer *make(uint32_t n_threads)
{
    struct trainer *t = NULL;
    struct err e = {0};
    if (trainer_create(&model, &params, &(struct trainer_options){.n_threads = n_threads}, &t, &e))
        fail_msg("%s", e.what);
    trainer_init_weights(t, 11);
    return t;
}

static void draw(uint64_t i_step, uint32_t *tokens)
{
    struct rng r;
    rng_init(&r, 3, i_step);
    for (int i = 0; i < N_TOKENS; i++)
        tokens[i] = rng_below(&r, model.vocab_size);
}

static struct trainer_step_result step(struct trainer *t, uint64_t i_step)
{
    uint32_t tokens[N_TOKENS];
    struct trainer_step_result r = {0};
    struct err e = {0};
    draw(i_step, tokens);
    if (trainer_step(t, tokens, i_step, &r, &e)) fail_msg("%s", e.what);
    return r;
}

/* One round alone: steps, pack, the own contribution as if it were the update. */
static void steps_and_pack(struct trainer *t, uint64_t first, struct buf *payload)
{
    for (uint64_t i = first; i < first + 4; i++)
        step(t, i);
    buf_clear(payload);
    assert_int_equal(trainer_pack(t, payload, NULL, NULL), OK);
}

static bool same_bits(const struct trainer *a, const struct trainer *b)
{
    size_t n = trainer_table(a)->n_params * sizeof(float);
    return memcmp(trainer_weights(a), trainer_weights(b), n) == 0 &&
           memcmp(trainer_local(a), trainer_local(b), n) == 0;
}

static void trainer_same_seed_gives_same_bits_on_one_and_three_threads(void **state)
{
    (void)state;
    struct trainer *a = make(1);
    struct trainer *b = make(1);
    struct trainer *c = make(3);
    for (uint64_t i = 0; i < 5; i++) {
        double loss = step(a, i).loss;
        double again = step(b, i).loss;
        double threads = step(c, i).loss;
        assert_memory_equal(&loss, &again, sizeof loss);
        assert_memory_equal(&loss, &threads, sizeof loss);
    }
    assert_true(same_bits(a, b));
    assert_true(same_bits(a, c));
    trainer_init_weights(b, 12);
    assert_false(same_bits(a, b));
    trainer_destroy(a);
    trainer_destroy(b);
    trainer_destroy(c);
}

static void trainer_step_allocates_nothing(void **state)
{
    (void)state;
    struct trainer *t = make(3);
    step(t, 0);
    alloc_fail_nth(0);
    uint64_t before = n_mallocs;
    for (uint64_t i = 1; i <= 3; i++)
        step(t, i);
    assert_int_equal(alloc_count(), 0);
    assert_int_equal(n_mallocs - before, 0);
    trainer_destroy(t);
}

static void trainer_loss_falls_on_a_tiny_text_within_fifty_steps(void **state)
{
    (void)state;
    static const char text[] = "the pot is for all who bring something to the pot, and the table "
                               "is long: ";
    struct trainer *t = make(2);
    uint32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++)
        tokens[i] = (uint32_t)text[i % (int)(sizeof text - 1)] % 64;
    struct trainer_step_result r = {0};
    double first = 0;
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(trainer_step(t, tokens, i, &r, NULL), OK);
        if (i == 0) first = r.loss;
    }
    assert_true(fabs(first - log(64)) < 0.3);
    assert_true(r.loss < 0.5);
    assert_int_equal(r.n_tokens, B * T);
    trainer_destroy(t);
}

static void save_path(char *dst, size_t cap)
{
    snprintf(dst, cap, "/tmp/potluck-trainer-%d", (int)getpid());
}

/* Weights, moments, error feedback: if any one of them were not saved, the second payload or the
 * weights after it would differ.
 */
static void trainer_resumed_gives_the_bits_of_one_never_stopped(void **state)
{
    (void)state;
    char path[200];
    char note[100] = {0};
    struct trainer *a = make(2);
    struct buf pa = {0};
    struct buf pb = {0};
    save_path(path, sizeof path);
    steps_and_pack(a, 0, &pa);
    step(a, 4); /* stopped in the middle of the second inner phase */
    assert_int_equal(trainer_save(a, path, "round 1 step 5", NULL), OK);
    struct trainer *b = make(3);
    trainer_init_weights(b, 99);
    struct err e = {0};
    if (trainer_load(b, path, note, sizeof note, &e)) fail_msg("%s", e.what);
    assert_string_equal(note, "round 1 step 5");
    assert_true(same_bits(a, b));
    steps_and_pack(a, 5, &pa);
    steps_and_pack(b, 5, &pb);
    assert_true(same_bits(a, b));
    assert_int_equal(pa.len, pb.len);
    assert_memory_equal(pa.p, pb.p, pa.len);
    unlink(path);
    buf_deinit(&pa);
    buf_deinit(&pb);
    trainer_destroy(a);
    trainer_destroy(b);
}

/* Nothing of what was learnt is left beside the weights: it goes on as one that just began from them. */
static void trainer_that_forgets_is_like_a_new_one(void **state)
{
    (void)state;
    struct trainer *a = make(2), *b = make(2);
    size_t n = trainer_table(b)->n_params * sizeof(float);
    struct buf pa = {0}, pb = {0};
    steps_and_pack(a, 0, &pa);
    steps_and_pack(a, 4, &pa);
    assert_int_equal(trainer_load_weights(a, trainer_weights(b), n, NULL), OK);
    assert_true(same_bits(a, b));
    steps_and_pack(a, 0, &pa); /* without forgetting it is another one */
    steps_and_pack(b, 0, &pb);
    assert_false(pa.len == pb.len && memcmp(pa.p, pb.p, pa.len) == 0);
    trainer_init_weights(b, 5);
    struct trainer *c = make(2);
    trainer_init_weights(c, 5);
    trainer_forget(b);
    steps_and_pack(b, 0, &pb);
    steps_and_pack(c, 0, &pa);
    assert_true(same_bits(b, c));
    assert_int_equal(pa.len, pb.len);
    assert_memory_equal(pa.p, pb.p, pa.len);
    buf_deinit(&pa);
    buf_deinit(&pb);
    trainer_destroy(a);
    trainer_destroy(b);
    trainer_destroy(c);
}

/* As if it had been made with them. */
static void trainer_takes_other_rates(void **state)
{
    (void)state;
    struct train_params half = params;
    half.lr = params.lr / 2;
    half.outer_lr = 0.5;
    struct trainer *a = make(2), *b = NULL;
    struct buf pa = {0}, pb = {0};
    const struct trainer_options o = {.n_threads = 2};
    assert_int_equal(trainer_create(&model, &half, &o, &b, NULL), OK);
    trainer_init_weights(b, 5);
    trainer_init_weights(a, 5);
    trainer_set_rates(a, half.lr, half.outer_lr);
    steps_and_pack(a, 0, &pa);
    steps_and_pack(b, 0, &pb);
    assert_true(same_bits(a, b));
    trainer_destroy(a);
    trainer_destroy(b);
    buf_deinit(&pa);
    buf_deinit(&pb);
}

static void trainer_returned_payload_goes_out_again(void **state)
{
    (void)state;
    struct trainer *a = make(2);
    struct buf first = {0};
    struct buf second = {0};
    struct buf third = {0};
    steps_and_pack(a, 0, &first);
    trainer_reset_local(a);
    assert_int_equal(trainer_pack(a, &second, NULL, NULL), OK);
    assert_int_equal(trainer_return_payload(a, second.p, second.len, NULL), OK);
    assert_int_equal(trainer_return_payload(a, first.p, first.len, NULL), OK);
    assert_int_equal(trainer_pack(a, &third, NULL, NULL), OK);
    assert_true(first.len > 100 && third.len > 100);
    struct err e = {0};
    assert_true(trainer_return_payload(a, first.p, first.len - 1, &e) < 0);
    buf_deinit(&first);
    buf_deinit(&second);
    buf_deinit(&third);
    trainer_destroy(a);
}

static struct hash local_hash(const struct trainer *t)
{
    return hash_of(trainer_local(t), trainer_table(t)->n_params * sizeof(float));
}

static void trainer_cancelled_before_a_step_leaves_everything(void **state)
{
    (void)state;
    struct trainer *t = make(2);
    step(t, 0);
    struct hash before = local_hash(t);
    uint32_t tokens[N_TOKENS];
    struct trainer_step_result r = {0};
    draw(1, tokens);
    trainer_gate(t, TRAINER_CANCEL);
    assert_int_equal(trainer_step(t, tokens, 1, &r, NULL), ERR_CANCELLED);
    struct trainer_eval_result v = {0};
    assert_int_equal(trainer_eval(t, tokens, B, &v, NULL), ERR_CANCELLED);
    struct hash after = local_hash(t);
    assert_true(hash_equal(&before, &after));
    trainer_gate(t, TRAINER_RUN);
    assert_int_equal(trainer_step(t, tokens, 1, &r, NULL), OK);
    trainer_destroy(t);
}

/* ---- cancelled and paused in mid-step, from another thread ---- */

/* The two threads take turns, so that every attempt meets the gate once, at a later moment each
 * time: READY (the step is about to begin) -> the meddler waits a little and shuts the gate ->
 * OVER (the step returned; a paused one is let go first) -> the gate opens -> OPEN.
 */
enum { OPEN, READY, OVER, STOP };

struct meddler {
    struct trainer *t;
    enum trainer_gate gate;
    atomic_int turn;
};

static void wait_while(atomic_int *turn, int state)
{
    while (atomic_load(turn) == state)
        sched_yield();
}

static void *meddle(void *arg)
{
    struct meddler *m = arg;
    for (unsigned k = 0;; k++) {
        wait_while(&m->turn, OPEN);
        if (atomic_load(&m->turn) == STOP) return NULL;
        volatile unsigned x = 0;
        for (unsigned i = 0; i < k % 16 * 4000; i++)
            x = x + i;
        trainer_gate(m->t, m->gate);
        if (m->gate == TRAINER_PAUSE) {
            for (int i = 0; i < 20; i++)
                sched_yield();
            trainer_gate(m->t, TRAINER_RUN);
        }
        wait_while(&m->turn, READY);
        trainer_gate(m->t, TRAINER_RUN);
        atomic_store(&m->turn, OPEN);
    }
}

static int meddled_step(struct meddler *m, uint64_t i_step)
{
    uint32_t tokens[N_TOKENS];
    struct trainer_step_result r = {0};
    draw(i_step, tokens);
    atomic_store(&m->turn, READY);
    int rc = trainer_step(m->t, tokens, i_step, &r, NULL);
    atomic_store(&m->turn, OVER);
    wait_while(&m->turn, OVER);
    assert_true(rc == ERR_CANCELLED || (rc == OK && r.busy_ns >= 0));
    return rc;
}

/* Each cancelled step is tried again, the fourth time in peace. In the end the bits are those of an
 * undisturbed trainer: no attempt left a trace in weights or moments. Returns attempts cancelled.
 */
static int meddled(enum trainer_gate gate)
{
    struct trainer *a = make(2);
    struct trainer *b = make(2);
    struct meddler m = {.t = b, .gate = gate};
    pthread_t other;
    int n_cancelled = 0;
    assert_int_equal(pthread_create(&other, NULL, meddle, &m), 0);
    for (uint64_t i = 0; i < 12; i++) {
        int rc = ERR_CANCELLED;
        for (int attempt = 0; attempt < 3 && rc; attempt++) {
            rc = meddled_step(&m, i);
            n_cancelled += rc == ERR_CANCELLED;
        }
        if (rc) step(b, i);
        step(a, i);
    }
    atomic_store(&m.turn, STOP);
    pthread_join(other, NULL);
    assert_true(same_bits(a, b));
    trainer_destroy(a);
    trainer_destroy(b);
    return n_cancelled;
}

static void trainer_cancelled_in_mid_step_leaves_no_trace(void **state)
{
    (void)state;
    assert_true(meddled(TRAINER_CANCEL) > 0);
}

static void trainer_paused_in_mid_step_computes_the_same(void **state)
{
    (void)state;
    assert_int_equal(meddled(TRAINER_PAUSE), 0);
}

/* ---- refusals ---- */

static void trainer_refuses_a_token_outside_the_vocabulary(void **state)
{
    (void)state;
    struct trainer *t = make(1);
    uint32_t tokens[N_TOKENS];
    struct trainer_step_result r = {0};
    struct trainer_eval_result v = {0};
    struct err e = {0};
    draw(0, tokens);
    tokens[N_TOKENS - 1] = 64;
    struct hash before = local_hash(t);
    assert_int_equal(trainer_step(t, tokens, 0, &r, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "64"));
    assert_int_equal(trainer_eval(t, tokens, B, &v, &e), ERR_PROTO);
    struct hash after = local_hash(t);
    assert_true(hash_equal(&before, &after));
    trainer_destroy(t);
}

static void trainer_says_how_much_memory_a_large_model_needs(void **state)
{
    (void)state;
    struct model_config big = model;
    big.hidden_size = 32768;
    big.intermediate_size = 131072;
    big.num_hidden_layers = 512;
    struct trainer *t = NULL;
    struct err e = {0};
    assert_int_equal(
        trainer_create(&big, &params, &(struct trainer_options){.n_threads = 1}, &t, &e),
        ERR_NOMEM);
    assert_non_null(strstr(e.what, "of memory, "));
    assert_true(e.hint[0] != 0);
    assert_null(t);
}

static struct trainer *make_with(struct trainer_options o)
{
    struct trainer *t = NULL;
    struct err e = {0};
    o.n_threads = o.n_threads ? o.n_threads : 1;
    if (trainer_create(&model, &params, &o, &t, &e)) fail_msg("%s", e.what);
    trainer_init_weights(t, 11);
    return t;
}

/* A round with less memory: nearly the losses of the usual one, a class of its own, and after a
 * payload came back and a restart still the same bits.
 */
static void trainer_with_packed_moments_and_feedback_resumes_the_same_bits(void **state)
{
    (void)state;
    static const char *const words[] = {"moments bf16", "moments 8 bit"};
    char dir[] = "/tmp/potluck-test-XXXXXX", path[64], note[32];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/state", dir);
    struct trainer *plain = make(1);
    for (enum packed_kind kind = PACKED_BF16; kind <= PACKED_Q8; kind++) {
        struct trainer_options o = {.moments = kind, .feedback = PACKED_BF16};
        struct trainer *a = make_with(o);
        o.n_threads = 3;
        struct trainer *b = make_with(o);
        struct buf payload = {0};
        assert_non_null(strstr(trainer_class(a), words[kind - PACKED_BF16]));
        assert_null(strstr(trainer_class(plain), "moments"));
        steps_and_pack(a, 0, &payload);
        assert_int_equal(trainer_return_payload(a, payload.p, payload.len, NULL), OK);
        assert_int_equal(trainer_save(a, path, "x", NULL), OK);
        assert_int_equal(trainer_load(b, path, note, sizeof note, NULL), OK);
        for (uint64_t i = 4; i < 8; i++) {
            struct trainer_step_result x = step(a, i), y = step(b, i);
            assert_memory_equal(&x.loss, &y.loss, sizeof x.loss);
        }
        assert_true(same_bits(a, b));
        assert_int_equal(trainer_load(plain, path, note, sizeof note, NULL), ERR_PROTO);
        buf_deinit(&payload);
        trainer_destroy(a);
        trainer_destroy(b);
    }
    trainer_destroy(plain);
    unlink(path);
    rmdir(dir);
}

static void trainer_alone_has_the_same_course_and_refuses_to_exchange(void **state)
{
    (void)state;
    struct trainer *t = make(1);
    struct trainer *solo = make_with((struct trainer_options){.is_solo = true, .recompute = true});
    for (uint64_t i = 0; i < 4; i++) {
        struct trainer_step_result a = step(t, i), b = step(solo, i);
        assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
    }
    size_t n = trainer_table(t)->n_params * sizeof(float);
    assert_memory_equal(trainer_local(t), trainer_local(solo), n);
    assert_ptr_equal(trainer_weights(solo), trainer_local(solo));
    struct buf payload = {0};
    assert_int_equal(trainer_pack(solo, &payload, NULL, NULL), ERR_WRONG_STATE);
    assert_int_equal(trainer_apply_update(solo, "", 0, NULL), ERR_WRONG_STATE);
    buf_deinit(&payload);
    trainer_destroy(t);
    trainer_destroy(solo);
}

static void trainer_create_survives_every_failed_allocation(void **state)
{
    (void)state;
    int rc = ERR_NOMEM;
    uint64_t k = 1;
    for (; rc; k++) {
        struct trainer *t = NULL;
        struct err e = {0};
        alloc_fail_nth(k);
        rc = trainer_create(&model, &params, &(struct trainer_options){.n_threads = 2}, &t, &e);
        alloc_fail_nth(0);
        assert_true(rc == OK || (rc == ERR_NOMEM && e.what[0]));
        trainer_destroy(t);
    }
    assert_true(k > 8);
}

static void trainer_refuses_unusable_parameters(void **state)
{
    (void)state;
    struct trainer *t = NULL;
    struct train_params p = params;
    p.seq_len = T + 1;
    assert_int_equal(
        trainer_create(&model, &p, &(struct trainer_options){.n_threads = 1}, &t, NULL), ERR_ARG);
    p = params;
    p.lr = (double)NAN;
    assert_int_equal(
        trainer_create(&model, &p, &(struct trainer_options){.n_threads = 1}, &t, NULL), ERR_ARG);
    p = params;
    p.warmup_steps = p.total_steps + 1;
    assert_int_equal(
        trainer_create(&model, &p, &(struct trainer_options){.n_threads = 1}, &t, NULL), ERR_ARG);
    p = params;
    p.delta.k = p.delta.chunk + 1;
    assert_int_equal(
        trainer_create(&model, &p, &(struct trainer_options){.n_threads = 1}, &t, NULL), ERR_ARG);
    assert_int_equal(
        trainer_create(&model, &params, &(struct trainer_options){.n_threads = 0}, &t, NULL),
        ERR_ARG);
}

static void trainer_refuses_a_checkpoint_that_is_short_or_not_finite(void **state)
{
    (void)state;
    struct trainer *t = make(1);
    size_t n = trainer_table(t)->n_params;
    struct hash before = trainer_base_hash(t);
    float *w = calloc(n, sizeof(float));
    assert_int_equal(trainer_load_weights(t, w, n * 4 - 4, NULL), ERR_PROTO);
    w[n - 1] = NAN;
    assert_int_equal(trainer_load_weights(t, w, n * 4, NULL), ERR_PROTO);
    struct hash after = trainer_base_hash(t);
    assert_true(hash_equal(&before, &after));
    w[n - 1] = 1;
    assert_int_equal(trainer_load_weights(t, w, n * 4, NULL), OK);
    assert_memory_equal(trainer_weights(t), w, n * 4);
    assert_memory_equal(trainer_local(t), w, n * 4);
    free(w);
    trainer_destroy(t);
}

static void trainer_takes_no_step_when_the_gradient_is_not_finite(void **state)
{
    (void)state;
    struct trainer *t = make(2);
    size_t n = trainer_table(t)->n_params;
    float *w = calloc(n, sizeof(float));
    for (size_t i = 0; i < n; i++)
        w[i] = i % 2 ? 1e30F : -1e30F;
    assert_int_equal(trainer_load_weights(t, w, n * 4, NULL), OK);
    uint32_t tokens[N_TOKENS];
    struct trainer_step_result r = {0};
    struct err e = {0};
    draw(0, tokens);
    assert_int_equal(trainer_step(t, tokens, 7, &r, &e), ERR_LIMIT);
    assert_non_null(strstr(e.what, "step 7"));
    assert_memory_equal(trainer_local(t), w, n * 4);
    free(w);
    trainer_destroy(t);
}

static void trainer_for_evaluation_agrees_and_does_not_train(void **state)
{
    (void)state;
    struct trainer *t = make(2);
    struct trainer *v = NULL;
    size_t n = trainer_table(t)->n_params;
    uint32_t tokens[N_TOKENS];
    struct trainer_eval_result a = {0};
    struct trainer_eval_result b = {0};
    struct trainer_step_result r = {0};
    draw(0, tokens);
    assert_int_equal(trainer_create(&model, &params,
                                    &(struct trainer_options){.n_threads = 1, .eval_only = true},
                                    &v, NULL),
                     OK);
    assert_int_equal(trainer_load_weights(v, trainer_weights(t), n * 4, NULL), OK);
    step(t, 0); /* local weights move, base weights do not */
    assert_int_equal(trainer_eval(t, tokens, B, &a, NULL), OK);
    assert_int_equal(trainer_eval(v, tokens, B, &b, NULL), OK);
    assert_memory_equal(&a.nats, &b.nats, sizeof a.nats);
    assert_int_equal(b.n_tokens, B * T);
    assert_true(fabs(b.nats / (double)b.n_tokens - log(64)) < 0.3);
    struct buf out = {0};
    assert_int_equal(trainer_step(v, tokens, 0, &r, NULL), ERR_WRONG_STATE);
    assert_int_equal(trainer_pack(v, &out, NULL, NULL), ERR_WRONG_STATE);
    assert_int_equal(trainer_save(v, "unused", "", NULL), ERR_WRONG_STATE);
    trainer_destroy(t);
    trainer_destroy(v);
}

static void trainer_class_names_engine_and_library(void **state)
{
    (void)state;
    struct trainer *t = make(1);
    assert_non_null(strstr(trainer_class(t), "potluck "));
    assert_non_null(strstr(trainer_class(t), "kernels "));
    assert_true(strlen(trainer_class(t)) > 20);
    trainer_destroy(t);
    trainer_destroy(NULL);
}

/* What a contributor does between two phases, on a thread of its own. */
struct chore {
    struct trainer *t;
    const char *path;
    int which;
    struct buf payload;
    atomic_bool has_begun, is_done;
    int rc;
};

static void *do_chore(void *ctx)
{
    struct chore *c = ctx;
    struct hash h;
    atomic_store(&c->has_begun, true);
    switch (c->which) {
    case 0: c->rc = trainer_pack(c->t, &c->payload, NULL, NULL); break;
    case 1: c->rc = trainer_save(c->t, c->path, "note", NULL); break;
    case 2: trainer_reset_local(c->t); break;
    default:
        h = trainer_base_hash(c->t);
        c->rc = h.b[0] == 0 && h.b[1] == 0;
        break;
    }
    atomic_store(&c->is_done, true);
    return NULL;
}

static void trainer_stands_still_while_it_packs_saves_and_hashes(void **state)
{
    (void)state;
    char dir[PATH_CAP], path[PATH_CAP];
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/state", dir), 0);
    struct trainer *t = make(2);
    step(t, 0);
    for (int which = 0; which < 4; which++) {
        struct chore c = {.t = t, .path = path, .which = which};
        pthread_t thread;
        trainer_gate(t, TRAINER_PAUSE);
        assert_int_equal(pthread_create(&thread, NULL, do_chore, &c), 0);
        while (!atomic_load(&c.has_begun))
            sched_yield();
        struct timespec moment = {.tv_nsec = 30 * 1000 * 1000};
        nanosleep(&moment, NULL);
        assert_false(atomic_load(&c.is_done));
        /* Both let it end, and neither loses anything. */
        trainer_gate(t, which % 2 ? TRAINER_CANCEL : TRAINER_RUN);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(c.rc, OK);
        buf_deinit(&c.payload);
        trainer_gate(t, TRAINER_RUN);
    }
    char note[10];
    assert_int_equal(trainer_load(t, path, note, sizeof note, NULL), OK);
    trainer_destroy(t);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trainer_stands_still_while_it_packs_saves_and_hashes),
        cmocka_unit_test(trainer_same_seed_gives_same_bits_on_one_and_three_threads),
        cmocka_unit_test(trainer_step_allocates_nothing),
        cmocka_unit_test(trainer_loss_falls_on_a_tiny_text_within_fifty_steps),
        cmocka_unit_test(trainer_resumed_gives_the_bits_of_one_never_stopped),
        cmocka_unit_test(trainer_that_forgets_is_like_a_new_one),
        cmocka_unit_test(trainer_takes_other_rates),
        cmocka_unit_test(trainer_returned_payload_goes_out_again),
        cmocka_unit_test(trainer_cancelled_before_a_step_leaves_everything),
        cmocka_unit_test(trainer_cancelled_in_mid_step_leaves_no_trace),
        cmocka_unit_test(trainer_paused_in_mid_step_computes_the_same),
        cmocka_unit_test(trainer_refuses_a_token_outside_the_vocabulary),
        cmocka_unit_test(trainer_says_how_much_memory_a_large_model_needs),
        cmocka_unit_test(trainer_with_packed_moments_and_feedback_resumes_the_same_bits),
        cmocka_unit_test(trainer_alone_has_the_same_course_and_refuses_to_exchange),
        cmocka_unit_test(trainer_create_survives_every_failed_allocation),
        cmocka_unit_test(trainer_refuses_unusable_parameters),
        cmocka_unit_test(trainer_refuses_a_checkpoint_that_is_short_or_not_finite),
        cmocka_unit_test(trainer_takes_no_step_when_the_gradient_is_not_finite),
        cmocka_unit_test(trainer_for_evaluation_agrees_and_does_not_train),
        cmocka_unit_test(trainer_class_names_engine_and_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
