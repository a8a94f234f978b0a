/* The README.md of a stranger's folder: what is taken from it is a card that can be written and read
 * again, the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/model_card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model_card c, again;
    static const struct model_config m = {.vocab_size = 300, .num_attention_heads = 1};
    struct err e = {0};
    struct buf b = {0};
    struct hash h = {{0}};
    memset(&c, 0, sizeof c);
    memset(&again, 0, sizeof again);
    if (model_card_read(data, size, &c, &e) != OK) {
        check(e.what[0] != 0 && c.n_losses == 0);
        return 0;
    }
    check(c.n_losses <= MODEL_CARD_LOSSES);
    for (uint32_t i = 1; i < c.n_losses; i++)
        check(c.loss_round[i] > c.loss_round[i - 1]);
    check(model_card_write(&c, &m, 1, &h, "model.safetensors", "f32", &b, &e) == OK);
    check(model_card_read(b.p, b.len, &again, &e) == OK);
    check(again.n_losses == c.n_losses && again.n_tokens == c.n_tokens);
    check(strcmp(again.note, c.note) == 0 && strcmp(again.name, c.name) == 0);
    buf_deinit(&b);
    return 0;
}
