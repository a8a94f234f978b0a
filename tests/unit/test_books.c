#include <stdlib.h>
#include <string.h>

#include "app/books.h"
#include "app/cmdline.h"
#include "base/json.h"
#include "tests/check.h"

static struct rundesc run;
static struct key_pub key;

static struct receipts_row row(uint64_t seq, enum msg_verdict v, bool is_settled, const char *text)
{
    struct receipts_row r = {.text = hash_of(text, strlen(text))};
    r.r = (struct msg_receipt){.seq = seq,
                               .round = seq / 2,
                               .n_bytes = 1234,
                               .n_tokens = 4096,
                               .verdict = v,
                               .is_settled = is_settled,
                               .reward = is_settled ? 2500000 : 0};
    if (v != MSG_ACCEPTED) strcpy(r.r.reason, "late by 40 s: \x1b[31mtry the gentle gear");
    return r;
}

static struct books_receipts shown_of(struct books_receipt *rows, uint32_t n)
{
    run = (struct rundesc){.reward_unit = "credits"};
    return (struct books_receipts){.run = &run, .key = &key, .n = n, .rows = rows};
}

static void ours_and_the_hosts_become_one_list(void **state)
{
    (void)state;
    struct receipts_row ours[] = {row(1, MSG_ACCEPTED, false, "a"), row(3, MSG_LATE, false, "b")};
    struct receipts_row host[] = {row(1, MSG_ACCEPTED, true, "A"), row(3, MSG_LATE, false, "b"),
                                  row(5, MSG_ACCEPTED, false, "c")};
    struct books_receipt *all = NULL;
    uint32_t n = 0;
    assert_int_equal(books_merge(ours, 2, host, 3, &all, &n, NULL), OK);
    assert_int_equal(n, 3);
    assert_true(all[0].row.r.is_settled); /* the newer text */
    assert_true(all[0].is_ours);
    assert_false(all[2].is_ours);
    assert_false(all[0].is_double || all[1].is_double || all[2].is_double);
    free(all);
    host[0].r.n_tokens++; /* the host says something else now */
    assert_int_equal(books_merge(ours, 2, host, 3, &all, &n, NULL), OK);
    assert_int_equal(n, 4);
    assert_true(all[0].is_double && all[1].is_double);
    struct books_receipts b = shown_of(all, n);
    assert_int_equal(books_exit(&b), CMDLINE_EXIT_ERROR);
    free(all);
    assert_int_equal(books_merge(NULL, 0, NULL, 0, &all, &n, NULL), OK);
    assert_int_equal(n, 0);
    free(all);
}

static const char *said(const struct books_receipts *b)
{
    static struct buf out;
    buf_clear(&out);
    books_sentence(b, &out);
    print_message("# %s\n", buf_str(&out));
    return buf_str(&out);
}

static void the_sentence_says_whether_work_counted(void **state)
{
    (void)state;
    struct books_receipt rows[3] = {{.row = row(1, MSG_ACCEPTED, true, "a")},
                                    {.row = row(3, MSG_LATE, false, "b")},
                                    {.row = row(5, MSG_ACCEPTED, false, "c")}};
    struct books_receipts b = shown_of(rows, 3);
    assert_non_null(strstr(said(&b), "2 of 3 contributions were accepted, 2.50 credits"));
    assert_int_equal(books_exit(&b), CMDLINE_EXIT_OK);
    b = shown_of(rows + 1, 2); /* none is settled: nobody knows that it is nothing */
    assert_non_null(
        strstr(said(&b), "1 of 2 contributions were accepted, what they earned is not"));
    b = shown_of(rows, 3);
    b.is_verified = true;
    rows[0].verdict.state = rows[1].verdict.state = RECEIPTS_ON_RECORD;
    assert_non_null(strstr(said(&b), "Your work counted: 2 of your 3 receipts are on record"));
    assert_non_null(strstr(said(&b), "1 wait"));
    rows[1].verdict = (struct receipts_verdict){.state = RECEIPTS_UNKNOWN, .what = "no sheet"};
    assert_non_null(strstr(said(&b), "receipt 3: no sheet"));
    assert_int_equal(books_exit(&b), CMDLINE_EXIT_WAITING);
    rows[0].verdict = (struct receipts_verdict){.state = RECEIPTS_WRONG, .what = "it was left out"};
    assert_non_null(strstr(said(&b), "1 of your 3 receipts is not on record as you were told"));
    assert_int_equal(books_exit(&b), CMDLINE_EXIT_ERROR);
    rows[0].verdict.state = RECEIPTS_ON_RECORD;
    b.n_wrong = 1;
    strcpy(b.record_what, "the tree head is forged");
    assert_non_null(strstr(said(&b), "The record itself does not hold: the tree head is forged."));
    b.n = 0;
    assert_non_null(strstr(said(&b), "No contribution"));
}

