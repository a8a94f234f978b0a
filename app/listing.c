#include "app/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/describe.h"
#include "base/clock.h"
#include "base/file.h"
#include "record/runlist.h"

static int read_list(const char *path, const struct key *k, struct runlist *ret, struct err *e)
{
    struct buf b = {0};
    int rc = file_read(path, RUNLIST_MAX_BYTES, &b, e);
    if (rc == OK) rc = runlist_parse(b.p, b.len, &k->pub, ret, e);
    if (rc == ERR_AUTH)
        err_hint(e, "that list is another keeper's; choose another place with --file");
    buf_deinit(&b);
    return rc == ERR_NOTFOUND ? OK : rc;
}

static int write_list(const char *path, const struct key *k, struct runlist *l, struct err *e)
{
    struct buf b = {0};
    int64_t now_ms = clock_wall_ms();
    /* Later, even when the clock was set back: readers go by it. */
    l->updated_at_ms = now_ms > l->updated_at_ms ? now_ms : l->updated_at_ms + 1;
    int rc = runlist_sign(l, k, &b, e);
    if (rc == OK) buf_put_str(&b, "\n");
    if (rc == OK) rc = buf_ok(&b, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0644, e);
    buf_deinit(&b);
    return rc;
}

static int add_file(const char *path, struct runlist *l, struct err *e)
{
    struct buf b = {0};
    struct rundesc d;
    int rc = file_read(path, RUNDESC_MAX_BYTES, &b, e);
    if (rc == OK) rc = rundesc_parse(b.p, b.len, NULL, &d, e);
    if (rc == OK) rc = runlist_put(l, &d, clock_wall_ms(), e);
    if (rc != OK) err_wrap(e, "'%.80s'", path);
    buf_deinit(&b);
    return rc;
}

static int change(const struct listing_words *w, struct runlist *l, struct err *e)
{
    struct rundesc d;
    const char *word = w->n_rest ? w->rest[0] : "";
    int rc = OK;
    if (w->n_rest == 0) {
        rc = describe_read(w->home, &d, NULL, e);
        return rc == OK ? runlist_put(l, &d, clock_wall_ms(), e) : rc;
    }
    if (strcmp(word, "add") == 0 && w->n_rest > 1) {
        for (int i = 1; i < w->n_rest && rc == OK; i++)
            rc = add_file(w->rest[i], l, e);
        return rc;
    }
    if (strcmp(word, "remove") == 0 && w->n_rest == 2) {
        if (runlist_remove(l, w->rest[1])) return OK;
        err_set(e, ERR_ARG, 0, "no run called '%.60s' is on the list", w->rest[1]);
        err_hint(e, "name it as it is shown, or by eight or more digits of its id");
        return ERR_ARG;
    }
    err_set(e, ERR_ARG, 0, "'list' knows no such words");
    err_hint(e, "list, list add RUN.potluck..., list remove NAME|ID");
    return ERR_ARG;
}

int listing_run(const struct listing_words *w, struct err *e)
{
    char path[PATH_CAP], secret[PATH_CAP], hex[KEY_HEX];
    struct key k = {0};
    struct rundesc d;
    struct runlist *l = calloc(1, sizeof *l);
    int rc = l ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the list of runs");
    bool is_long = path_format(secret, "%s/keys/host.key", w->home) ||
                   (w->file ? path_format(path, "%s", w->file)
                            : path_format(path, "%s/runs.potluck", w->home));
    if (rc == OK && is_long) rc = err_set(e, ERR_LIMIT, 0, "the path of the list is too long");
    if (rc == OK) rc = describe_read(w->home, &d, NULL, e); /* no home, no key made by mistake */
    if (rc == OK) rc = key_load_or_create(secret, &k, e);
    if (rc == OK) rc = read_list(path, &k, l, e);
    if (rc == OK) rc = change(w, l, e);
    if (rc == OK) rc = write_list(path, &k, l, e);
    if (rc == OK)
        printf("%" PRIu32 " run%s in %s, signed by %s\n", l->n, l->n == 1 ? "" : "s", path,
               key_hex(&k.pub, hex));
    key_wipe(&k);
    free(l);
    return rc;
}
