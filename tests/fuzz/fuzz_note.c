/* Foreign bytes never crash, and a refusal always says why. A note of the form that is taken, with
 * nobody's signature, is never believed; the tree head it states, signed by us, is.
 */
#include <string.h>

#include "record/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    struct note v;
    struct err e = {0};
    if (note_parse(data, size, &v, &e)) {
        check(e.what[0]);
        return 0;
    }
    struct key k;
    struct note_head head;
    struct buf b = {0};
    check(v.n_sigs >= 1 && v.n_sigs <= NOTE_MAX_SIGS && v.n_text < size);
    check(key_from_seed(seed, &k, NULL) == OK);
    check(note_verify(data, size, &v.head.run, &k.pub, &head, &e) == ERR_AUTH && e.what[0]);
    check(note_sign(&v.head, &k, &b, NULL) == OK);
    check(b.len > v.n_text && memcmp(b.p, data, v.n_text) == 0);
    check(note_verify(b.p, b.len, &v.head.run, &k.pub, &head, NULL) == OK);
    check(head.n_leaves == v.head.n_leaves && hash_equal(&head.root, &v.head.root));
    buf_deinit(&b);
    return 0;
}
