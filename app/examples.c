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
             "  potluck join --name Ada run.potluck\n"
             "  potluck join --look run.potluck\n"},
    {"runs", "  potluck runs https://club.example/runs.potluck\n"
             "  potluck runs --json runs.potluck\n"},
    {"status", "  potluck status\n"
               "  potluck status --json\n"
               "  potluck status --what-is-sent\n"},
    {"receipts", "  potluck receipts --verify\n"},
    {"rewards", "  potluck rewards\n"
                "  potluck rewards --forecast\n"
                "  potluck rewards --csv >rewards.csv\n"},
    {"payout", "  potluck payout set ADDRESS\n"
               "  potluck payout set --kind text 'account-17'\n"
               "  potluck payout show\n"
               "  potluck payout clear\n"},
    {"pause", "  potluck pause\n"
              "  potluck pause --for 2h\n"
              "  potluck pause --release\n"},
    {"resume", "  potluck resume\n"
               "  potluck resume --anyway\n"},
    {"key", "  potluck key show\n"
            "  potluck key backup\n"
            "  potluck key restore --home ~/new\n"},
    {"log", "  potluck log --since 2h\n"
            "  potluck log --follow\n"},
    {"explain", "  potluck explain 03:12\n"},
    {"config", "  potluck config list\n"
               "  potluck config set cores 2\n"
               "  potluck config set cores default\n"},
    {"replay", "  potluck replay recording\n"
               "  potluck replay --speed 10 --screen credits recording\n"},
    {"finish", "  potluck finish\n"},
    {"leave", "  potluck leave\n"
              "  potluck leave --home ~/another\n"},
    {"stop", "  potluck stop\n"},
    {"help", "  potluck help join\n"
             "  potluck help 3\n"},
};
/* clang-format on */

const char *examples_of(const char *command)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].command, command) == 0) return rows[i].lines;
    return NULL;
}
