#include "app/cmd_key.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "client/keywords.h"

static int key_path(const struct home *h, char dst[PATH_CAP], struct err *e)
{
    return path_format(dst, "%s/key", h->paths.data) == 0
               ? OK
               : err_set(e, ERR_ARG, 0, "the home folder's path is too long");
}

/* The key that is there; none is made. */
static int load(const struct home *h, struct key *ret, char path[PATH_CAP], struct err *e)
{
    int rc = key_path(h, path, e);
    if (rc != OK) return rc;
    if (!file_exists(path)) {
        err_set(e, ERR_NOTFOUND, 0, "there is no key in '%s' yet", h->paths.data);
        err_hint(e, "it is made with the first run, or by `potluck key restore`");
        return ERR_NOTFOUND;
    }
    return home_key(h, ret, e);
}

static int show(const struct home *h, bool is_json, struct err *e)
{
    struct key k;
    char path[PATH_CAP], hex[KEY_HEX], name[MSG_NAME_CAP], shown[40];
    int rc = load(h, &k, path, e);
    if (rc != OK) return rc;
    home_name(h, name);
    home_display_name(name, &k.pub, shown);
    key_hex(&k.pub, hex);
    key_wipe(&k);
    if (!is_json) {
        printf("you are  %s\nkey      %s\nfile     %s (keep a copy: `potluck key backup`)\n", shown,
               hex, path);
        return OK;
    }
    struct buf b = {0};
    json_t *o = json_object();
    json_set_text(o, "name", shown);
    json_set_text(o, "key", hex);
    json_set_text(o, "file", path);
    rc = json_write(o, &b, e);
    if (rc == OK) puts(buf_str(&b));
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static int backup(const struct home *h, struct err *e)
{
    struct key k;
    char path[PATH_CAP], words[KEYWORDS_CAP];
    int rc = load(h, &k, path, e);
    if (rc != OK) return rc;
    keywords_encode(&k, words);
    key_wipe(&k);
    fputs("Whoever has these words has your key. Write them on paper, in this order:\n", stderr);
    for (int i = 0; i < KEYWORDS_N; i++)
        printf("%.5s%s", words + (size_t)i * 6, i % 6 == 5 ? "\n" : " ");
    explicit_bzero(words, sizeof words);
    return OK;
}

/* A key that is there is worth something; it is never written over. */
static int restore(struct home *h, const char *home, struct err *e)
{
    char path[PATH_CAP], text[1024];
    struct key k = {0};
    int rc = home_open(h, home, e);
    if (rc == OK) rc = key_path(h, path, e);
    if (rc == OK && file_exists(path)) {
        rc = err_set(e, ERR_WRONG_STATE, 0, "there is a key already: %.120s", path);
        err_hint(e, "move that file away first; what was earned with it belongs to it");
    }
    if (rc != OK) return rc;
    if (isatty(STDIN_FILENO)) fputs("The eighteen words, then Ctrl-D:\n", stderr);
    size_t n = fread(text, 1, sizeof text, stdin);
    rc = keywords_decode(text, n, &k, e);
    explicit_bzero(text, sizeof text);
    if (rc == OK) rc = file_replace(path, k.seed, sizeof k.seed, 0600, e);
    key_wipe(&k);
    return rc == OK ? show(h, false, e) : rc;
}

int cmd_key(struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    const char *word = c->source ? c->source : "show";
    int rc = ERR_ARG;
    *ret_code = CMDLINE_EXIT_ERROR;
    if (strcmp(word, "show") == 0) {
        rc = show(h, c->is_json, e);
    } else if (strcmp(word, "backup") == 0) {
        rc = backup(h, e);
    } else if (strcmp(word, "restore") == 0) {
        rc = restore(h, c->home, e);
    } else {
        err_set(e, ERR_ARG, 0, "key is followed by show, backup or restore, not '%.40s'", word);
        err_hint(e, "see `potluck help key`");
        *ret_code = CMDLINE_EXIT_USAGE;
    }
    if (rc == OK) *ret_code = CMDLINE_EXIT_OK;
    return rc;
}
