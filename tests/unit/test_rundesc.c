#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/rundesc.h"
#include "tests/check.h"
#include "tests/unit/keycase.h"

static void set_model(struct model_config *m)
{
    *m = (struct model_config){.vocab_size = 4096,
                               .hidden_size = 128,
                               .intermediate_size = 352,
                               .num_hidden_layers = 4,
                               .num_attention_heads = 4,
                               .num_key_value_heads = 2,
                               .max_position_embeddings = 256,
                               .rms_norm_eps = 1e-5,
                               .rope_theta = 10000,
                               .initializer_range = 0.02,
                               .tie_word_embeddings = true};
}

static void set_train(struct train_params *p)
{
    *p = (struct train_params){
        .seq_len = 256,
        .batch_seqs = 4,
        .lr = 1e-3,
        .lr_min_frac = 0.1,
        .warmup_steps = 20,
        .total_steps = 1000,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 0.9,
        .delta = {.chunk = 4096, .k = 64}
    };
}

static struct rundesc *make(void)
{
    static struct rundesc d;
    memset(&d, 0, sizeof d);
    strcpy(d.name, "tales");
    strcpy(d.note, "short tales, public domain");
    set_model(&d.model);
    set_train(&d.train);
    d.initial_model = test_hash("init");
    d.init_seed = 42;
    d.inner_steps = 30;
    d.max_inner_steps = 60;
    d.upload_ms = 20000;
    d.min_contributions = 2;
    d.merge_min_senders = 1.5;
    d.tokenizer = test_hash("tokenizer");
    d.tokenizer_bytes = 1000;
    d.n_train_shards = 2;
    d.train_shards[0] = test_hash("shard 0");
    d.train_shards[1] = test_hash("shard 1");
    d.train_index_bytes[0] = 64;
    d.train_index_bytes[1] = 96;
    d.val_shard = test_hash("val");
    d.val_index_bytes = 64;
    strcpy(d.reward_unit, "credits");
    d.reward_per_round = 1000000;
    d.n_aggregators = 2;
    d.aggregators[0] = (struct rundesc_aggregator){
        .host = "127.0.0.1", .port = 7777, .key = test_key(2).pub, .tls_pin = test_hash("tls")};
    d.aggregators[1] = (struct rundesc_aggregator){
        .host = "fd00::1", .port = 1, .key = test_key(2).pub, .tls_pin = test_hash("tls")};
    return &d;
}

static void sign_object(const json_t *o, const char *typ, struct buf *out)
{
    struct key host = test_key(1);
    buf_clear(out);
    assert_int_equal(jws_sign(o, typ, &host, out, NULL), OK);
}

static json_t *as_object(struct rundesc *d)
{
    struct key host = test_key(1);
    struct buf b = {0};
    json_t *o = NULL;
    assert_int_equal(rundesc_sign(d, &host, &b, NULL), OK);
    assert_int_equal(jws_verify((const char *)b.p, b.len, "potluck-run+1", NULL, &o, NULL, NULL),
                     OK);
    buf_deinit(&b);
    return o;
}

static void a_description_survives_the_wire(void **state)
{
    (void)state;
    static struct rundesc back;
    struct key host = test_key(1);
    struct rundesc *d = make();
    struct buf b = {0};
    assert_int_equal(rundesc_sign(d, &host, &b, NULL), OK);
    struct hash id = hash_of(b.p, b.len);
    assert_true(hash_equal(&id, &d->id));
    assert_int_equal(rundesc_parse(b.p, b.len, &host.pub, &back, NULL), OK);
    assert_memory_equal(d, &back, sizeof back);
    buf_deinit(&b);
}

static void a_run_may_begin_with_a_checkpoint(void **state)
{
    (void)state;
    static struct rundesc back;
    struct key host = test_key(1);
    struct rundesc *d = make();
    struct buf b = {0};
    d->is_from_checkpoint = true;
    d->init_seed = 0;
    json_t *o = as_object(d);
    assert_string_equal(json_string_value(json_object_get(o, "init")), "checkpoint");
    assert_null(json_object_get(o, "init_seed"));
    assert_int_equal(rundesc_sign(d, &host, &b, NULL), OK);
    assert_int_equal(rundesc_parse(b.p, b.len, &host.pub, &back, NULL), OK);
    assert_memory_equal(d, &back, sizeof back);
    json_object_set_new(o, "init_seed", json_integer(1)); /* both: which one counts? */
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_object_del(o, "init_seed");
    json_object_set_new(o, "init", json_string("moon"));
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_object_set_new(o, "init", json_integer(1));
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_object_del(o, "init"); /* neither */
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_decref(o);
    buf_deinit(&b);
}

