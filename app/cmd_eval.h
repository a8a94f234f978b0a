#pragma once
/* Why: `potluck eval`: how good is the model? See engine_cmd.h. */

int cmd_eval(int argc, char **argv);
