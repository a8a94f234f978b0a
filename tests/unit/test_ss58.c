#include <string.h>

#include "record/ss58.h"
#include "tests/check.h"

/* One account under several networks' numbers, by other code: Python's hashlib and plain integers. */
static const struct {
    const char *text;
    uint16_t network;
} known[] = {
    {"15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",  0    },
    {"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",  42   },
    {"7NPoMQbiA6trJKkjB35uk96MeJD4PGWkLQLH7k7hXEkZpiba",  63   },
    {"cEaNSpz4PxFcZ7nT1VEKrKewH67rfx6MfcM6yKojyyPz7qaqp", 64   },
    {"yGHXkYLYqxijLKKfd9Q2CB9shRVu8rPNBS53wvwGTutYg4zTg", 255  },
    {"VdvKmYJfD4VXA9fzz1SbmCo2eYHSzUFbaDCZSuaNKJAe8YNg6", 1284 },
    {"yNa8JpqfFB3q8A29rCwSgxvdU94ufJw2yKKxDgznS5m1PoFvn", 16383},
};
static const uint8_t account[SS58_ACCOUNT_BYTES] = {
    0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f, 0xd6,
    0x82, 0x2c, 0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d, 0xa2, 0x7d};

static void known_addresses_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct ss58 a;
        char again[SS58_CAP];
        struct err e = {0};
        if (ss58_parse(known[i].text, &a, &e)) fail_msg("%s: %s", known[i].text, e.what);
        assert_int_equal(a.network, known[i].network);
        assert_memory_equal(a.account, account, sizeof account);
        assert_string_equal(ss58_format(&a, again), known[i].text);
    }
}

static void every_network_number_has_one_spelling(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= SS58_MAX_NETWORK; n += 7) {
        struct ss58 a = {.network = (uint16_t)n}, b;
        char text[SS58_CAP];
        memcpy(a.account, account, sizeof account);
        int rc = ss58_parse(ss58_format(&a, text), &b, NULL);
        if (n == 46 || n == 47) continue; /* belong to nobody */
        assert_int_equal(rc, OK);
        assert_int_equal(b.network, n);
    }
}

static void an_account_of_zeros_is_one(void **state)
{
    (void)state;
    struct ss58 a;
    char again[SS58_CAP];
    const char *text = "111111111111111111111111111111111HC1";
    assert_int_equal(ss58_parse(text, &a, NULL), OK);
    assert_string_equal(ss58_format(&a, again), text);
}

/* One changed character, one left out, two exchanged: each is noticed, and said in words. */
static void every_slip_is_noticed(void **state)
{
    (void)state;
    const char *good = known[1].text;
    size_t n = strlen(good);
    for (size_t i = 0; i < n; i++) {
        char bad[SS58_CAP];
        struct ss58 a;
        struct err e = {0};
        strcpy(bad, good);
        bad[i] = bad[i] == 'x' ? 'y' : 'x';
        assert_int_equal(ss58_parse(bad, &a, &e), ERR_PROTO);
        assert_true(e.what[0] && strstr(e.hint, "--kind text"));
        memmove(bad + i, good + i + 1, n - i);
        assert_int_equal(ss58_parse(bad, &a, NULL), ERR_PROTO);
        strcpy(bad, good);
        bad[i] = good[i + 1 < n ? i + 1 : 0];
        bad[i + 1 < n ? i + 1 : 0] = good[i];
        if (strcmp(bad, good) != 0) assert_int_equal(ss58_parse(bad, &a, NULL), ERR_PROTO);
    }
}

static void the_sentence_names_the_checksum(void **state)
{
    (void)state;
    struct ss58 a;
    struct err e = {0};
    assert_int_equal(ss58_parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ", &a, &e),
                     ERR_PROTO);
    assert_non_null(strstr(e.what, "checksum"));
}

static void other_things_are_no_address(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",
        "1",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY ",
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQYx",
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKut\xc3\xa9",
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        "11111111111111111111111111111111111111111111111111",
        "Zp5wgt7iipcBBD8qrDbgQerUy6vWeg3np21675SE43SmZaPo9", /* 42 in two bytes */
        "Ks1TRTfTB2v19pD9G5yJ7QCuf8PT8EDE6ZPrHGo9DGneUGiBX", /* 33 bytes of account */
        "5g1axYPrdA2VeKsqmz8WKpa8f3n4T9ou8Qv3f8BaeheH3ApS",  /* network 46 */
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct ss58 a;
        struct err e = {0};
        if (ss58_parse(odd[i], &a, &e) != ERR_PROTO) fail_msg("taken: %s", odd[i]);
        assert_true(e.what[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_addresses_are_read_and_written),
        cmocka_unit_test(every_network_number_has_one_spelling),
        cmocka_unit_test(an_account_of_zeros_is_one),
        cmocka_unit_test(every_slip_is_noticed),
        cmocka_unit_test(the_sentence_names_the_checksum),
        cmocka_unit_test(other_things_are_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