static void a_run_may_keep_payloads_for_some_rounds_only(void **state)
{
    (void)state;
    static struct rundesc back;
    struct key host = test_key(1);
    struct rundesc *d = make();
    struct buf b = {0};
    d->retention = 50;
    assert_int_equal(rundesc_sign(d, &host, &b, NULL), OK);
    assert_int_equal(rundesc_parse(b.p, b.len, &host.pub, &back, NULL), OK);
    assert_int_equal(back.retention, 50);
    json_t *o = as_object(d);
    json_set_u64(json_object_get(o, "rounds"), "retention", 0); /* one spelling for "all" */
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, &host.pub, &back, NULL), ERR_PROTO);
    json_decref(o);
    buf_deinit(&b);
}

static void a_last_newline_does_not_change_the_run(void **state)
{
    (void)state;
    static struct rundesc back;
    struct key host = test_key(1);
    struct rundesc *d = make();
    struct buf b = {0};
    assert_int_equal(rundesc_sign(d, &host, &b, NULL), OK);
    buf_put_str(&b, "\r\n");
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), OK);
    assert_true(hash_equal(&back.id, &d->id));
    buf_deinit(&b);
}

static void a_puzzle_is_part_of_it_only_when_there_is_one(void **state)
{
    (void)state;
    struct key host = test_key(1);
    struct rundesc d = *make(), back;
    struct buf plain = {0}, with = {0};
    d.puzzle = (struct puzzle){0};
    assert_int_equal(rundesc_sign(&d, &host, &plain, NULL), OK);
    d.puzzle = (struct puzzle){.memory_kib = 16384, .bits = 9};
    assert_int_equal(rundesc_sign(&d, &host, &with, NULL), OK);
    assert_int_equal(rundesc_parse(with.p, with.len, NULL, &back, NULL), OK);
    assert_int_equal(back.puzzle.memory_kib, 16384);
    assert_int_equal(back.puzzle.bits, 9);
    assert_int_equal(rundesc_parse(plain.p, plain.len, NULL, &back, NULL), OK);
    assert_int_equal(back.puzzle.bits, 0);
    assert_true(with.len > plain.len);
    d.puzzle.memory_kib = 1000; /* no power of two */
    buf_clear(&with);
    assert_int_equal(rundesc_sign(&d, &host, &with, NULL), ERR_PROTO);
    buf_deinit(&plain);
    buf_deinit(&with);
}

static void another_host_is_refused(void **state)
{
    (void)state;
    static struct rundesc back;
    struct key host = test_key(1);
    struct key_pub other = test_key(5).pub;
    struct buf b = {0};
    struct err e = {0};
    assert_int_equal(rundesc_sign(make(), &host, &b, NULL), OK);
    assert_int_equal(rundesc_parse(b.p, b.len, &other, &back, &e), ERR_AUTH);
    assert_true(e.hint[0] != 0);
    b.p[b.len / 2] ^= 1;
    assert_int_not_equal(rundesc_parse(b.p, b.len, NULL, &back, &e), OK);
    buf_deinit(&b);
}

static void an_unknown_version_is_refused_with_both_versions(void **state)
{
    (void)state;
    static struct rundesc back;
    struct buf b = {0};
    struct err e = {0};
    json_t *o = as_object(make());
    sign_object(o, "potluck-run+2", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, &e), ERR_VERSION);
    assert_string_equal(e.what, "this run speaks wire version 2, this program speaks version 1");
    assert_string_equal(e.hint, "install a newer potluck to take part in it");
    json_set_u64(o, "version", 3);
    sign_object(o, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, &e), ERR_VERSION);
    assert_non_null(strstr(e.what, "version 3"));
    json_decref(o);
    buf_deinit(&b);
}

