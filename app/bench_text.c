#include "app/bench_text.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/path.h"

#define FILE_MOST  ((size_t)4 << 20)
#define FILE_LEAST 512
#define DEPTH_MOST 12

/* What a fixed command prints; nothing when it fails or is not there. */
static void from_command(const char *command, size_t most, struct buf *out)
{
    FILE *f = popen(command, "re"); /* NOLINT(cert-env33-c): constant text, no input of anybody */
    if (!f) return;
    char block[65536];
    size_t n;
    while (out->len < most && (n = fread(block, 1, sizeof block, f)) > 0)
        buf_put(out, block, n < most - out->len ? n : most - out->len);
    (void)pclose(f);
}

static int is_text_name(const char *name, int any_name)
{
    static const char *const patterns[] = {"copyright", "README*", "*.txt",  "*.pod",
                                           "*.md",      "*.rst",   "*.html", "NEWS"};
    if (strstr(name, ".gz")) return 0;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, 0) == 0) return 1;
    return any_name && !strchr(name, '.');
}

static void take_file(const char *path, size_t most, struct buf *out)
{
    struct buf one = {0};
    if (file_read(path, FILE_MOST, &one, NULL) == OK && one.len && !memchr(one.p, 0, one.len))
        buf_put(out, one.p, one.len < most - out->len ? one.len : most - out->len);
    buf_deinit(&one);
}

/* Links are not followed, so the depth is that of real folders. */
static void walk(const char *folder, int any_name, size_t most, int depth, struct buf *out)
{
    struct dirent **list = NULL;
    int n = depth < DEPTH_MOST ? scandir(folder, &list, NULL, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        char path[PATH_CAP];
        struct stat st;
        if (list[i]->d_name[0] != '.' && out->len < most && !out->failed &&
            path_format(path, "%s/%s", folder, list[i]->d_name) == 0 && lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                walk(path, any_name, most, depth + 1, out);
            else if (S_ISREG(st.st_mode) && st.st_size >= FILE_LEAST &&
                     is_text_name(list[i]->d_name, any_name))
                take_file(path, most, out);
        }
        free(list[i]);
    }
    free(list);
}

void bench_text_folder(const char *folder, int any_name, size_t most, struct buf *out)
{
    walk(folder, any_name, most, 0, out);
}

int bench_text_gather(struct buf *out, char *from, size_t cap, struct err *e)
{
    size_t began = out->len;
    size_t most = began + BENCH_TEXT_WANTED;
    from_command("bible -f gen1:1-rev22:21 </dev/null 2>/dev/null", most, out);
    from_command("gzip -dc /usr/share/dictd/foldoc.dict.dz 2>/dev/null", most, out);
    bench_text_folder("/usr/share/games/fortunes", 1, most, out);
    snprintf(from, cap, "bible-kjv, dict-foldoc and fortunes");
    if (out->len - began < 2 * BENCH_TEXT_LEAST) {
        bench_text_folder("/usr/share/perl", 0, most, out);
        bench_text_folder("/usr/share/doc", 0, most, out);
        snprintf(from, cap, "the texts in /usr/share/doc");
    }
    if (buf_ok(out, e) != OK) return ERR_NOMEM;
    if (out->len - began >= BENCH_TEXT_LEAST) return OK;
    err_set(e, ERR_NOTFOUND, 0, "this computer has too little text to train on (%zu bytes)",
            out->len - began);
    err_hint(e, "apt install bible-kjv dict-foldoc fortunes, or name shards with --data DIR");
    return ERR_NOTFOUND;
}
