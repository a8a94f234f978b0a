/* The table of what is sent, held against the encoders, the sources and docs/PRIVACY.md, so that a
 * field or a request that is added anywhere has to be told here too. Runs in the source folder.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/jws.h"
#include "client/sent.h"
#include "record/msg.h"
#include "record/payee.h"
#include "tests/check.h"

#define MAX_SOURCE (1u << 20)

static bool has_field(const struct sent_kind *k, const char *name, size_t n)
{
    for (size_t i = 0; i < SENT_MAX_FIELDS && k->fields[i].name; i++)
        if (strlen(k->fields[i].name) == n && strncmp(k->fields[i].name, name, n) == 0) return true;
    return false;
}

static bool is_in_path(const struct sent_kind *k, const char *name)
{
    char text[64];
    snprintf(text, sizeof text, "{%s}", name);
    return strstr(k->path, text) != NULL;
}

static const struct sent_kind *kind_of_typ(const char *typ)
{
    for (int i = 0; i < SENT_KINDS; i++) {
        const struct sent_kind *k = sent_kind((enum sent_what)i);
        if (k->typ && strcmp(k->typ, typ) == 0) return k;
    }
    fail_msg("%s is sent, and not in the table", typ);
    return NULL;
}

/* ---- bodies: what the encoders really write ---- */

static void compare_body(const struct buf *jws, const char *typ)
{
    const struct sent_kind *k = kind_of_typ(typ);
    json_t *o = NULL;
    const char *name = NULL;
    json_t *v = NULL;
    assert_int_equal(jws_verify((const char *)jws->p, jws->len, typ, NULL, &o, NULL, NULL), OK);
    json_object_foreach(o, name, v)
    {
        assert_false(json_is_object(v)); /* an object inside would hide fields from this test */
        if (!has_field(k, name, strlen(name))) fail_msg("%s: '%s' is sent, not told", typ, name);
    }
    for (size_t i = 0; i < SENT_MAX_FIELDS && k->fields[i].name; i++)
        if (!json_object_get(o, k->fields[i].name) && !is_in_path(k, k->fields[i].name))
            fail_msg("%s: '%s' is told, not sent", typ, k->fields[i].name);
    json_decref(o);
}

static void every_field_of_a_signed_body_is_told(void **state)
{
    (void)state;
    static struct msg_manifest m = {.id = "00112233445566778899aabbccddeeff",
                                    .n_bytes = 5,
                                    .n_chunks = 1,
                                    .n_tokens = 1,
                                    .n_steps = 1,
                                    .engine = "e"};
    struct msg_join j = {.client = "c"};
    struct msg_reserve r = {.max_bytes = 1};
    struct key key;
    struct buf b = {0};
    key_generate(&key);
    assert_int_equal(msg_join_sign(&j, &key, &b, NULL), OK);
    compare_body(&b, "potluck-join+1");
    buf_clear(&b);
    assert_int_equal(msg_reserve_sign(&r, &key, &b, NULL), OK);
    compare_body(&b, "potluck-reserve+1");
    buf_clear(&b);
    assert_int_equal(msg_manifest_sign(&m, &key, &b, NULL), OK);
    compare_body(&b, "potluck-manifest+1");
    buf_clear(&b);
    struct payee p = {.kind = PAYEE_TEXT, .address = "a"};
    assert_int_equal(payee_sign(&p, &key, &b, NULL), OK);
    compare_body(&b, "potluck-payout+1");
    buf_deinit(&b);
}

/* ---- paths ---- */

static void every_field_of_a_path_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < SENT_KINDS; i++) {
        const struct sent_kind *k = sent_kind((enum sent_what)i);
        assert_non_null(k->path);
        assert_true(k->when && strlen(k->when) > 20);
        for (const char *p = k->path; (p = strchr(p, '{')); p++)
            if (!has_field(k, p + 1, strcspn(p + 1, "}"))) fail_msg("%s: not told", k->path);
        for (size_t f = 0; !k->typ && f < SENT_MAX_FIELDS && k->fields[f].name; f++)
            if (!is_in_path(k, k->fields[f].name))
                fail_msg("%s: '%s' is not in it", k->path, k->fields[f].name);
    }
}

static void values_take_their_places(void **state)
{
    (void)state;
    char path[96];
    assert_string_equal(SENT_PATH(SENT_CHUNK, path, sizeof path, "ab", "7"),
                        "/v1/contributions/ab/chunks/7");
    assert_string_equal(SENT_PATH(SENT_GOODBYE, path, sizeof path, "s"),
                        "/v1/round?session=s&state=gone");
    assert_string_equal(sent_path(SENT_JOIN, NULL, 0, path, sizeof path), "/v1/join");
}

/* ---- sources ---- */

static void read_text(const char *path, struct buf *b)
{
    struct err e = {0};
    buf_clear(b);
    if (file_read(path, MAX_SOURCE, b, &e) != OK) fail_msg("%s: %s", path, e.what);
    (void)buf_str(b);
}

typedef void (*source_fn)(const char *path, const char *text, void *ctx);

static void each_source(const char *folder, source_fn fn, void *ctx)
{
    struct buf b = {0};
    uint32_t n = 0;
    struct dirent *f = NULL;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
        char path[512];
        size_t len = strlen(f->d_name);
        if (len < 3 || strcmp(f->d_name + len - 2, ".c") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        read_text(path, &b);
        fn(path, buf_str(&b), ctx);
        n++;
    }
    (void)closedir(d);
    assert_true(n > 3);
    buf_deinit(&b);
}

