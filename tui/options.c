#include "tui/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static void take_text(const json_t *o, const char *key, char *dst, size_t cap)
{
    const char *s = json_string_value(json_object_get(o, key));
    utf8_printable(s ? s : "", dst, cap);
}

static void take_row(const json_t *o, struct option_row *r)
{
    memset(r, 0, sizeof *r);
    take_text(o, "key", r->key, sizeof r->key);
    take_text(o, "value", r->value, sizeof r->value);
    take_text(o, "unit", r->unit, sizeof r->unit);
    take_text(o, "source", r->source, sizeof r->source);
    take_text(o, "default", r->standard, sizeof r->standard);
    take_text(o, "help", r->help, sizeof r->help);
    take_text(o, "in_effect", r->in_effect, sizeof r->in_effect);
    take_text(o, "applies", r->applies, sizeof r->applies);
    take_text(o, "zero", r->zero, sizeof r->zero);
    const json_t *least = json_object_get(o, "least");
    const json_t *most = json_object_get(o, "most");
    r->is_number = json_is_integer(least) && json_is_integer(most);
    if (r->is_number) {
        r->least = json_integer_value(least);
        r->most = json_integer_value(most);
    }
    const json_t *words = json_object_get(o, "choices");
    for (size_t i = 0; i < json_array_size(words) && r->n_choices < OPTIONS_CHOICES; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (word) utf8_printable(word, r->choices[r->n_choices++], sizeof r->choices[0]);
    }
}

int options_parse(const char *json, size_t n, struct options *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc != OK) return rc;
    const json_t *list = json_object_get(o, "settings");
    if (!json_is_array(list)) {
        json_decref(o);
        return err_set(e, ERR_PROTO, 0, "this is no list of settings");
    }
    ret->n = 0;
    for (size_t i = 0; i < json_array_size(list) && ret->n < OPTIONS_MAX; i++) {
        struct option_row *r = &ret->at[ret->n];
        take_row(json_array_get(list, i), r);
        if (r->key[0]) ret->n++;
    }
    json_decref(o);
    return OK;
}

/* 1, 2 or 5 times a power of ten, about a tenth of x, at least 1. */
static int64_t step_of(int64_t x)
{
    int64_t p = 1;
    while (p <= INT64_MAX / 100 && p * 10 <= x / 10)
        p *= 10;
    int64_t m = x / 10 / p;
    return p * (m >= 5 ? 5 : m >= 2 ? 2 : 1);
}

static bool next_number(const struct option_row *o, int by, char dst[OPTIONS_VALUE])
{
    char *end = NULL;
    int64_t x = strtoll(o->value, &end, 10);
    if (end == o->value || x < o->least || x > o->most) return false;
    int64_t to = x + by * step_of(by < 0 ? x - 1 : x);
    if (to < o->least) to = o->least;
    if (to > o->most) to = o->most;
    snprintf(dst, OPTIONS_VALUE, "%lld", (long long)to);
    return to != x;
}

bool options_next(const struct option_row *o, int by, char dst[OPTIONS_VALUE])
{
    if (o->is_number) return next_number(o, by, dst);
    int n = (int)o->n_choices;
    for (int i = 0; i < n; i++) {
        if (strcmp(o->choices[i], o->value) != 0) continue;
        snprintf(dst, OPTIONS_VALUE, "%s", o->choices[(i + by + n) % n]);
        return n > 1;
    }
    return false;
}
