#include "base/file.h"
#include "engine/memfree.h"
#include "tests/unit/scratch.h"

static char root[PATH_CAP];

static int set_up(void **state)
{
    (void)state;
    scratch_make(root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(root);
    return 0;
}

static void put(const char *name, const char *text)
{
    char path[PATH_CAP], dir[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", root, name), 0);
    assert_int_equal(path_dirname(dir, path), 0);
    assert_int_equal(file_mkdirs(dir, NULL), OK);
    scratch_write(root, name, text, strlen(text));
}

static const char meminfo[] = "MemTotal:       24684092 kB\nMemFree:         1000 kB\n"
                              "MemAvailable:    2000000 kB\nBuffers:           21988 kB\n";

static void without_groups_the_kernels_estimate_counts(void **state)
{
    (void)state;
    put("proc/meminfo", meminfo);
    assert_int_equal(memfree_bytes_below(root), 2000000ull * 1024);
}

static void nothing_known_is_zero(void **state)
{
    (void)state;
    assert_int_equal(memfree_bytes_below(root), 0);
    put("proc/meminfo", "MemTotal: 1 kB\nMemAvailable: ?\n");
    put("proc/self/cgroup", "rubbish\n\n::\n0::/gone\n");
    assert_int_equal(memfree_bytes_below(root), 0);
}

static void a_group_above_may_allow_less(void **state)
{
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "1:cpu:/x\n0::/user/shell\n");
    put("sys/fs/cgroup/user/shell/memory.max", "max\n");
    put("sys/fs/cgroup/user/shell/memory.current", "5000\n");
    put("sys/fs/cgroup/user/memory.max", "1000000\n");
    put("sys/fs/cgroup/user/memory.current", "700000\n");
    assert_int_equal(memfree_bytes_below(root), 300000);
    put("sys/fs/cgroup/user/memory.stat", "anon 1\nactive_file 7\ninactive_file 200000\n");
    assert_int_equal(memfree_bytes_below(root), 500000);
}

static void a_full_group_leaves_the_least(void **state)
{
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "4:memory:/box\n0::/\n");
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1000000\n");
    put("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "999999\n");
    assert_int_equal(memfree_bytes_below(root), 1);
    put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(memfree_bytes_below(root), 2000000ull * 1024);
}

/* Inside a container the group's path is the host's, and its own limits lie at the top. */
static void a_containers_limit_lies_at_the_top(void **state)
{
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "0::/host/only/path\n");
    put("sys/fs/cgroup/memory.max", "4096000\n");
    put("sys/fs/cgroup/memory.current", "96000\n");
    assert_int_equal(memfree_bytes_below(root), 4000000);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    assert_true(memfree_bytes() > 1u << 20);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_groups_the_kernels_estimate_counts),
        CASE(nothing_known_is_zero),
        CASE(a_group_above_may_allow_less),
        CASE(a_full_group_leaves_the_least),
        CASE(a_containers_limit_lies_at_the_top),
        CASE(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
