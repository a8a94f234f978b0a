/* Foreign bytes as a host's list of changes: as they are, and each line that is JSON signed by the
 * fuzzer's own key as an entry. What is taken gives terms that a run may have, in every round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/jws.h"
#include "base/log.h"
#include "client/changes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_list(struct changes *c, const void *p, size_t n)
{
    struct err e = {0};
    if (changes_take(c, p, n, &e) != OK) check(e.what[0]);
    for (uint64_t round = 0; round < 40; round++) {
        struct course_terms t = course_terms(&c->course, round);
        check(t.upload_ms > 0 && t.max_inner_steps > 0 && t.lr > 0 && t.outer_lr > 0);
        check(course_schedule_step(&t, 3) >= t.first_step);
    }
}

static void sign_lines(const uint8_t *data, size_t size, const struct key *k, struct buf *out)
{
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end ? (size_t)(end - data) - at : size - at;
        json_t *v = NULL;
        if (json_parse(data + at, n, &v, NULL) == OK && json_is_object(v)) {
            check(jws_sign(v, "potluck-entry+1", k, out, NULL) == OK);
            buf_put_u8(out, '\n');
        }
        json_decref(v);
        at += n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    static struct rundesc run;
    struct key k;
    struct changes c;
    struct buf list = {0};
    char dir[] = "/tmp/potluck-fuzz-XXXXXX";
    if (size > 1U << 14) return 0;
    log_set_stderr(0);
    check(key_from_seed(seed, &k, NULL) == OK && mkdtemp(dir));
    run = (struct rundesc){
        .inner_steps = 10,
        .max_inner_steps = 12,
        .upload_ms = 1000,
        .min_contributions = 1,
        .n_aggregators = 1,
        .train = {.lr = 1e-3, .outer_lr = 1}
    };
    run.aggregators[0].key = k.pub;
    check(changes_open(&c, dir, &run, NULL) == OK);
    try_list(&c, data, size);
    sign_lines(data, size, &k, &list);
    try_list(&c, list.p, list.len);
    (void)remove(c.path);
    check(rmdir(dir) == 0);
    changes_deinit(&c);
    buf_deinit(&list);
    return 0;
}
