#include <string.h>

#include "aggregator/round_reply.h"
#include "tests/check.h"

static struct round_actions out;

static void a_refusal_carries_status_words_and_hint(void **state)
{
    (void)state;
    out.n = 0;
    round_reply_refuse(&out, 7, 409, "do that", "because of %d", 3);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.a[0].req, 7);
    assert_int_equal(out.a[0].status, 409);
    assert_string_equal(out.a[0].detail, "because of 3");
    assert_string_equal(out.a[0].hint, "do that");
}

static void nobody_waiting_means_no_reply(void **state)
{
    struct key_pub k = {{1}};
    (void)state;
    out.n = 0;
    round_reply_refuse(&out, 0, 409, "x", "y");
    round_reply_receipt(&out, 0, &k, 1);
    assert_int_equal(out.n, 0);
}

static void a_full_disk_is_507_and_other_trouble_503(void **state)
{
    (void)state;
    out.n = 0;
    round_reply_storage(&out, 1, ROUND_FULL);
    round_reply_storage(&out, 1, ROUND_FAILED);
    assert_int_equal(out.a[0].status, 507);
    assert_int_equal(out.a[1].status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_carries_status_words_and_hint),
        cmocka_unit_test(nobody_waiting_means_no_reply),
        cmocka_unit_test(a_full_disk_is_507_and_other_trouble_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
