#include <stdio.h>
#include <string.h>

#include "app/cmdline.h"
#include "app/exit_pages.h"
#include "tests/check.h"

static void every_code_has_its_page(void **state)
{
    (void)state;
    struct buf list = {0};
    exit_pages_list(&list);
    for (int i = CMDLINE_EXIT_OK; i <= CMDLINE_EXIT_BLOCKED; i++) {
        char number[16], line[16];
        struct buf page = {0};
        snprintf(number, sizeof number, "%d", i);
        snprintf(line, sizeof line, "\n  %d  ", i);
        assert_true(exit_pages_put(number, &page));
        assert_true(page.len > 60);
        assert_non_null(strstr(buf_str(&list), line));
        buf_deinit(&page);
    }
    buf_deinit(&list);
}

static void other_words_have_none(void **state)
{
    (void)state;
    struct buf b = {0};
    static const char *const bad[] = {"7", "", "-1", "03", "3 ", "pause"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(exit_pages_put(bad[i], &b));
    assert_int_equal(b.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_page),
        cmocka_unit_test(other_words_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
