#include "app/cmd_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/talk.h"
#include "base/json.h"
#include "client/config.h"

static const char *environment(const char *name, void *ctx)
{
    (void)ctx;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* As an agent that is started now would have them. */
static int read_here(const struct home *h, struct config *ret, struct err *e)
{
    int rc = config_file_read(ret, h->paths.config, e);
    return rc == OK ? config_environment(ret, environment, NULL, e) : rc;
}

static enum config_source source_of(const char *word)
{
    for (int i = CONFIG_DEFAULT; i <= CONFIG_FLAG; i++)
        if (strcmp(config_source_name((enum config_source)i), word) == 0)
            return (enum config_source)i;
    return CONFIG_FILE;
}

/* The agent's answer: the same table, by its own sources. */
static int take_answer(const struct buf *b, struct config *ret, struct err *e)
{
    json_t *o = NULL;
    const json_t *row = NULL;
    size_t i = 0;
    config_init(ret);
    int rc = json_parse(b->p, b->len, &o, e);
    if (rc != OK) return rc;
    json_each (i, row, json_object_get(o, "settings")) {
        const char *key = json_string_value(json_object_get(row, "key"));
        const char *value = json_string_value(json_object_get(row, "value"));
        const char *source = json_string_value(json_object_get(row, "source"));
        enum config_key k = key ? config_find(key) : CONFIG_KEYS;
        if (k == CONFIG_KEYS || !value || !source) continue; /* of a newer agent */
        rc = config_take(ret, k, value, source_of(source), e);
        if (rc != OK) break;
    }
    json_decref(o);
    return rc;
}

static int look(const struct home *h, struct config *ret, struct buf *raw, struct err *e)
{
    int rc = talk_settings(h->paths.socket, raw, e);
    if (rc == OK) return take_answer(raw, ret, e);
    if (rc != ERR_NOTFOUND) return rc;
    if (e) *e = (struct err){0};
    rc = read_here(h, ret, e);
    return rc == OK ? config_json(ret, h->paths.config, NULL, raw, e) : rc;
}

static int change(const struct home *h, enum config_key k, const char *value, struct err *e)
{
    int rc = talk_set(h->paths.socket, config_item(k)->name, value, e);
    if (rc != ERR_NOTFOUND) return rc;
    if (e) *e = (struct err){0};
    return config_file_set(h->paths.config, k, value, e);
}

static void put_one(const struct config *now, enum config_key k, bool is_json)
{
    struct buf b = {0};
    json_t *o = is_json ? config_json_one(now, k) : NULL;
    if (!is_json)
        puts(now->v[k].text);
    else if (json_write(o, &b, NULL) == OK)
        puts(buf_str(&b));
    json_decref(o);
    buf_deinit(&b);
}

int cmd_config(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    struct config now;
    struct buf raw = {0}, text = {0};
    enum config_key k = CONFIG_KEYS;
    *ret_code = CMDLINE_EXIT_ERROR;
    int rc = c->detail ? config_require(c->detail, &k, e) : OK;
    if (rc == OK && c->value) {
        bool is_default = strcmp(c->value, "default") == 0;
        if (!is_default) {
            config_init(&now);
            rc = config_take(&now, k, c->value, CONFIG_FLAG, e);
        }
        if (rc == OK) rc = change(h, k, is_default ? NULL : c->value, e);
    }
    if (rc == ERR_ARG) *ret_code = CMDLINE_EXIT_USAGE;
    if (rc == OK) rc = look(h, &now, &raw, e);
    if (rc == OK && k != CONFIG_KEYS) {
        put_one(&now, k, c->is_json);
    } else if (rc == OK && c->is_json) {
        puts(buf_str(&raw));
    } else if (rc == OK) {
        config_text(&now, h->paths.config, &text);
        fputs(buf_str(&text), stdout);
    }
    buf_deinit(&raw);
    buf_deinit(&text);
    if (rc == OK) *ret_code = CMDLINE_EXIT_OK;
    return rc;
}
