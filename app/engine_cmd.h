#pragma once
/* Why: the commands that compute (train, sample, eval, export, bench, doctor) need the engine, which
 * `potluck` itself never maps (docs/decisions/0004). They live in potluck-agent: `potluck WORD ...`
 * becomes `potluck-agent WORD ...`, and this table finds the word. Each is a file app/cmd_WORD.c
 * that reads its own options, prints what a person wants to see, and returns the exit code.
 * A command is also a row of the table in cmdline.c, for `potluck help`.
 */

/* argv[0] is the command's word. Called before any thread exists. */
typedef int (*engine_cmd_fn)(int argc, char **argv);

/* NULL when there is no such command. */
engine_cmd_fn engine_cmd_find(const char *word);
