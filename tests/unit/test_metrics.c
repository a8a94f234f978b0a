#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/metrics.h"
#include "tests/check.h"

/* ---- a strict reader of the text format 0.0.4, which shares nothing with the writer ---- */

struct page {
    char family[100]; /* of the samples that may come now */
    char type[20];
    char seen[100][100]; /* families that had their turn */
    int n_seen;
    char series[400][300];
    int n_series;
    int n_samples; /* of the family */
};

static const char *name_of(const char *p, char *dst, size_t cap)
{
    size_t n = 0;
    assert_true(isalpha((unsigned char)*p) || *p == '_' || *p == ':');
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
        n++;
    assert_true(n < cap);
    memcpy(dst, p, n);
    dst[n] = '\0';
    return p + n;
}

static const char *labels_of(const char *p)
{
    char name[100];
    if (*p != '{') return p;
    do {
        p = name_of(p + 1, name, sizeof name);
        assert_null(strchr(name, ':'));
        assert_true(p[0] == '=' && p[1] == '"');
        for (p += 2; *p != '"'; p++) {
            assert_true(*p && *p != '\n');
            if (*p == '\\') p++;
        }
        p++;
    } while (*p == ',');
    assert_int_equal(*p, '}');
    return p + 1;
}

static void begin_family(struct page *g, const char *line)
{
    char name[100];
    const char *p = name_of(line + 7, name, sizeof name);
    assert_true(*p == ' ' && p[1]);
    assert_true(g->n_samples > 0 || !g->n_seen);
    for (int i = 0; i < g->n_seen; i++)
        assert_string_not_equal(g->seen[i], name);
    assert_true(g->n_seen < 100);
    memcpy(g->seen[g->n_seen++], name, sizeof name);
    memcpy(g->family, name, sizeof name);
    g->type[0] = '\0';
    g->n_samples = 0;
}

static void take_type(struct page *g, const char *line)
{
    static const char *const types[] = {"counter", "gauge", "summary", "histogram", "untyped"};
    char name[100];
    const char *p = name_of(line + 7, name, sizeof name);
    assert_string_equal(name, g->family);
    assert_int_equal(g->n_samples, 0);
    assert_int_equal(*p, ' ');
    bool is_type = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        is_type |= strcmp(types[i], p + 1) == 0;
    assert_true(is_type);
    snprintf(g->type, sizeof g->type, "%s", p + 1);
}

static void take_sample(struct page *g, const char *line)
{
    char name[100];
    char *end = NULL;
    const char *p = labels_of(name_of(line, name, sizeof name));
    size_t n = strlen(g->family);
    assert_true(g->type[0]);
    assert_memory_equal(name, g->family, n);
    if (strcmp(g->type, "summary") == 0)
        assert_true(strcmp(name + n, "_sum") == 0 || strcmp(name + n, "_count") == 0);
    else
        assert_string_equal(name, g->family);
    if (strcmp(g->type, "counter") == 0) assert_non_null(strstr(name, "_total"));
    assert_true(g->n_series < 400 && (size_t)(p - line) < sizeof g->series[0]);
    for (int i = 0; i < g->n_series; i++)
        assert_false(strncmp(g->series[i], line, (size_t)(p - line)) == 0 &&
                     g->series[i][p - line] == '\0');
    memcpy(g->series[g->n_series++], line, (size_t)(p - line));
    assert_int_equal(*p, ' ');
    double v = strtod(p + 1, &end);
    assert_true(end > p + 1 && *end == '\0');
    if (strcmp(g->type, "counter") == 0) assert_true(v >= 0);
    g->n_samples++;
}

static struct page *parse(const char *text)
{
    struct page *g = calloc(1, sizeof *g);
    char line[400];
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        assert_true(p[n] == '\n' && n > 0 && n < sizeof line); /* also the last line ends */
        memcpy(line, p, n);
        line[n] = '\0';
        if (strncmp(line, "# HELP ", 7) == 0)
            begin_family(g, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            take_type(g, line);
        else
            take_sample(g, line);
        p += n + 1;
    }
    assert_true(g->n_samples > 0);
    return g;
}

static void answer(struct metrics *m, const char *method, const char *route, int status)
{
    struct server_answer a = {.method = method, .route = route, .status = status, .took_ms = 250};
    metrics_answer(m, &a);
}

/* ---- cases ---- */

static void metrics_page_is_what_prometheus_reads(void **state)
{
    (void)state;
    struct metrics m = {
        .totals = {.n_accepted = 3, .n_late = 2, .n_rejected = 1, .n_rounds = 9}
    };
    struct metrics_now now = {.bytes_in = 12345678901, .swarm_tok_per_s = NAN, .uptime_s = 1.5};
    struct buf b = {0};
    answer(&m, "GET", "/v1/round", 200);
    answer(&m, "GET", "/v1/round", 200);
    answer(&m, "GET", "/v1/round", 401);
    answer(&m, "BREW\"}\n", NULL, 404);
    metrics_done(&m, METRICS_MERGE, 0.125, true);
    metrics_done(&m, METRICS_PUBLISH, 0.5, false);
    now.server.refused[SERVER_ABUSE] = 7;
    metrics_write(&m, &now, &b);
    const char *text = buf_str(&b);
    struct page *g = parse(text);
    assert_true(g->n_seen >= 20);
    static const char *const want[] = {
        "potluck_requests_total{method=\"GET\",route=\"/v1/round\",status=\"200\"} 2\n",
        "potluck_requests_total{method=\"GET\",route=\"/v1/round\",status=\"401\"} 1\n",
        "potluck_requests_total{method=\"other\",route=\"none\",status=\"404\"} 1\n",
        "potluck_request_seconds_total{method=\"GET\",route=\"/v1/round\",status=\"200\"} 0.500\n",
        "potluck_refused_total{reason=\"abuse\"} 7\n",
        "potluck_contributions_total{verdict=\"late\"} 2\n",
        "potluck_rounds_total 9\n",
        "potluck_received_bytes_total 12345678901\n",
        "potluck_work_seconds_sum{work=\"merge\"} 0.125000\n",
        "potluck_work_failed_total{work=\"publish\"} 1\n",
        "potluck_tokens_per_second NaN\n",
        "potluck_uptime_seconds 1.5\n",
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_non_null(strstr(text, want[i]));
    free(g);
    buf_deinit(&b);
}

static void metrics_table_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct metrics m = {0};
    struct metrics_now now = {.swarm_tok_per_s = 1};
    struct buf b = {0};
    for (int i = 0; i < 3 * METRICS_ROWS; i++)
        answer(&m, "PUT", "/x", 200 + i);
    assert_int_equal(m.n_rows, METRICS_ROWS);
    assert_int_equal(m.rows[METRICS_ROWS - 1].n, 2 * METRICS_ROWS + 1);
    answer(&m, "PUT", "/x", 200); /* a known row is still found */
    assert_int_equal(m.rows[0].n, 2);
    metrics_write(&m, &now, &b);
    assert_non_null(strstr(buf_str(&b), "route=\"other\",status=\"0\"} 513\n"));
    buf_deinit(&b);
}

static void every_reason_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < SERVER_REFUSALS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(server_refusal_word((enum server_refusal)i),
                                    server_refusal_word((enum server_refusal)j));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(metrics_page_is_what_prometheus_reads),
        cmocka_unit_test(metrics_table_does_not_grow_for_ever),
        cmocka_unit_test(every_reason_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
