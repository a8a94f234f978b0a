#include "app/examples.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *command, *lines;
} rows[] = {
    {"screen", "  potluck\n"
               "  potluck screen --screen credits --no-color\n"
               "  potluck screen --plain | tee potluck.txt\n"},
    {"join", "  potluck join 'potluck://host.example:7333/#...'\n"
             "  potluck join --name Ada run.potluck\n"},
    {"runs", "  potluck runs https://club.example/runs.potluck\n"
             "  potluck runs --json runs.potluck\n"},
    {"status", "  potluck status\n"
               "  potluck status --json\n"
               "  potluck status --what-is-sent\n"},
    {"receipts", "  potluck receipts --verify\n"},
    {"rewards", "  potluck rewards --csv >rewards.csv\n"},
    {"payout", "  potluck payout set ADDRESS\n"
               "  potluck payout show\n"},
    {"pause", "  potluck pause\n"},
    {"resume", "  potluck resume\n"},
    {"config", "  potluck config list\n"
               "  potluck config set cores 2\n"
               "  potluck config set cores default\n"},
    {"replay", "  potluck replay recording\n"},
    {"finish", "  potluck finish\n"},
    {"leave", "  potluck leave\n"
              "  potluck leave --home ~/another\n"},
    {"stop", "  potluck stop\n"},
    {"help", "  potluck help join\n"},
};
/* clang-format on */

const char *examples_of(const char *command)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].command, command) == 0) return rows[i].lines;
    return NULL;
}
