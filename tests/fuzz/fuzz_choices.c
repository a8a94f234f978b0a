/* Questions are the user's file. What is read has the promised shape, whatever the bytes. */
#include "engine/choices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choices_item c = {0};
    if (choices_parse(data, size, &c, NULL) != OK) {
        check(c.n_choices == 0 && !c.question.p);
        return 0;
    }
    check(c.n_choices >= 2 && c.n_choices <= CHOICES_MAX && c.answer < c.n_choices);
    for (uint32_t i = 0; i < c.n_choices; i++)
        check(c.choices[i].len > 0 && c.choices[i].len < size);
    choices_deinit(&c);
    return 0;
}
