#pragma once
/* Why: `potluck verify`: did the host tell the truth? See engine_cmd.h. */

int cmd_verify(int argc, char **argv);
