#include <string.h>

#include "app/bench_page.h"
#include "base/json.h"
#include "engine/budget.h"
#include "tests/check.h"

static struct bench_page page(void)
{
    struct bench_page p = {
        .processor = "A processor with a very long name that would not fit into eighty columns",
        .isas = "SSE2, AVX2, FMA, AVX-512, AVX-512 BF16",
        .n_threads = 2,
        .memory_bytes = 8000000000,
        .free_bytes = 5000000000,
        .fp32_gflops = 541.2,
        .bf16_gflops = 1088,
        .fp32_isa = "512-bit FMA",
        .bf16_isa = "512-bit VDPBF16PS",
        .triad_gb_per_s = 59.1,
        .n_runs = 2,
        .runs = {
                 {.name = "S", .tok_per_s = 5000, .gflops = 170, .of_peak = 0.31, .cpu_share = 0.99},
                 {.name = "M", .tok_per_s = 800, .gflops = 200, .of_peak = 0.37, .cpu_share = 0.5}}
    };
    bench_page_plan(&p);
    return p;
}

static struct bench_page_size *size_of(struct bench_page *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_sizes; i++)
        if (strcmp(p->sizes[i].name, name) == 0) return &p->sizes[i];
    return NULL;
}

static void bench_page_plan_tells_measured_from_estimated(void **state)
{
    (void)state;
    struct bench_page p = page();
    assert_int_equal(p.n_sizes, bench_preset_count());
    const struct bench_page_size *s = size_of(&p, "S");
    assert_true(s->is_measured && s->tok_per_s == 5000);
    assert_true(s->round_s > 12.28 && s->round_s < 12.29); /* 30 x 8 x 256 / 5000 */
    const struct bench_page_size *l = size_of(&p, "L");
    struct bench_preset preset;
    struct budget plan;
    assert_int_equal(bench_preset_find("L", &preset), 0);
    struct trainer_options how = {.n_threads = 2, .precision = TRAINER_AUTO};
    budget_plan(&preset.model, &preset.train, &how, &plan);
    assert_false(l->is_measured);
    assert_true(l->tok_per_s == 200e9 / (double)plan.flops_per_token); /* the faster run's rate */
    assert_int_equal(l->n_bytes, plan.total_bytes);
}

static void bench_page_plan_knows_what_fits(void **state)
{
    (void)state;
    struct bench_page p = page();
    assert_true(size_of(&p, "M")->is_fitting);
    assert_false(size_of(&p, "1B")->is_fitting);
    p.free_bytes = size_of(&p, "M")->n_bytes;
    bench_page_plan(&p);
    assert_true(size_of(&p, "M")->is_fitting);
    p.free_bytes--;
    bench_page_plan(&p);
    assert_false(size_of(&p, "M")->is_fitting);
}

static void bench_page_says_with_what_a_size_would_fit(void **state)
{
    (void)state;
    struct bench_page p = page();
    struct buf out = {0};
    struct bench_page_size *m = size_of(&p, "M");
    assert_null(m->fits_with);
    p.free_bytes = m->n_bytes - 1; /* the first step is enough */
    bench_page_plan(&p);
    assert_string_equal(m->fits_with, "--recompute");
    assert_true(m->n_bytes_with <= p.free_bytes);
    p.free_bytes = m->n_bytes * 2 / 3;
    bench_page_plan(&p);
    assert_non_null(strstr(m->fits_with, "--moments 8bit"));
    bench_page_text(&p, &out);
    assert_non_null(strstr(buf_str(&out), "fits in "));
    buf_clear(&out);
    assert_int_equal(bench_page_json(&p, &out, NULL), OK);
    assert_non_null(strstr(buf_str(&out), "\"fits_with\":\"--moments 8bit"));
    p.free_bytes = 1000;
    bench_page_plan(&p);
    assert_null(m->fits_with); /* of the plan before, nothing stays */
    buf_deinit(&out);
}

static void bench_page_text_stays_within_80_columns(void **state)
{
    (void)state;
    struct bench_page p = page();
    struct buf out = {0};
    bench_page_text(&p, &out);
    const char *s = buf_str(&out);
    assert_non_null(strstr(s, "5000 tokens/s"));
    assert_non_null(strstr(s, "estimated"));
    assert_non_null(strstr(s, "we got 50 % of it"));
    assert_null(strstr(s, "we got 99 % of it"));
    while (*s) {
        size_t n = strcspn(s, "\n");
        assert_true(n <= 80);
        assert_true(n == 0 || s[n - 1] != ' ');
        s += n + (s[n] == '\n');
    }
    buf_deinit(&out);
}

/* What was not measured is a "-" for people and a null for programs, never a zero. */
static void bench_page_of_a_machine_without_figures_has_none(void **state)
{
    (void)state;
    struct bench_page p = page();
    struct buf out = {0};
    struct err e = {0};
    json_t *j = NULL;
    p.n_runs = 0;
    p.bf16_gflops = p.triad_gb_per_s = 0;
    bench_page_plan(&p);
    bench_page_text(&p, &out);
    assert_non_null(strstr(buf_str(&out), "bf16 peak     -"));
    assert_null(strstr(buf_str(&out), "triad"));
    assert_null(strstr(buf_str(&out), "measured\n"));
    buf_clear(&out);
    assert_int_equal(bench_page_json(&p, &out, &e), OK);
    assert_int_equal(json_parse(out.p, out.len - 1, &j, &e), OK);
    assert_true(json_is_null(json_object_get(j, "bf16_peak_gflops")));
    json_t *first = json_array_get(json_object_get(j, "sizes"), 0);
    assert_true(json_is_null(json_object_get(first, "round_s")));
    json_decref(j);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_page_plan_tells_measured_from_estimated),
        cmocka_unit_test(bench_page_plan_knows_what_fits),
        cmocka_unit_test(bench_page_says_with_what_a_size_would_fit),
        cmocka_unit_test(bench_page_text_stays_within_80_columns),
        cmocka_unit_test(bench_page_of_a_machine_without_figures_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
