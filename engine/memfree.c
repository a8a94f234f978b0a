#include "engine/memfree.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"

#define FILE_CAP  16384
#define MAX_DEPTH 32 /* control groups above this process that are looked at */

/* The beginning of a small file as text; "" when it cannot be read. */
static void slurp(const char *path, char dst[FILE_CAP])
{
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n < FILE_CAP - 1) {
        ssize_t got = read(fd, dst + n, FILE_CAP - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    if (fd >= 0) close(fd);
    dst[n] = 0;
}

/* The number behind a word at the start of a line: "MemAvailable:   123 kB". */
static bool find_number(const char *text, const char *word, uint64_t *ret)
{
    size_t n = strlen(word);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, word, n) != 0) continue;
        char *end = NULL;
        uint64_t v = strtoull(at + n, &end, 10);
        if (end == at + n) return false;
        *ret = v;
        return true;
    }
    return false;
}

/* A file that holds one number; "max" is none. */
static bool read_number(const char *folder, const char *name, uint64_t *ret)
{
    char path[PATH_CAP];
    char text[FILE_CAP];
    if (path_format(path, "%s/%s", folder, name)) return false;
    slurp(path, text);
    return find_number(text, "", ret);
}

struct group_files {
    const char *limit, *used, *cache; /* cache: the word in memory.stat for what can be dropped */
};

static const struct group_files v1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                      "total_inactive_file "};
static const struct group_files v2 = {"memory.max", "memory.current", "inactive_file "};

/* What a group still allows; UINT64_MAX when it has no limit. */
static uint64_t left_in(const char *folder, const struct group_files *f)
{
    char path[PATH_CAP];
    char text[FILE_CAP] = "";
    uint64_t limit = 0, used = 0, cache = 0;
    if (!read_number(folder, f->limit, &limit) || !read_number(folder, f->used, &used))
        return UINT64_MAX;
    if (path_format(path, "%s/memory.stat", folder) == 0) slurp(path, text);
    if (!find_number(text, f->cache, &cache) || cache > used) cache = 0;
    used -= cache;
    return used < limit ? limit - used : 0;
}

/* The least that a group and those above it allow. top: where the tree is mounted; group: the
 * path below it. Inside a container the path may be the host's: what is not there says nothing,
 * and the walk up ends at the container's own group.
 */
static uint64_t left_in_tree(const char *top, const char *group, const struct group_files *f)
{
    char folder[PATH_CAP];
    uint64_t least = UINT64_MAX;
    size_t n_top = strlen(top);
    if (path_format(folder, "%s%s", top, group)) return least;
    for (int i = 0; i < MAX_DEPTH; i++) {
        uint64_t left = left_in(folder, f);
        least = left < least ? left : least;
        char *slash = strrchr(folder + n_top, '/');
        if (!slash) break;
        *slash = 0;
    }
    return least;
}

/* Lines of /proc/self/cgroup: "0::/path" is version 2, "4:memory:/path" version 1. */
static uint64_t left_in_groups(const char *root, char *text)
{
    uint64_t least = UINT64_MAX;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char top[PATH_CAP];
        char *kind = strchr(line, ':');
        char *group = kind ? strchr(kind + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        bool is_v1 = strcmp(kind + 1, "memory") == 0;
        if (kind[1] && !is_v1) continue;
        if (path_format(top, "%s/sys/fs/cgroup%s", root, is_v1 ? "/memory" : "")) continue;
        uint64_t left = left_in_tree(top, group, is_v1 ? &v1 : &v2);
        least = left < least ? left : least;
    }
    return least;
}

uint64_t memfree_bytes_below(const char *root)
{
    char path[PATH_CAP];
    char text[FILE_CAP] = "";
    uint64_t kib = 0;
    if (path_format(path, "%s/proc/meminfo", root) == 0) slurp(path, text);
    uint64_t least = find_number(text, "MemAvailable:", &kib) ? kib * 1024 : UINT64_MAX;
    text[0] = 0;
    if (path_format(path, "%s/proc/self/cgroup", root) == 0) slurp(path, text);
    uint64_t left = left_in_groups(root, text);
    least = left < least ? left : least;
    return least == UINT64_MAX ? 0 : least;
}

uint64_t memfree_bytes(void)
{
    return memfree_bytes_below("");
}
