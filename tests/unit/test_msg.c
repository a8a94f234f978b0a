#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/msg.h"
#include "tests/check.h"
#include "tests/unit/keycase.h"

#define AN_ID "00112233445566778899aabbccddeeff"

static void make_join(struct msg_join *m)
{
    *m = (struct msg_join){.run = test_hash("run"), .created_at_ms = 1760000000123};
    strcpy(m->name, "Annika");
    strcpy(m->client, "potluck/0.1.0");
    strcpy(m->invite, AN_ID);
    m->proof = 391;
}

static void make_reserve(struct msg_reserve *m)
{
    *m = (struct msg_reserve){.run = test_hash("run"),
                              .round = 7,
                              .base = test_hash("base"),
                              .max_bytes = 123456,
                              .created_at_ms = 1760000000123};
}

static void make_manifest(struct msg_manifest *m)
{
    *m = (struct msg_manifest){.run = test_hash("run"),
                               .id = AN_ID,
                               .round = 7,
                               .base = test_hash("base"),
                               .payload = test_hash("payload"),
                               .n_bytes = MSG_CHUNK_BYTES + 1,
                               .n_chunks = 2,
                               .n_tokens = 4096,
                               .n_steps = 30,
                               .loss = 3.25,
                               .tok_per_s = 900.5,
                               .engine = "potluck/0.1 openblas",
                               .created_at_ms = 1760000000123};
    m->chunks[0] = test_hash("chunk 0");
    m->chunks[1] = test_hash("chunk 1");
}

static void make_receipt(struct msg_receipt *m)
{
    *m = (struct msg_receipt){.run = test_hash("run"),
                              .contributor = test_key(3).pub,
                              .seq = 11,
                              .round = 7,
                              .payload = test_hash("payload"),
                              .n_bytes = 1000,
                              .n_tokens = 4096,
                              .verdict = MSG_LATE,
                              .reason = "the round closed 40 s before",
                              .created_at_ms = 1760000000123};
}

static void make_update(struct msg_update *m)
{
    *m = (struct msg_update){.run = test_hash("run"),
                             .round = 7,
                             .base = test_hash("base"),
                             .result = test_hash("result"),
                             .update = test_hash("update"),
                             .update_bytes = 5000,
                             .n_merged = 3,
                             .n_tokens = 12288,
                             .train_loss = 3.5};
}

static void make_round(struct msg_round *m)
{
    *m = (struct msg_round){.round = 7,
                            .state = MSG_ROUND_MERGING,
                            .base = test_hash("base"),
                            .left_ms = 12000,
                            .inner_left_ms = 9000,
                            .update = test_hash("update"),
                            .update_bytes = 5000,
                            .checkpoint_round = 5,
                            .checkpoint = test_hash("ckpt"),
                            .checkpoint_bytes = 99,
                            .oldest_update_round = 2,
                            .n_contributors = 3,
                            .n_received = 2,
                            .val_loss = 3.0,
                            .val_bits_per_byte = 1.5,
                            .val_round = 6,
                            .swarm_tok_per_s = 2700,
                            .session = AN_ID};
}

static void make_slot(struct msg_slot *m)
{
    *m = (struct msg_slot){.id = AN_ID, .chunk_bytes = 4096, .left_ms = 100, .n_have = 3};
    m->have[0] = 1 | 1 << 7;
    m->have[MSG_MAX_CHUNKS / 8 - 1] = 1 << 7;
}

static void make_peers(struct msg_peers *m)
{
    *m = (struct msg_peers){.n = 2};
    m->peers[0] = (struct msg_peer){.key = test_key(3).pub,
                                    .name = "Annika",
                                    .tok_per_s = 900,
                                    .n_tokens = 100,
                                    .last_round = 6,
                                    .seen_ms_ago = 5,
                                    .state = "training",
                                    .last10 = ".#lx#"};
    m->peers[1] = m->peers[0];
    m->peers[1].tok_per_s = 0;
    memset(m->peers[1].name, 0, sizeof m->peers[1].name);
}

