#include "app/engine_cmd.h"

#include <stddef.h>
#include <string.h>

#include "app/cmd_bench.h"
#include "app/cmd_doctor.h"
#include "app/cmd_eval.h"
#include "app/cmd_export.h"
#include "app/cmd_sample.h"
#include "app/cmd_train.h"
#include "app/cmd_verify.h"

static const struct {
    const char *word;
    engine_cmd_fn fn;
} cmds[] = {
    {"bench",  cmd_bench },
    {"doctor", cmd_doctor},
    {"eval",   cmd_eval  },
    {"export", cmd_export},
    {"sample", cmd_sample},
    {"train",  cmd_train },
    {"verify", cmd_verify},
};

engine_cmd_fn engine_cmd_find(const char *word)
{
    for (size_t i = 0; i < sizeof cmds / sizeof *cmds; i++)
        if (strcmp(cmds[i].word, word) == 0) return cmds[i].fn;
    return NULL;
}
