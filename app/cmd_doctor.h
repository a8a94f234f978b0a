#pragma once
/* Why: `potluck doctor`: can this computer take part, and is it worth it? See engine_cmd.h. */

int cmd_doctor(int argc, char **argv);