static void another_kind_of_signed_message_is_refused(void **state)
{
    (void)state;
    static struct rundesc back;
    struct buf b = {0};
    json_t *o = as_object(make());
    sign_object(o, "potluck-join+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_decref(o);
    buf_deinit(&b);
}

/* Walk every object inside; leave out each member, then add a foreign one. */
static void refuse_changes(json_t *top, json_t *o)
{
    static struct rundesc back;
    struct buf b = {0};
    const char *k = NULL;
    json_t *v = NULL;
    json_t *names = json_deep_copy(o);
    json_object_foreach(names, k, v)
    {
        json_t *kept = json_incref(json_object_get(o, k));
        json_object_del(o, k);
        sign_object(top, "potluck-run+1", &b);
        if (rundesc_parse(b.p, b.len, NULL, &back, NULL) == OK) fail_msg("'%s' may be missing", k);
        json_object_set(o, k, kept);
        if (json_is_object(kept)) refuse_changes(top, kept);
        if (json_is_array(kept)) refuse_changes(top, json_array_get(kept, 0));
        json_decref(kept);
    }
    json_set_bool(o, "a_rule_of_tomorrow", true);
    sign_object(top, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    json_object_del(o, "a_rule_of_tomorrow");
    sign_object(top, "potluck-run+1", &b);
    assert_int_equal(rundesc_parse(b.p, b.len, NULL, &back, NULL), OK);
    json_decref(names);
    buf_deinit(&b);
}

static void each_field_is_needed_and_no_other_is_taken(void **state)
{
    (void)state;
    json_t *o = as_object(make());
    refuse_changes(o, o);
    json_decref(o);
}

#define REFUSES(change)                                                                            \
    do {                                                                                           \
        struct rundesc *d = make();                                                                \
        change;                                                                                    \
        assert_int_equal(rundesc_sign(d, &host, &b, &e), ERR_PROTO);                               \
        assert_true(e.what[0] != 0);                                                               \
    } while (0)

static void values_out_of_range_are_never_signed(void **state)
{
    (void)state;
    struct key host = test_key(1);
    struct buf b = {0};
    struct err e = {0};
    REFUSES(d->inner_ms = 1000); /* beside inner_steps */
    REFUSES(d->inner_steps = 0); /* and no inner_ms */
    REFUSES(d->inner_steps = d->max_inner_steps + 1);
    REFUSES(d->ahead_steps = d->inner_steps ? d->inner_steps : d->max_inner_steps);
    REFUSES(d->train.delta.k = d->train.delta.chunk + 1);
    REFUSES(d->train.delta.chunk = 63);
    REFUSES(d->train.seq_len = 257);
    REFUSES(d->train.lr = 0);
    REFUSES(d->model.num_key_value_heads = 3);
    REFUSES(d->init_seed = 1ULL << 53);
    REFUSES(d->n_train_shards = 0);
    REFUSES(d->n_aggregators = 0);
    REFUSES(d->aggregators[1].port = 0);
    REFUSES(strcpy(d->aggregators[0].host, "a host"));
    REFUSES(d->name[0] = 0);
    REFUSES(d->min_contributions = 0);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

static void an_invite_survives_the_trip_through_text(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "run.example.org", "fd00::1"};
    for (size_t i = 0; i < 3; i++) {
        struct rundesc_invite v = {
            .port = 7777, .key = test_key(1).pub, .tls_pin = test_hash("tls")};
        struct rundesc_invite back;
        char text[512];
        memset(&back, 0xee, sizeof back);
        strcpy(v.host, hosts[i]);
        assert_int_equal(rundesc_invite_format(&v, text, sizeof text - 2, NULL), OK);
        strcat(text, "\n"); /* as pasted */
        assert_int_equal(rundesc_invite_parse(text, &back, NULL), OK);
        assert_memory_equal(&v, &back, offsetof(struct rundesc_invite, code));
        assert_int_equal(rundesc_invite_format(&v, text, 40, NULL), ERR_LIMIT);
        assert_string_equal(back.code, "");
        strcpy(v.code, "00112233445566778899aabbccddeeff");
        assert_int_equal(rundesc_invite_format(&v, text, sizeof text, NULL), OK);
        assert_int_equal(rundesc_invite_parse(text, &back, NULL), OK);
        assert_memory_equal(&v, &back, offsetof(struct rundesc_invite, code));
        assert_string_equal(v.code, back.code);
        text[strlen(text) - 1] = '\0'; /* a link that lost its end is no link without a code */
        assert_int_equal(rundesc_invite_parse(text, &back, NULL), ERR_ARG);
        strcat(text, "F");
        assert_int_equal(rundesc_invite_parse(text, &back, NULL), ERR_ARG);
    }
}

static void a_text_that_is_no_invite_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "",
        "https://x:1/#",
        "potluck://",
        "potluck://x/#",
        "potluck://x:0/#",
        "potluck://x:65536/#",
        "potluck://x y:1/#",
        "potluck://[::1:1/#",
        "potluck://:1/#",
        "potluck://x:1/",
        "potluck://x:1/#",
        "potluck://x:-1/#",
    };
    struct rundesc_invite v;
    char hex[HASH_HEX];
    char text[512];
    struct hash h = test_hash("x");
    hash_hex(&h, hex);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct err e = {0};
        bool has_tail =
            strcmp(tails[i], "potluck://x:1/") == 0 || strcmp(tails[i], "potluck://x:1/#") == 0;
        snprintf(text, sizeof text, "%s%s", tails[i], has_tail ? "" : hex);
        if (rundesc_invite_parse(text, &v, &e) != ERR_ARG) fail_msg("'%s' is taken", text);
        assert_true(e.what[0] && e.hint[0]);
    }
    snprintf(text, sizeof text, "potluck://x:1/#%s.%s", hex, hex);
    assert_int_equal(rundesc_invite_parse(text, &v, NULL), OK);
    text[20] = 'G';
    assert_int_equal(rundesc_invite_parse(text, &v, NULL), ERR_ARG);
}

