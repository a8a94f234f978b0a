#include <sys/wait.h>

#include "aggregator/describe.h"
#include "aggregator/finish.h"
#include "aggregator/prepare.h"
#include "aggregator/serve.h"
#include "aggregator/setup.h"
#include "aggregator/store_record.h"
#include "base/file.h"
#include "base/log.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP];
static struct rundesc d;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    char text[PATH_CAP];
    const char *paths[1] = {text};
    struct prepare_report r;
    struct prepare_options o = {
        .home = dir, .paths = paths, .n_paths = 1, .vocab_size = 300, .val_frac = 0.1};
    struct setup s;
    log_set_stderr(0);
    scratch_make(dir);
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(mkdir(text, 0700), 0);
    textfolder_fill(text, "a.txt", 200000, 1);
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    assert_int_equal(setup_set(&s, "hidden", "32", &e), OK);
    assert_int_equal(setup_set(&s, "layers", "1", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(describe_read(dir, &d, NULL, &e) == OK ? OK : describe_home(dir, &d, &e), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static struct store *open_books(void)
{
    char path[PATH_CAP];
    struct store *s = NULL;
    assert_int_equal(path_format(path, "%s/aggregator.db", dir), 0);
    assert_int_equal(store_open(path, &d.id, &s, &e), OK);
    return s;
}

static struct store_tail tail_now(void)
{
    struct store_tail tail;
    struct store *s = open_books();
    assert_int_equal(store_record_tail(s, &tail, &e), OK);
    store_close(s);
    return tail;
}

/* serve_lock is held until a process ends, so that each end is in one of its own. */
static struct finish_report finish_elsewhere(void)
{
    struct finish_report r;
    int fd[2], status = 0;
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int rc = finish_run(dir, &r, &e);
        bool is_sent = write(fd[1], &r, sizeof r) == (ssize_t)sizeof r;
        _exit(rc == OK && is_sent ? 0 : 1);
    }
    close(fd[1]);
    assert_int_equal(read(fd[0], &r, sizeof r), (ssize_t)sizeof r);
    close(fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return r;
}

static void a_run_without_rounds_ends_with_the_model_it_began_with(void **state)
{
    (void)state;
    struct finish_report r = finish_elsewhere();
    assert_false(r.is_asked || r.was_ended);
    assert_int_equal(r.n_rounds, 0);
    assert_true(hash_equal(&r.model, &d.initial_model));
    assert_true(tail_now().is_ended);
    assert_int_equal(tail_now().n_entries, 2);
    assert_true(finish_elsewhere().was_ended);
    assert_int_equal(tail_now().n_entries, 2);
}

/* What was refused in the open round is put on a sheet before the end. */
static void receipts_of_the_open_round_are_settled(void **state)
{
    (void)state;
    struct round_op op = {
        .contributor = {{1}}, .verdict = MSG_REJECTED, .reason = "too many steps"};
    struct key k;
    uint64_t seq = 0;
    enum msg_verdict v;
    key_generate(&k);
    op.claim = (struct round_claim){.n_bytes = 1, .n_tokens = 1, .n_steps = 1};
    op.claim.payload = hash_of("x", 1);
    struct store *s = open_books();
    assert_int_equal(store_receipt_put(s, &op, &d.id, &k, 1, &seq, &v, &e), OK);
    store_close(s);
    assert_int_equal(finish_elsewhere().n_rounds, 1);
    assert_true(tail_now().is_ended);
    assert_int_equal(tail_now().next_seq, seq + 1);
    assert_int_equal(tail_now().n_entries, 3);
}

static void while_it_is_served_the_wish_is_written_down(void **state)
{
    (void)state;
    struct finish_report r;
    assert_int_equal(serve_lock(dir, &e), OK);
    assert_int_equal(finish_run(dir, &r, &e), OK);
    assert_true(r.is_asked && tail_now().is_ending && !tail_now().is_ended);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_without_rounds_ends_with_the_model_it_began_with),
        CASE(receipts_of_the_open_round_are_settled),
        CASE(while_it_is_served_the_wish_is_written_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
