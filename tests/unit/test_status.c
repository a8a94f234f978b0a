#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmdline.h"
#include "app/status.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/check.h"

static struct view *fresh(void)
{
    struct view *v = calloc(1, sizeof *v);
    assert_non_null(v);
    view_init(v);
    return v;
}

static void status_says_the_state_by_its_exit_code(void **state)
{
    (void)state;
    struct view *v = fresh();
    v->state = VIEW_RUNNING;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_OK);
    v->state = VIEW_PAUSED;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_PAUSED);
    v->state = VIEW_SNOOZED;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_PAUSED);
    v->state = VIEW_WAITING;
    v->n_holds = 1;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_PAUSED); /* held back */
    v->holds[0].is_overridden = true;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_WAITING);
    v->n_holds = 0;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_WAITING);
    v->is_run_ended = true;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_OK);
    v->state = VIEW_DONE;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_OK);
    v->state = VIEW_STOPPED;
    assert_int_equal(status_exit(v), CMDLINE_EXIT_ERROR);
    free(v);
}

static void status_json_has_what_scripts_rely_on(void **state)
{
    (void)state;
    static const char *const names[] = {
        "state",    "reason",     "round",          "model_sha256",  "is_model_hash_agreed",
        "accepted", "late",       "rejected",       "tokens",        "tok_per_s",
        "bytes_up", "bytes_down", "bits_per_value", "credits_micro", "run_ended"};
    struct view *v = fresh();
    struct buf b = {0};
    json_t *o = NULL;
    v->n_accepted = 8;
    assert_int_equal(status_json(v, &b, NULL), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(json_object_get(o, names[i]));
    assert_int_equal(json_integer_value(json_object_get(o, "accepted")), 8);
    const char *name = NULL;
    json_t *value = NULL;
    struct buf page = {0};
    assert_int_equal(file_read("docs/PROTOCOL.md", 1 << 20, &page, NULL), OK);
    const char *list = strstr(buf_str(&page), "`potluck status --json` prints");
    assert_non_null(list);
    json_object_foreach(o, name, value)
    {
        char word[64];
        snprintf(word, sizeof word, "`%s`", name);
        if (!strstr(list, word)) fail_msg("%s: not told in docs/PROTOCOL.md", name);
    }
    buf_deinit(&page);
    assert_true(json_is_null(json_object_get(o, "tok_per_s"))); /* not known: never a zero */
    json_decref(o);
    buf_deinit(&b);
    free(v);
}

static void status_text_begins_with_state_and_reason(void **state)
{
    (void)state;
    struct view *v = fresh();
    struct buf b = {0};
    v->state = VIEW_PAUSED;
    strcpy(v->reason, "by you");
    status_text(v, &b);
    assert_string_equal(buf_str(&b), "[PAUSED] by you, until `potluck resume`\n");
    buf_clear(&b);
    v->state = VIEW_SNOOZED;
    strcpy(v->reason, "by you until 09:15");
    v->at_ms = 1000;
    v->ends_at_ms = 61000;
    status_text(v, &b);
    assert_string_equal(buf_str(&b),
                        "[SNOOZED] by you until 09:15 (60 s left), sooner with `potluck resume`\n");
    buf_clear(&b);
    v->ends_at_ms = VIEW_NONE;
    strcpy(v->reason, "by you");
    v->state = VIEW_STOPPED;
    strcpy(v->override_hint, "potluck leave");
    status_text(v, &b);
    assert_string_equal(buf_str(&b), "[STOPPED] by you (potluck leave)\n");
    buf_deinit(&b);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_says_the_state_by_its_exit_code),
        cmocka_unit_test(status_json_has_what_scripts_rely_on),
        cmocka_unit_test(status_text_begins_with_state_and_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
