#pragma once
/* A folder below the build's temporary files that a test may fill and that is removed afterwards. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "tests/check.h"

static inline void scratch_make(char dst[PATH_CAP])
{
    const char *tmp = getenv("TMPDIR");
    assert_int_equal(path_format(dst, "%s/potluck-test-XXXXXX", tmp && *tmp ? tmp : "/tmp"), 0);
    assert_non_null(mkdtemp(dst));
}

static inline void scratch_remove(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *f = NULL;
    while (d && (f = readdir(d))) {
        char child[PATH_CAP];
        struct stat st;
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
        assert_int_equal(path_format(child, "%s/%s", path, f->d_name), 0);
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            scratch_remove(child);
        else
            unlink(child);
    }
    if (d) closedir(d);
    rmdir(path);
}

static inline void scratch_write(const char *dir, const char *name, const void *p, size_t n)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}
