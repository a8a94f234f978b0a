#pragma once
/* Why: `potluck bench`: what this machine can do. See engine_cmd.h. */

int cmd_bench(int argc, char **argv);
