#pragma once
/* What every back end for the big things must do (aggregator/spool_driver.h), whatever it is made
 * of. A test gives the driver and a way to forget everything that is not durable.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/spool.h"
#include "tests/check.h"

struct conform_blobs {
    const struct spool_driver *driver;
    char home[PATH_CAP]; /* an empty place */
};

static inline void conform_blobs_is(const struct spool *s, const char *name, const char *want)
{
    struct buf b = {0};
    struct err e = {0};
    buf_put_str(&b, "before"); /* read appends */
    if (want) {
        assert_int_equal(s->driver->read(s, name, strlen(want), &b, &e), OK);
        assert_int_equal(b.len, 6 + strlen(want));
        assert_memory_equal(b.p + 6, want, strlen(want));
        assert_true(s->driver->exists(s, name));
    } else {
        assert_int_equal(s->driver->read(s, name, 100, &b, &e), ERR_NOTFOUND);
        assert_int_equal(b.len, 6);
        assert_false(s->driver->exists(s, name));
        assert_int_equal(s->driver->fd(s, name), -1);
    }
    buf_deinit(&b);
}

static inline void conform_blobs_count(const char *name, void *ctx)
{
    assert_null(strchr(name, '/'));
    ++*(int *)ctx;
}

static inline int conform_blobs_n(const struct spool *s, const char *folder)
{
    int n = 0;
    s->driver->list(s, folder, conform_blobs_count, &n);
    return n;
}

struct conform_blobs_writer {
    struct spool *s;
    int who;
};

/* Replace a name of one's own, over and over, and the first of us also one that all of us read:
 * what is read is always whole.
 */
static inline void *conform_blobs_work(void *arg)
{
    const struct conform_blobs_writer *w = arg;
    char own[32], many[32], text[2000];
    struct err e = {0};
    snprintf(own, sizeof own, "folder/own%d", w->who);
    for (int i = 0; i < 30; i++) {
        struct buf b = {0};
        memset(text, 'a' + i % 26, sizeof text);
        if (w->who == 0)
            check(w->s->driver->put(w->s, "folder/shared", text, sizeof text, &e) == OK);
        snprintf(many, sizeof many, "many/%d.%d", w->who, i);
        check(w->s->driver->put_many(w->s, many, own, sizeof own, &e) == OK);
        check(w->s->driver->put_many(w->s, many, own, strlen(own), &e) == OK);
        check(w->s->driver->put(w->s, own, text, (size_t)i, &e) == OK);
        check(w->s->driver->read(w->s, "folder/shared", sizeof text, &b, &e) == OK);
        check(b.len == sizeof text);
        for (size_t k = 1; k < b.len; k++)
            check(b.p[k] == b.p[0]);
        buf_clear(&b);
        check(w->s->driver->read(w->s, own, sizeof text, &b, &e) == OK && b.len == (size_t)i);
        buf_deinit(&b);
    }
    return NULL;
}

static inline void conform_blobs_threads(struct spool *s)
{
    char text[2000];
    struct err e = {0};
    memset(text, 'z', sizeof text);
    assert_int_equal(s->driver->put(s, "folder/shared", text, sizeof text, &e), OK);
    pthread_t t[4];
    struct conform_blobs_writer w[4];
    for (int i = 0; i < 4; i++) {
        w[i] = (struct conform_blobs_writer){s, i};
        assert_int_equal(pthread_create(&t[i], NULL, conform_blobs_work, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(conform_blobs_n(s, "many"), 4 * 30);
    conform_blobs_is(s, "many/3.29", "folder/own3");
    conform_blobs_is(s, "many/0.0", "folder/own0");
}

static inline void conform_blobs_big(const struct spool *s)
{
    size_t n = (3u << 20) + 1;
    uint8_t *p = malloc(n);
    struct buf b = {0};
    struct err e = {0};
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 31 >> 3); /* zeros and newlines among them */
    assert_int_equal(s->driver->put(s, "updates/big", p, n, &e), OK);
    assert_int_equal(s->driver->read(s, "updates/big", n - 1, &b, &e), ERR_LIMIT);
    assert_int_equal(b.len, 0);
    assert_int_equal(s->driver->read(s, "updates/big", n, &b, &e), OK);
    assert_int_equal(b.len, n);
    assert_memory_equal(b.p, p, n);
    buf_deinit(&b);
    free(p);
}

static inline void conform_blobs_run(const struct conform_blobs *c)
{
    struct spool s;
    struct err e = {0};
    assert_int_equal(spool_open_with(&s, c->driver, c->home, &e), OK);
    assert_true(c->driver->name && *c->driver->name);
    conform_blobs_is(&s, "payloads/x", NULL);
    assert_int_equal(conform_blobs_n(&s, "payloads"), 0);
    s.driver->drop(&s, "payloads/x"); /* of nothing */
    assert_int_equal(s.driver->put(&s, "payloads/x", "first", 5, &e), OK);
    conform_blobs_is(&s, "payloads/x", "first");
    assert_int_equal(s.driver->put(&s, "payloads/x", "second one", 10, &e), OK);
    assert_int_equal(s.driver->put(&s, "payloads/y", "", 0, &e), OK);
    assert_int_equal(s.driver->put(&s, "record/tile/entries/x001/234.p/17", "deep", 4, &e), OK);
    conform_blobs_is(&s, "payloads/x", "second one");
    conform_blobs_is(&s, "payloads/y", "");
    conform_blobs_is(&s, "record/tile/entries/x001/234.p/17", "deep");
    conform_blobs_is(&s, "payloads/z", NULL);
    conform_blobs_is(&s, "updates/x", NULL); /* folders are apart */
    assert_int_equal(conform_blobs_n(&s, "payloads"), 2);
    s.driver->drop(&s, "payloads/y");
    conform_blobs_is(&s, "payloads/y", NULL);
    assert_int_equal(conform_blobs_n(&s, "payloads"), 1);
    conform_blobs_big(&s);
    conform_blobs_threads(&s);
    spool_close(&s);
    assert_int_equal(spool_open_with(&s, c->driver, c->home, &e), OK); /* a restart */
    conform_blobs_is(&s, "payloads/x", "second one");
    conform_blobs_is(&s, "payloads/y", NULL);
    conform_blobs_is(&s, "record/tile/entries/x001/234.p/17", "deep");
    (void)s.driver->room(&s);
    spool_close(&s);
}
