#pragma once
/* Why: `potluck export DIR`: the model leaves potluck, as a Hugging Face folder or as a GGUF file. */

/* As engine_cmd_fn. */
int cmd_export(int argc, char **argv);