static void a_round_lasts_inner_phase_and_upload(void **state)
{
    (void)state;
    struct rundesc *d = make();
    assert_int_equal(rundesc_round_ms(d), 100000);
    d->inner_ms = 60000;
    assert_int_equal(rundesc_round_ms(d), 80000);
}

static void the_schedule_goes_on_by_rounds_whatever_the_speed(void **state)
{
    (void)state;
    static struct rundesc d = {.inner_steps = 30, .max_inner_steps = 50};
    assert_int_equal(rundesc_schedule_step(&d, 0, 0), 0);
    assert_int_equal(rundesc_schedule_step(&d, 2, 5), 65);
    assert_int_equal(rundesc_schedule_step(&d, 2, 29), 89);
    assert_int_equal(rundesc_schedule_step(&d, 2, 1000), 89); /* never into the next round's */
    d = (struct rundesc){.inner_ms = 30000, .max_inner_steps = 3000};
    assert_int_equal(rundesc_schedule_step(&d, 1, 0), 30 * RUNDESC_STEPS_PER_S);
    assert_int_equal(rundesc_schedule_step(&d, 1, 3000), 2 * 30 * RUNDESC_STEPS_PER_S - 1);
    d.inner_ms = 1;
    assert_int_equal(rundesc_schedule_step(&d, 7, 9), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_survives_the_wire),
        cmocka_unit_test(a_run_may_begin_with_a_checkpoint),
        cmocka_unit_test(a_run_may_keep_payloads_for_some_rounds_only),
        cmocka_unit_test(a_last_newline_does_not_change_the_run),
        cmocka_unit_test(a_puzzle_is_part_of_it_only_when_there_is_one),
        cmocka_unit_test(another_host_is_refused),
        cmocka_unit_test(an_unknown_version_is_refused_with_both_versions),
        cmocka_unit_test(another_kind_of_signed_message_is_refused),
        cmocka_unit_test(each_field_is_needed_and_no_other_is_taken),
        cmocka_unit_test(values_out_of_range_are_never_signed),
        cmocka_unit_test(an_invite_survives_the_trip_through_text),
        cmocka_unit_test(a_text_that_is_no_invite_is_refused_with_a_sentence),
        cmocka_unit_test(a_round_lasts_inner_phase_and_upload),
        cmocka_unit_test(the_schedule_goes_on_by_rounds_whatever_the_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