static void receipts_are_shown_as_text_and_object(void **state)
{
    (void)state;
    struct books_receipt rows[2] = {
        {.row = row(1, MSG_ACCEPTED, true,  "a"), .is_ours = true},
        {.row = row(3, MSG_LATE,     false, "b"), .is_ours = true}
    };
    struct books_receipts b = shown_of(rows, 2);
    struct buf text = {0}, json = {0};
    json_t *o = NULL;
    b.is_verified = true;
    b.n_bad = 1;
    rows[0].verdict.state = rows[1].verdict.state = RECEIPTS_ON_RECORD;
    books_receipts_text(&b, &text);
    assert_non_null(strstr(buf_str(&text), "late by 40 s"));
    assert_null(strchr(buf_str(&text), '\x1b'));
    assert_non_null(strstr(buf_str(&text), "1 lines of this home's file"));
    assert_int_equal(books_receipts_json(&b, &json, NULL), OK);
    assert_int_equal(json_parse(json.p, json.len, &o, NULL), OK);
    assert_int_equal(json_integer_value(json_object_get(o, "accepted")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "late")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "on_record")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "reward_micro")), 2500000);
    const json_t *late = json_array_get(json_object_get(o, "receipts"), 1);
    assert_true(json_is_null(json_object_get(late, "reward_micro")));
    assert_string_equal(json_string_value(json_object_get(late, "status")), "late");
    assert_string_equal(json_string_value(json_object_get(late, "on_record")), "yes");
    json_decref(o);
    buf_deinit(&text);
    buf_deinit(&json);
}

static void put_line(struct credits *c, uint64_t seq, int64_t amount, bool settled, const char *why)
{
    struct msg_credit l = {
        .receipt_seq = seq, .round = 2, .n_tokens = 10, .amount = amount, .is_settled = settled};
    snprintf(l.reason, sizeof l.reason, "%s", why);
    buf_put(&c->lines, &l, sizeof l);
}

static void rewards_are_shown_as_text_object_and_table(void **state)
{
    (void)state;
    struct credits c = {.confirmed = 2500000, .pending = 1000000, .n_accepted = 2};
    struct buf text = {0}, json = {0}, csv = {0};
    json_t *o = NULL;
    run = (struct rundesc){.reward_unit = "credits"};
    put_line(&c, 7, 1000000, false, "=cmd|\"x\", soon");
    put_line(&c, 5, 2500000, true, "10 of 40 tokens merged in round 2");
    books_rewards_text(&c, &run, &text);
    const char *first = strstr(buf_str(&text), "10 of 40 tokens");
    assert_true(first && strstr(first, "pending")); /* oldest first */
    assert_non_null(strstr(buf_str(&text), "2.50 credits confirmed, 1.00 pending; 2 accepted"));
    assert_int_equal(books_rewards_json(&c, &run, &key, &json, NULL), OK);
    assert_int_equal(json_parse(json.p, json.len, &o, NULL), OK);
    assert_int_equal(json_array_size(json_object_get(o, "lines")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "confirmed_micro")), 2500000);
    books_rewards_csv(&c, &csv);
    assert_string_equal(buf_str(&csv),
                        "receipt,round,tokens,amount_micro,state,at_ms,reason\r\n"
                        "5,2,10,2500000,confirmed,0,\"10 of 40 tokens merged in round 2\"\r\n"
                        "7,2,10,1000000,pending,0,\"'=cmd|\"\"x\"\", soon\"\r\n");
    json_decref(o);
    buf_deinit(&text);
    buf_deinit(&json);
    buf_deinit(&csv);
    credits_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_and_the_hosts_become_one_list),
        cmocka_unit_test(the_sentence_says_whether_work_counted),
        cmocka_unit_test(receipts_are_shown_as_text_and_object),
        cmocka_unit_test(rewards_are_shown_as_text_object_and_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