static void make_credits(struct msg_credits *m)
{
    *m = (struct msg_credits){
        .confirmed = 5, .pending = 7, .n_accepted = 2, .n_late = 1, .n_rejected = 4, .n = 2};
    m->lines[0] = (struct msg_credit){.round = 7,
                                      .receipt_seq = 3,
                                      .n_tokens = 10,
                                      .amount = -4,
                                      .is_settled = true,
                                      .reason = "corrected",
                                      .at_ms = 1760000000123};
    m->lines[1] = (struct msg_credit){.round = 6, .receipt_seq = 2, .amount = 9};
}

/* Encode, decode, compare; a second encoding must be the same bytes. */
#define ROUND_TRIP_PLAIN(x)                                                                        \
    static void x##_survives_the_wire(void **state)                                                \
    {                                                                                              \
        (void)state;                                                                               \
        static struct msg_##x m, back;                                                             \
        struct buf a = {0};                                                                        \
        struct buf b = {0};                                                                        \
        make_##x(&m);                                                                              \
        assert_int_equal(msg_##x##_encode(&m, &a, NULL), OK);                                      \
        assert_int_equal(msg_##x##_decode(a.p, a.len, &back, NULL), OK);                           \
        assert_memory_equal(&m, &back, sizeof m);                                                  \
        assert_int_equal(msg_##x##_encode(&back, &b, NULL), OK);                                   \
        assert_int_equal(a.len, b.len);                                                            \
        assert_memory_equal(a.p, b.p, a.len);                                                      \
        buf_deinit(&a);                                                                            \
        buf_deinit(&b);                                                                            \
    }
ROUND_TRIP_PLAIN(round)
ROUND_TRIP_PLAIN(slot)
ROUND_TRIP_PLAIN(peers)
ROUND_TRIP_PLAIN(credits)

#define ROUND_TRIP_SIGNED(x, set_signer)                                                           \
    static void x##_survives_the_wire(void **state)                                                \
    {                                                                                              \
        (void)state;                                                                               \
        static struct msg_##x m, back;                                                             \
        struct key k = test_key(9);                                                                \
        struct buf a = {0};                                                                        \
        make_##x(&m);                                                                              \
        set_signer;                                                                                \
        assert_int_equal(msg_##x##_sign(&m, &k, &a, NULL), OK);                                    \
        assert_int_equal(msg_##x##_verify(a.p, a.len, NULL, &back, NULL), OK);                     \
        assert_memory_equal(&m, &back, sizeof m);                                                  \
        assert_int_equal(msg_##x##_verify(a.p, a.len, &k.pub, &back, NULL), OK);                   \
        buf_deinit(&a);                                                                            \
    }                                                                                              \
    static void x##_by_another_key_is_refused(void **state)                                        \
    {                                                                                              \
        (void)state;                                                                               \
        static struct msg_##x m, back;                                                             \
        struct key k = test_key(9);                                                                \
        struct key_pub other = test_key(10).pub;                                                   \
        struct buf a = {0};                                                                        \
        make_##x(&m);                                                                              \
        assert_int_equal(msg_##x##_sign(&m, &k, &a, NULL), OK);                                    \
        assert_int_equal(msg_##x##_verify(a.p, a.len, &other, &back, NULL), ERR_AUTH);             \
        buf_deinit(&a);                                                                            \
    }
ROUND_TRIP_SIGNED(join, m.contributor = k.pub)
ROUND_TRIP_SIGNED(reserve, m.contributor = k.pub)
ROUND_TRIP_SIGNED(manifest, m.contributor = k.pub)
ROUND_TRIP_SIGNED(receipt, )
ROUND_TRIP_SIGNED(update, )

/* Take the payload of a signed message, or the text of a plain one, as an object. */
static json_t *open_signed(const struct buf *b, const char *typ)
{
    json_t *o = NULL;
    assert_int_equal(jws_verify((const char *)b->p, b->len, typ, NULL, &o, NULL, NULL), OK);
    return o;
}

typedef int (*read_fn)(const void *p, size_t n, void *ret, struct err *e);

#define READ_SIGNED(x)                                                                             \
    static int read_##x(const void *p, size_t n, void *ret, struct err *e)                         \
    {                                                                                              \
        return msg_##x##_verify(p, n, NULL, ret, e);                                               \
    }
#define READ_PLAIN(x)                                                                              \
    static int read_##x(const void *p, size_t n, void *ret, struct err *e)                         \
    {                                                                                              \
        return msg_##x##_decode(p, n, ret, e);                                                     \
    }
READ_SIGNED(join)
READ_SIGNED(reserve)
READ_SIGNED(manifest)
READ_SIGNED(receipt)
READ_SIGNED(update)
READ_PLAIN(round)
READ_PLAIN(slot)
READ_PLAIN(peers)
READ_PLAIN(credits)

static int read_object(const json_t *o, const char *typ, read_fn read, void *ret)
{
    struct buf b = {0};
    struct err e = {0};
    struct key k = test_key(9);
    if (typ)
        assert_int_equal(jws_sign(o, typ, &k, &b, NULL), OK);
    else
        assert_int_equal(json_write(o, &b, NULL), OK);
    int rc = read(b.p, b.len, ret, &e);
    if (rc) assert_true(e.what[0] != 0);
    buf_deinit(&b);
    return rc;
}

/* Each field in turn is left out, and replaced by a value of no message's kind. */
static void refuse_each_field(const json_t *o, const char *typ, read_fn read, void *ret)
{
    const char *k = NULL;
    json_t *v = NULL;
    json_t *all = json_deep_copy(o);
    assert_int_equal(read_object(all, typ, read, ret), OK);
    json_object_foreach(all, k, v)
    {
        json_t *copy = json_deep_copy(all);
        json_object_del(copy, k);
        if (read_object(copy, typ, read, ret) != ERR_PROTO) fail_msg("'%s' may be missing", k);
        json_object_set_new(copy, k, json_pack("{s:i}", "x", 1));
        if (read_object(copy, typ, read, ret) != ERR_PROTO) fail_msg("'%s' may be an object", k);
        json_decref(copy);
    }
    json_decref(all);
}

#define EVERY_FIELD_SIGNED(x)                                                                      \
    static void x##_needs_each_field(void **state)                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        static struct msg_##x m;                                                                   \
        struct key k = test_key(9);                                                                \
        struct buf a = {0};                                                                        \
        make_##x(&m);                                                                              \
        assert_int_equal(msg_##x##_sign(&m, &k, &a, NULL), OK);                                    \
        json_t *o = open_signed(&a, "potluck-" #x "+1");                                           \
        refuse_each_field(o, "potluck-" #x "+1", read_##x, &m);                                    \
        json_decref(o);                                                                            \
        buf_deinit(&a);                                                                            \
    }
#define EVERY_FIELD_PLAIN(x)                                                                       \
    static void x##_needs_each_field(void **state)                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        static struct msg_##x m;                                                                   \
        struct buf a = {0};                                                                        \
        json_t *o = NULL;                                                                          \
        make_##x(&m);                                                                              \
        assert_int_equal(msg_##x##_encode(&m, &a, NULL), OK);                                      \
        assert_int_equal(json_parse(a.p, a.len, &o, NULL), OK);                                    \
        refuse_each_field(o, NULL, read_##x, &m);                                                  \
        json_decref(o);                                                                            \
        buf_deinit(&a);                                                                            \
    }
EVERY_FIELD_SIGNED(join)
EVERY_FIELD_SIGNED(reserve)
EVERY_FIELD_SIGNED(manifest)
EVERY_FIELD_SIGNED(receipt)
EVERY_FIELD_SIGNED(update)
EVERY_FIELD_PLAIN(round)
EVERY_FIELD_PLAIN(slot)
EVERY_FIELD_PLAIN(peers)
EVERY_FIELD_PLAIN(credits)

static void rows_need_each_field(void **state)
{
    (void)state;
    static struct msg_peers peers;
    struct buf a = {0};
    json_t *o = NULL;
    make_peers(&peers);
    assert_int_equal(msg_peers_encode(&peers, &a, NULL), OK);
    assert_int_equal(json_parse(a.p, a.len, &o, NULL), OK);
    const char *k = NULL;
    json_t *v = NULL;
    json_t *names = json_deep_copy(json_array_get(json_object_get(o, "peers"), 0));
    json_object_foreach(names, k, v)
    {
        json_t *copy = json_deep_copy(o);
        json_object_del(json_array_get(json_object_get(copy, "peers"), 1), k);
        if (read_object(copy, NULL, read_peers, &peers) != ERR_PROTO)
            fail_msg("'%s' may be missing in a row", k);
        json_decref(copy);
    }
    json_decref(names);
    json_decref(o);
    buf_deinit(&a);
}

static void a_signed_message_of_another_kind_is_refused(void **state)
{
    (void)state;
    struct msg_join join;
    struct msg_reserve reserve;
    struct key k = test_key(9);
    struct buf a = {0};
    make_reserve(&reserve);
    assert_int_equal(msg_reserve_sign(&reserve, &k, &a, NULL), OK);
    json_t *o = open_signed(&a, "potluck-reserve+1");
    json_set_text(o, "name", "");
    json_set_text(o, "client", "x");
    json_set_text(o, "invite", "");
    json_set_u64(o, "proof", 0);
    assert_int_equal(read_object(o, "potluck-join+1", read_join, &join), OK);
    assert_int_equal(read_object(o, "potluck-reserve+1", read_join, &join), ERR_PROTO);
    json_decref(o);
    buf_deinit(&a);
}

static void one_flipped_byte_anywhere_is_refused(void **state)
{
    (void)state;
    struct msg_receipt m;
    struct msg_receipt back;
    struct key k = test_key(9);
    struct buf a = {0};
    make_receipt(&m);
    memset(&back, 0x5a, sizeof back);
    struct msg_receipt before = back;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), OK);
    for (size_t i = 0; i < a.len; i++) {
        a.p[i] ^= 1;
        if (msg_receipt_verify(a.p, a.len, &k.pub, &back, NULL) == OK)
            fail_msg("byte %zu may be changed", i);
        a.p[i] ^= 1;
        assert_int_not_equal(msg_receipt_verify(a.p, i, &k.pub, &back, NULL), OK);
    }
    assert_memory_equal(&back, &before, sizeof back); /* failures leave the output alone */
    assert_int_equal(msg_receipt_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    buf_deinit(&a);
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static struct msg_manifest m;
    struct buf a = {0};
    struct key k = test_key(9);
    make_manifest(&m);
    m.n_tokens = 0;
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    m.loss = -1;
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    m.round = 1ULL << 53;
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    m.round = UINT64_MAX;
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    m.n_bytes = 2 * MSG_CHUNK_BYTES + 1;
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    m.n_bytes = 1; /* two chunks cannot share one byte */
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    make_manifest(&m);
    strcpy(m.id, "0011223344556677 899aabbccddeeff");
    assert_int_equal(msg_manifest_sign(&m, &k, &a, NULL), ERR_PROTO);
    assert_int_equal(a.len, 0);
    buf_deinit(&a);
}

static void missing_numbers_travel_as_null(void **state)
{
    (void)state;
    struct msg_round m;
    struct msg_round back;
    struct buf a = {0};
    make_round(&m);
    m.val_loss = NAN;
    m.val_bits_per_byte = NAN;
    assert_int_equal(msg_round_encode(&m, &a, NULL), OK);
    assert_non_null(strstr(buf_str(&a), "\"val_loss\":null"));
    assert_int_equal(msg_round_decode(a.p, a.len, &back, NULL), OK);
    assert_true(isnan(back.val_loss));
    assert_true(back.swarm_tok_per_s > 2699);
    buf_deinit(&a);
}

static void text_from_a_peer_is_made_printable(void **state)
{
    (void)state;
    struct msg_join m;
    json_t *o = json_object();
    struct hash run = test_hash("run");
    json_set_hash(o, "run", &run);
    json_object_set_new(o, "name", json_string("a\x1b[31m\xe2\x80\xae"));
    json_set_text(o, "client", "potluck");
    json_set_text(o, "invite", "");
    json_set_u64(o, "proof", 0);
    json_set_i64(o, "created_at_ms", 1);
    assert_int_equal(read_object(o, "potluck-join+1", read_join, &m), OK);
    assert_string_equal(m.name, "a?[31m?");
    json_decref(o);
}

static void a_receipt_gives_a_reason_unless_it_accepts(void **state)
{
    (void)state;
    struct msg_receipt m;
    struct key k = test_key(9);
    struct buf a = {0};
    make_receipt(&m);
    m.verdict = MSG_ACCEPTED;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), ERR_PROTO);
    m.reason[0] = 0;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), OK);
    m.verdict = MSG_REJECTED;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), ERR_PROTO);
    m.verdict = 0;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), ERR_PROTO);
    buf_deinit(&a);
}

static void a_receipt_is_settled_and_paid_when_accepted(void **state)
{
    (void)state;
    struct msg_receipt m;
    struct msg_receipt back;
    struct key k = test_key(9);
    struct buf a = {0};
    make_receipt(&m);
    m.is_settled = true;
    m.reward = 250000;
    m.entry = 8;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), ERR_PROTO); /* it was late */
    m.reward = 0;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), OK); /* settled, with nothing */
    assert_int_equal(msg_receipt_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    assert_true(back.is_settled && back.reward == 0 && back.entry == 8);
    buf_clear(&a);
    m.reward = 250000;
    m.verdict = MSG_ACCEPTED;
    memset(m.reason, 0, sizeof m.reason);
    m.entry = 0;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), ERR_PROTO); /* that one opens the record */
    m.entry = 8;
    assert_int_equal(msg_receipt_sign(&m, &k, &a, NULL), OK);
    assert_int_equal(msg_receipt_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    assert_memory_equal(&m, &back, sizeof m);
    json_t *o = open_signed(&a, "potluck-receipt+1");
    json_object_set_new(o, "entry", json_null()); /* both or neither */
    assert_int_equal(read_object(o, "potluck-receipt+1", read_receipt, &back), ERR_PROTO);
    json_decref(o);
    buf_deinit(&a);
}

