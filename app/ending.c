#include "app/ending.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/describe.h"
#include "aggregator/finish.h"
#include "base/utf8.h"

int ending_ask(const char *question, struct err *e)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO)) {
        err_set(e, ERR_ARG, 0, "that cannot be taken back, and nobody is here to ask");
        err_hint(e, "add --yes when you mean it");
        return ERR_ARG;
    }
    printf("%s Type yes: ", question);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0) return OK;
    return err_set(e, ERR_WRONG_STATE, 0, "nothing was changed: the answer was not yes");
}

static int ask(const struct rundesc *d, struct err *e)
{
    char name[96], question[200];
    snprintf(question, sizeof question, "End the run '%s' for everybody? It cannot be taken back.",
             utf8_printable(d->name, name, sizeof name));
    return ending_ask(question, e);
}

int ending_run(const char *home, bool is_sure, struct err *e)
{
    struct rundesc d;
    struct finish_report r;
    char hex[HASH_HEX];
    int rc = describe_read(home, &d, NULL, e);
    if (rc == OK && !is_sure) rc = ask(&d, e);
    if (rc == OK) rc = finish_run(home, &r, e);
    if (rc != OK) return rc;
    if (r.is_asked) {
        printf(
            "The open round, %" PRIu64 ", is the last one: the run ends when it closes.\n"
            "Contributors need do nothing; `potluck-aggregator status --home %s` says when it is "
            "over.\n",
            r.n_rounds, home);
        return OK;
    }
    printf("%s, after %" PRIu64 " rounds.\n"
           "model    %s, the newest checkpoint\n"
           "paid     %" PRIu64 ".%06" PRIu64 " %s in all\n"
           "next     keep `serve` going for a while, so that contributors hear of it and fetch the "
           "model\n",
           r.was_ended ? "The run had ended already" : "The run is over", r.n_rounds,
           hash_hex(&r.model, hex), r.paid / 1000000, r.paid % 1000000, d.reward_unit);
    return OK;
}
