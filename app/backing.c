#include "app/backing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/backup.h"
#include "base/json.h"

bool backing_is_command(const char *command)
{
    return strcmp(command, "backup") == 0 || strcmp(command, "restore") == 0;
}

static int tell_json(const struct backup_report *r, struct err *e)
{
    struct buf b = {0};
    json_t *o = json_object();
    json_set_hash(o, "run", &r->run);
    json_set_i64(o, "taken_at_ms", r->taken_at_ms);
    json_set_u64(o, "files", r->n_files);
    json_set_u64(o, "bytes", r->n_bytes);
    json_set_u64(o, "kept", r->n_kept);
    int rc = json_write(o, &b, e);
    if (rc == OK) puts(buf_str(&b));
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

int backing_run(const char *command, const struct backing_words *w, struct err *e)
{
    struct backup_report r = {0};
    bool is_backup = strcmp(command, "backup") == 0;
    if (w->n_rest != 1 || !*w->rest[0]) {
        err_set(e, ERR_ARG, 0, "say which folder: potluck-aggregator %s --home HOME DIR", command);
        return ERR_ARG;
    }
    int rc = is_backup ? backup_take(w->home, w->rest[0], &r, e)
                       : backup_restore(w->rest[0], w->home, &r, e);
    if (rc != OK) return rc;
    if (w->is_json) return tell_json(&r, e);
    printf("%s  %" PRIu64 " files copied, %.1f MB; %" PRIu64 " were there already\n",
           is_backup ? "backup " : "restore", r.n_files, (double)r.n_bytes / 1e6, r.n_kept);
    if (is_backup)
        printf("safe     in %s, with the run's keys: who has them is this host\n", w->rest[0]);
    else
        printf(
            "next     potluck-aggregator serve --home %s\n"
            "mind     contributors who saw a later round than this backup's refuse a record that\n"
            "         is shorter; docs/OPERATING.md, 'Backup', says what then\n",
            w->home);
    return OK;
}