static void a_slot_lists_stored_chunks_once_and_in_order(void **state)
{
    (void)state;
    static const char *const bad[] = {"[3,3]", "[4,3]", "[1024]", "[-1]", "[1.0]", "[\"1\"]"};
    struct msg_slot m;
    char text[256];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text,
                 "{\"chunk_bytes\":9,\"have\":%s,\"id\":\"" AN_ID "\",\"left_ms\":1}", bad[i]);
        assert_int_equal(msg_slot_decode(text, strlen(text), &m, NULL), ERR_PROTO);
    }
}

static void unknown_fields_of_a_message_are_ignored(void **state)
{
    (void)state;
    struct msg_slot m;
    static const char text[] =
        "{\"chunk_bytes\":9,\"have\":[1],\"id\":\"" AN_ID "\",\"left_ms\":1,\"later\":[]}";
    assert_int_equal(msg_slot_decode(text, sizeof text - 1, &m, NULL), OK);
    assert_int_equal(m.n_have, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_survives_the_wire),
        cmocka_unit_test(reserve_survives_the_wire),
        cmocka_unit_test(manifest_survives_the_wire),
        cmocka_unit_test(receipt_survives_the_wire),
        cmocka_unit_test(update_survives_the_wire),
        cmocka_unit_test(round_survives_the_wire),
        cmocka_unit_test(slot_survives_the_wire),
        cmocka_unit_test(peers_survives_the_wire),
        cmocka_unit_test(credits_survives_the_wire),
        cmocka_unit_test(join_by_another_key_is_refused),
        cmocka_unit_test(reserve_by_another_key_is_refused),
        cmocka_unit_test(manifest_by_another_key_is_refused),
        cmocka_unit_test(receipt_by_another_key_is_refused),
        cmocka_unit_test(update_by_another_key_is_refused),
        cmocka_unit_test(join_needs_each_field),
        cmocka_unit_test(reserve_needs_each_field),
        cmocka_unit_test(manifest_needs_each_field),
        cmocka_unit_test(receipt_needs_each_field),
        cmocka_unit_test(update_needs_each_field),
        cmocka_unit_test(round_needs_each_field),
        cmocka_unit_test(slot_needs_each_field),
        cmocka_unit_test(peers_needs_each_field),
        cmocka_unit_test(credits_needs_each_field),
        cmocka_unit_test(rows_need_each_field),
        cmocka_unit_test(a_signed_message_of_another_kind_is_refused),
        cmocka_unit_test(one_flipped_byte_anywhere_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(missing_numbers_travel_as_null),
        cmocka_unit_test(text_from_a_peer_is_made_printable),
        cmocka_unit_test(a_receipt_gives_a_reason_unless_it_accepts),
        cmocka_unit_test(a_receipt_is_settled_and_paid_when_accepted),
        cmocka_unit_test(a_slot_lists_stored_chunks_once_and_in_order),
        cmocka_unit_test(unknown_fields_of_a_message_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
