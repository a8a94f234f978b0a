#pragma once
/* Why: `potluck sample`: let the model write. See engine_cmd.h. */

int cmd_sample(int argc, char **argv);
