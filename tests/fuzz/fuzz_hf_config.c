/* config.json and model.safetensors.index.json of a stranger's folder: what is accepted is a model
 * that can be computed, and names that stay inside of the folder.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/hf_config.h"
#include "engine/hf_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const struct model_config *c, const struct hf_config_ids *ids)
{
    struct buf b = {0};
    struct model_config again = {0};
    struct hf_config_ids ids_again = {0};
    check(hf_config_write(c, ids, DTYPE_F32, &b, NULL) == OK);
    check(hf_config_parse(b.p, b.len, &again, &ids_again, NULL) == OK);
    check(again.hidden_size == c->hidden_size && again.rope_theta == c->rope_theta);
    check(again.rms_norm_eps == c->rms_norm_eps && again.vocab_size == c->vocab_size);
    check(ids_again.eos == ids->eos && ids_again.bos == ids->bos);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_config c = {0};
    struct hf_config_ids ids = {0};
    struct err e = {0};
    struct buf names = {0};
    uint32_t n = 0;
    if (hf_config_parse(data, size, &c, &ids, &e) == OK) {
        check(model_config_check(&c, &e) == OK);
        check(ids.bos >= -1 && ids.bos < c.vocab_size && ids.eos >= -1 && ids.eos < c.vocab_size);
        check_written(&c, &ids);
    } else {
        check(e.what[0] != 0);
    }
    if (hf_folder_index(data, size, &names, &n, &e) == OK) {
        const char *s = (const char *)names.p;
        for (uint32_t i = 0; i < n; i++, s += strlen(s) + 1)
            check(*s && *s != '.' && !strchr(s, '/'));
        check(s == (const char *)names.p + names.len);
    }
    buf_deinit(&names);
    return 0;
}
