#include <math.h>
#include <string.h>

#include "client/doctor.h"
#include "tests/check.h"

#define GB UINT64_C(1000000000)

/* A healthy laptop and a run that suits it. */
static struct doctor_facts healthy(void)
{
    return (struct doctor_facts){.has_avx2 = true,
                                 .n_cores = 8,
                                 .n_used = 4,
                                 .memory_free = 8 * GB,
                                 .memory_all = 16 * GB,
                                 .disk_free = 100 * GB,
                                 .can_write_home = true,
                                 .home = "/home/ada",
                                 .key_mode = 0600,
                                 .n_tries = 9,
                                 .n_refused = 9,
                                 .wall_ms = 1790000000000,
                                 .has_run = true,
                                 .memory_needed = GB,
                                 .memory_allowed = 8 * GB,
                                 .disk_needed = GB,
                                 .inner_steps = 10,
                                 .round_ms = 60000,
                                 .tokens_per_step = 1000,
                                 .payload_bytes = 1000000,
                                 .update_bytes = 2000000,
                                 .tok_per_s = 250,
                                 .is_asked = true,
                                 .host = "soup.example.org:7333",
                                 .has_answer = true,
                                 .has_ipv4 = true,
                                 .connect_ms = 40,
                                 .down_bytes_per_s = 4000000,
                                 .up_bytes_per_s = 2000000};
}

static const struct doctor_finding *blocking(const struct doctor *d)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->f[i].level == DOCTOR_BLOCK) return &d->f[i];
    return NULL;
}

static void a_fit_machine_is_told_its_round(void **state)
{
    (void)state;
    struct doctor_facts f = healthy();
    struct doctor d;
    doctor_judge(&f, &d);
    assert_int_equal(d.worst, DOCTOR_OK);
    assert_true(fabs(d.round_s - 41) < 1e-9); /* 40 s of steps, half a second each way */
    assert_string_equal(d.verdict,
                        "this machine finishes a round in about 41 s of 60 s: worth joining");
}

static void what_stands_against_it_names_the_way_out(void **state)
{
    (void)state;
    struct doctor d;
    for (int i = 0; i < 11; i++) {
        struct doctor_facts f = healthy();
        if (i == 0) f.memory_needed = 9 * GB;
        if (i == 1) f.memory_free = GB / 2;
        if (i == 2) f.can_write_home = false;
        if (i == 3) f.disk_free = GB / 2;
        if (i == 4) f.key_mode = 0644;
        if (i == 5) strcpy(f.config_trouble, "line 2: there is no setting 'coers'");
        if (i == 6) f.wall_ms = 1000;
        if (i == 7) f.has_answer = false;
        if (i == 8) f.has_ended = true;
        if (i == 9) f.tok_per_s = 100;
        if (i == 10) {
            f.inner_steps = 0;
            f.inner_ms = 3000; /* one step takes four seconds */
        }
        doctor_judge(&f, &d);
        assert_int_equal(d.worst, DOCTOR_BLOCK);
        assert_non_null(blocking(&d));
        assert_true(blocking(&d)->fix[0]);
        assert_memory_equal(d.verdict, "not yet: ", 9);
    }
}

static void what_was_not_measured_is_not_made_up(void **state)
{
    (void)state;
    struct doctor_facts f = healthy();
    struct doctor d;
    f.tok_per_s = (double)NAN;
    doctor_judge(&f, &d);
    assert_true(isnan(d.round_s));
    assert_non_null(strstr(d.verdict, "could not be measured"));
    f = (struct doctor_facts){.can_write_home = true, .wall_ms = 1790000000000};
    doctor_judge(&f, &d);
    assert_non_null(strstr(d.verdict, "name a run"));
}

static void both_forms_tell_the_same(void **state)
{
    (void)state;
    struct doctor_facts f = healthy();
    struct doctor d;
    struct buf text = {0}, json = {0};
    f.has_proxy = true;
    f.n_sources = 1;
    strcpy(f.sources[0].name, "heat");
    strcpy(f.sources[0].text, "no sensor of the processor is known");
    doctor_judge(&f, &d);
    assert_int_equal(d.worst, DOCTOR_WARN);
    doctor_text(&d, &text);
    assert_int_equal(doctor_json(&d, &json, NULL), OK);
    for (uint32_t i = 0; i < d.n; i++) {
        assert_non_null(strstr(buf_str(&text), d.f[i].text));
        assert_non_null(strstr(buf_str(&json), d.f[i].text));
    }
    assert_non_null(strstr(buf_str(&text), "[warn ] heat"));
    buf_deinit(&text);
    buf_deinit(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fit_machine_is_told_its_round),
        cmocka_unit_test(what_stands_against_it_names_the_way_out),
        cmocka_unit_test(what_was_not_measured_is_not_made_up),
        cmocka_unit_test(both_forms_tell_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