/* The control socket is this machine talking to itself. */
static bool is_local(const char *path)
{
    static const char *const local[] = {"client/control.c", "app/talk.c", "app/attach.c"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (strcmp(path, local[i]) == 0) return true;
    return strcmp(path, "client/sent.c") == 0;
}

static void look_for_paths(const char *path, const char *text, void *ctx)
{
    (void)ctx;
    if (!is_local(path) && strstr(text, "\"/v1/"))
        fail_msg("%s makes a request of its own; its path belongs into client/sent.c", path);
}

static void no_request_is_made_beside_the_table(void **state)
{
    (void)state;
    each_source("client", look_for_paths, NULL);
    each_source("app", look_for_paths, NULL);
}

static void look_for_signing(const char *path, const char *text, void *ctx)
{
    (void)path;
    for (const char *p = text; (p = strstr(p, "msg_")); p += 4) {
        char word[32] = "", typ[48];
        size_t n = strcspn(p + 4, "_(");
        if (n >= sizeof word || strncmp(p + 4 + n, "_sign(", 6) != 0) continue;
        memcpy(word, p + 4, n);
        snprintf(typ, sizeof typ, "potluck-%s+1", word);
        kind_of_typ(typ);
        ++*(uint32_t *)ctx;
    }
}

static void whatever_the_client_signs_is_told(void **state)
{
    uint32_t n = 0;
    (void)state;
    each_source("client", look_for_signing, &n);
    assert_int_equal(n, 3);
}

struct uses {
    char name[40];
    bool is_used;
};

static void look_for_use(const char *path, const char *text, void *ctx)
{
    struct uses *u = ctx;
    if (strcmp(path, "client/sent.c") == 0) return;
    for (const char *p = text; (p = strstr(p, u->name)); p++) {
        char after = p[strlen(u->name)];
        if (after == ')' || after == ',' || after == ' ' || after == ';') u->is_used = true;
    }
}

static void nothing_is_told_that_is_never_sent(void **state)
{
    struct buf b = {0};
    uint32_t n = 0;
    (void)state;
    read_text("client/sent.h", &b);
    const char *p = strstr(buf_str(&b), "enum sent_what {");
    const char *end = strstr(buf_str(&b), "    SENT_KINDS,");
    assert_true(p && end);
    while ((p = strstr(p, "    SENT_")) && p < end) {
        struct uses u = {0};
        snprintf(u.name, sizeof u.name, "%.*s", (int)strcspn(p + 4, ","), p + 4);
        each_source("client", look_for_use, &u);
        each_source("app", look_for_use, &u);
        if (!u.is_used) fail_msg("%s is in the table, and nobody sends it", u.name);
        p++;
        n++;
    }
    assert_int_equal(n, SENT_KINDS);
    buf_deinit(&b);
}

static void the_header_fields_are_those_of_the_link(void **state)
{
    static const char mark[] = "(struct h2_field){\"";
    const struct sent_field *told = sent_headers();
    struct buf b = {0};
    uint32_t n = 0, n_told = 0;
    (void)state;
    read_text("net/link.c", &b);
    for (const char *p = buf_str(&b); (p = strstr(p, mark)); p++) {
        const char *name = p + sizeof mark - 1;
        size_t len = strcspn(name, "\"");
        bool is_told = false;
        for (size_t i = 0; told[i].name; i++)
            is_told |= strlen(told[i].name) == len && strncmp(told[i].name, name, len) == 0;
        if (!is_told) fail_msg("the header '%.*s' is sent, not told", (int)len, name);
        n++;
    }
    while (told[n_told].name)
        n_told++;
    assert_int_equal(n, n_told);
    buf_deinit(&b);
}

/* ---- what people read ---- */

static void privacy_md_shows_the_very_table(void **state)
{
    struct buf doc = {0}, want = {0};
    (void)state;
    read_text("docs/PRIVACY.md", &doc);
    buf_put_str(&want, "```\n");
    sent_text(&want);
    buf_put_str(&want, "```\n");
    if (!strstr(buf_str(&doc), buf_str(&want)))
        fail_msg("docs/PRIVACY.md does not show what `potluck status --what-is-sent` prints");
    buf_deinit(&doc);
    buf_deinit(&want);
}

static void json_tells_the_same(void **state)
{
    struct buf b = {0};
    json_t *o = NULL;
    (void)state;
    assert_int_equal(sent_json(&b, NULL), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    const json_t *list = json_object_get(o, "requests");
    assert_int_equal(json_array_size(list), SENT_KINDS);
    const json_t *join = json_array_get(list, SENT_JOIN);
    assert_string_equal(json_string_value(json_object_get(join, "signed_as")), "potluck-join+1");
    assert_int_equal(json_object_size(json_object_get(join, "fields")), 6);
    json_decref(o);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_signed_body_is_told),
        cmocka_unit_test(every_field_of_a_path_is_told),
        cmocka_unit_test(values_take_their_places),
        cmocka_unit_test(no_request_is_made_beside_the_table),
        cmocka_unit_test(whatever_the_client_signs_is_told),
        cmocka_unit_test(nothing_is_told_that_is_never_sent),
        cmocka_unit_test(the_header_fields_are_those_of_the_link),
        cmocka_unit_test(privacy_md_shows_the_very_table),
        cmocka_unit_test(json_tells_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
