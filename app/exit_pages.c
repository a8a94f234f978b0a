#include "app/exit_pages.h"

#include <stdio.h>
#include <string.h>

#include "app/cmdline.h"

/* clang-format off */
static const struct {
    int code;
    const char *title, *text;
} pages[] = {
    {CMDLINE_EXIT_OK, "training, or done as asked",
     "A command did what it was asked for. Of `potluck status`: the agent trains, sends or\n"
     "fetches, or the run has ended and the final model is here.\n"},
    {CMDLINE_EXIT_ERROR, "error",
     "It could not be done; the line on stderr says why and, in brackets, what helps. Of\n"
     "`potluck status`: the agent has stopped by an error, which its state line names.\n"
     "Try: potluck status, potluck log, potluck doctor.\n"},
    {CMDLINE_EXIT_USAGE, "wrong usage",
     "An option, a command or a value is not one that exists; the line says which was probably\n"
     "meant. Nothing was changed. Try: potluck help, potluck help COMMAND.\n"},
    {CMDLINE_EXIT_PAUSED, "paused",
     "The agent is there and stands still: by your word (`potluck resume` goes on), or because\n"
     "of a hold, for example that you use this computer. `potluck status` names it and says when\n"
     "it ends; `potluck resume --anyway` goes on in spite of it.\n"},
    {CMDLINE_EXIT_WAITING, "waiting",
     "The agent is there and has nothing to compute now: no run is joined, the aggregator cannot\n"
     "be reached, or this round's work is done. It goes on by itself.\n"},
    {CMDLINE_EXIT_NO_AGENT, "no agent runs",
     "There is nobody to ask. `potluck` starts the agent and opens the screen; `potluck agent`\n"
     "runs it in the foreground. With --home, say the same --home.\n"},
    {CMDLINE_EXIT_BLOCKED, "something stands against it",
     "`potluck doctor` has found at least one thing that must be mended first. Its lines marked\n"
     "[block] say what, and the arrow below each says how.\n"},
};
/* clang-format on */

bool exit_pages_put(const char *number, struct buf *out)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", pages[i].code);
        if (strcmp(text, number) != 0) continue;
        buf_printf(out, "Exit code %s: %s\n\n%s", text, pages[i].title, pages[i].text);
        return true;
    }
    return false;
}

void exit_pages_list(struct buf *out)
{
    buf_put_str(out, "\nExit codes (`potluck help 3` tells more of each):\n");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        buf_printf(out, "  %d  %s\n", pages[i].code, pages[i].title);
}
