#pragma once
/* Why: `potluck train`: a model trained alone on this computer. See engine_cmd.h. */

int cmd_train(int argc, char **argv);
