#include <string.h>

#include "base/utf8.h"
#include "engine/tokenizer_table.h"
#include "tests/check.h"

static void every_byte_is_a_character_that_can_be_seen(void **state)
{
    (void)state;
    struct buf out = {0};
    struct buf back = {0};
    uint8_t all[256];
    for (unsigned b = 0; b < 256; b++)
        all[b] = (uint8_t)b;
    tokenizer_spell_bytes(all, 256, &out);
    size_t at = 0;
    uint32_t next = 256; /* the definition: hidden bytes take the next character, in order */
    for (unsigned b = 0; b < 256; b++) {
        bool is_seen = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
        uint32_t cp = 0;
        at += utf8_decode(out.p + at, out.len - at, &cp);
        assert_int_equal(cp, is_seen ? b : next++);
    }
    assert_int_equal(at, out.len);
    assert_true(tokenizer_unspell((const char *)out.p, out.len, &back));
    assert_int_equal(back.len, 256);
    assert_memory_equal(back.p, all, 256);
    buf_deinit(&out);
    buf_deinit(&back);
}

static void what_is_not_of_the_alphabet_is_not_read(void **state)
{
    (void)state;
    const char *const bad[] = {" ", "\u0144", "a\u4e00", "\xff", "\u00ad", "\n", "\xc2\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf out = {0};
        assert_false(tokenizer_unspell(bad[i], strlen(bad[i]), &out));
        buf_deinit(&out);
    }
}

static void a_sentence_spells_spaces_and_bytes_its_way(void **state)
{
    (void)state;
    const struct tokenizer_style style = {.is_sentence = true};
    struct tokenizer *t = NULL;
    struct buf out = {0};
    assert_int_equal(tokenizer_table_create(&style, 4, 0, &t, NULL), OK);
    assert_int_equal(tokenizer_add(t, "<s>", 3, TOKENIZER_SPECIAL, NULL), OK);
    assert_int_equal(tokenizer_add(t, "\n", 1, TOKENIZER_BYTE, NULL), OK);
    assert_int_equal(tokenizer_add(t, " a b", 4, TOKENIZER_TEXT, NULL), OK);
    assert_int_equal(tokenizer_add(t, "c d", 3, TOKENIZER_ADDED, NULL), OK);
    for (uint32_t id = 0; id < 4; id++)
        tokenizer_spell(t, id, &out);
    assert_string_equal(buf_str(&out), "<s><0x0A>\u2581a\u2581bc d");
    buf_deinit(&out);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_a_character_that_can_be_seen),
        cmocka_unit_test(what_is_not_of_the_alphabet_is_not_read),
        cmocka_unit_test(a_sentence_spells_spaces_and_bytes_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
