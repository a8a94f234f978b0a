#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/check.h"

static void size_mul_and_add_saturate_on_overflow(void **state)
{
    (void)state;
    assert_int_equal(size_mul(6, 7), 42);
    assert_int_equal(size_mul(SIZE_MAX / 2, 3), SIZE_MAX);
    assert_int_equal(size_add(40, 2), 42);
    assert_int_equal(size_add(SIZE_MAX, 1), SIZE_MAX);
}

static void alloc_refuses_an_overflowing_size(void **state)
{
    (void)state;
    assert_null(alloc_zero(SIZE_MAX / 2, 4));
    assert_null(alloc_aligned(SIZE_MAX / 2, 4));
    assert_null(alloc_resize(NULL, SIZE_MAX / 2, 4));
}

static void alloc_zero_gives_zeroed_memory_even_for_nothing(void **state)
{
    (void)state;
    char *p = alloc_zero(16, 4);
    static const char zeros[64];
    assert_memory_equal(p, zeros, 64);
    free(p);
    p = alloc_zero(0, 4);
    assert_non_null(p);
    free(p);
}

static void alloc_aligned_is_zeroed_and_on_a_cache_line(void **state)
{
    (void)state;
    for (size_t n = 0; n < 130; n += 43) {
        uint8_t *p = alloc_aligned(n, 1);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        free(p);
    }
}

static void alloc_resize_keeps_what_was_there(void **state)
{
    (void)state;
    char *p = alloc_dup("potluck");
    assert_string_equal(p, "potluck");
    p = alloc_resize(p, 4096, 2);
    assert_string_equal(p, "potluck");
    free(p);
}

static void fail_hook_fails_exactly_the_nth_allocation(void **state)
{
    (void)state;
    alloc_fail_nth(2);
    void *first = alloc_zero(1, 8);
    void *second = alloc_aligned(1, 8);
    void *third = alloc_dup("x");
    assert_int_equal(alloc_count(), 3);
    alloc_fail_nth(0);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    free(first);
    free(third);
}

static void xmalloc_returns_zeroed_memory(void **state)
{
    (void)state;
    char *p = xmalloc(8);
    static const char zeros[8];
    assert_memory_equal(p, zeros, 8);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_mul_and_add_saturate_on_overflow),
        cmocka_unit_test(alloc_refuses_an_overflowing_size),
        cmocka_unit_test(alloc_zero_gives_zeroed_memory_even_for_nothing),
        cmocka_unit_test(alloc_aligned_is_zeroed_and_on_a_cache_line),
        cmocka_unit_test(alloc_resize_keeps_what_was_there),
        cmocka_unit_test(fail_hook_fails_exactly_the_nth_allocation),
        cmocka_unit_test(xmalloc_returns_zeroed_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
