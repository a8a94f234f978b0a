#include "app/eval_choices.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

enum { TOLD = 20, KEPT = 100 };

static void tell_bad(struct eval_choices *r, const char *path, uint64_t line, const struct err *e)
{
    char text[400];
    if (r->n_bad < KEPT) r->bad_lines[r->n_bad] = line;
    if (r->n_bad < TOLD)
        fprintf(stderr, "potluck eval: %s line %llu: %s\n", path, (unsigned long long)line,
                err_line(e, text, sizeof text));
    if (r->n_bad == TOLD) fprintf(stderr, "potluck eval: and more such lines\n");
    r->n_bad++;
}

/* One line. Only what concerns more than this line comes back. */
static int run_line(struct loaded *l, const char *path, const uint8_t *p, size_t n, uint64_t line,
                    struct eval_choices *r, struct err *e)
{
    struct choices_item item = {0};
    struct choices_score score;
    struct err bad = {0};
    int rc = choices_parse(p, n, &item, &bad);
    if (!rc) rc = choices_run(l->infer, l->params, l->tokenizer, l->start, &item, &score, &bad);
    if (!rc) choices_count(&r->tally, &item, &score);
    choices_deinit(&item);
    if (!rc || rc == ERR_CANCELLED) return rc;
    if (rc == ERR_NOMEM) {
        if (e) *e = bad;
        return rc;
    }
    tell_bad(r, path, line, &bad);
    return OK;
}

static bool is_blank(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r') return false;
    return true;
}

static int each_line(struct loaded *l, const char *path, const struct buf *text,
                     struct eval_choices *r, struct err *e)
{
    uint64_t line = 0;
    int rc = OK;
    for (size_t at = 0; at < text->len && !rc;) {
        const uint8_t *p = text->p + at;
        const uint8_t *end = memchr(p, '\n', text->len - at);
        size_t n = end ? (size_t)(end - p) : text->len - at;
        at += n + 1;
        line++;
        if (is_blank(p, n)) continue;
        r->n_lines++;
        rc = run_line(l, path, p, n, line, r, e);
        if (!rc && r->progress && !r->progress(r->ctx, r->n_lines)) rc = ERR_CANCELLED;
    }
    return rc;
}

int eval_choices_run(struct loaded *l, const char *path, struct eval_choices *r, struct err *e)
{
    struct buf text = {0};
    int rc = file_read(path, EVAL_CHOICES_FILE_MAX, &text, e);
    if (!rc) rc = each_line(l, path, &text, r, e);
    buf_deinit(&text);
    if (rc == ERR_CANCELLED) {
        r->is_interrupted = true;
        rc = OK;
    }
    if (rc || r->is_interrupted || r->tally.n) return rc;
    err_set(e, ERR_ARG, 0, "'%.100s' holds no usable question", path);
    err_hint(
        e, "a line looks like {\"question\": \"...\", \"choices\": [\"a\", \"b\"], \"answer\": 0}");
    return ERR_ARG;
}
