#include "app/cmd_payout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "client/payto.h"
#include "view/text.h"

enum deed { SET, SHOW, CLEAR };

struct payout {
    struct rundesc run;
    struct key key;
    struct payee payee;
    bool has_any;
    struct buf text;
    char refused[200]; /* by the host; "" */
    char no_host[200]; /* why it could not be asked; "" */
};

static int usage(struct err *e, const char *what)
{
    err_set(e, ERR_ARG, 0, "%s", what);
    err_hint(e, "potluck payout show, potluck payout clear, or potluck payout set ADDRESS");
    return ERR_ARG;
}

static int read_words(const struct cmdline *c, enum deed *ret, enum payee_kind *ret_kind,
                      struct err *e)
{
    static const char *const words[] = {[SET] = "set", [SHOW] = "show", [CLEAR] = "clear"};
    const char *word = c->source ? c->source : words[SHOW];
    unsigned i = 0;
    while (i < 3 && strcmp(word, words[i]) != 0)
        i++;
    *ret = (enum deed)i;
    *ret_kind = *ret == CLEAR ? PAYEE_NONE : PAYEE_SS58;
    if (i == 3) return usage(e, "payout takes one of the words set, show and clear");
    if (*ret == SET && !c->detail) return usage(e, "say which address to set");
    if (*ret != SET && (c->detail || c->kind)) return usage(e, "an address belongs to set alone");
    if (!c->kind) return OK;
    if (payee_kind_parse(c->kind, ret_kind) == 0 && *ret_kind != PAYEE_NONE) return OK;
    return usage(e, "--kind is ss58 (checked) or text (as it is)");
}

static int open_run(const struct home *h, struct payout *p, struct err *e)
{
    struct hash id;
    int rc = home_current(h, &id, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, rc, 0, "no run is joined here");
        err_hint(e, "join one with `potluck join FILE|LINK`, or check --home");
    }
    if (rc == OK) rc = home_load_run(h, &id, &p->run, e);
    return rc == OK ? home_key(h, &p->key, e) : rc;
}

/* What the host says to it is part of the answer, not an error. */
static int tell_host(struct payout *p, struct err *e)
{
    struct err why = {0};
    int rc = payto_tell(&p->run, &p->text, &why);
    if (rc == ERR_NOMEM && e) *e = why;
    if (rc == OK || rc == ERR_NOMEM) return rc;
    char line[400];
    utf8_printable(err_line(&why, line, sizeof line),
                   rc == ERR_WRONG_STATE ? p->refused : p->no_host, sizeof p->refused);
    return OK;
}

static const char *now(const struct payout *p)
{
    return !p->has_any                      ? "No payout address was set from here"
           : p->payee.kind == PAYEE_NONE    ? "No payout address is set any more"
           : p->refused[0] || p->no_host[0] ? "Payout address kept on this computer"
                                            : "Payout address, known to the host";
}

static void print_text(const struct payout *p)
{
    char date[TEXT_CAP], unit[sizeof p->run.reward_unit];
    bool has_address = p->has_any && p->payee.kind != PAYEE_NONE;
    utf8_printable(p->run.reward_unit, unit, sizeof unit);
    printf("%s%s\n", now(p), has_address ? ":" : ".");
    if (has_address)
        printf("  %s   (%s, signed %s)\n", p->payee.address,
               p->payee.kind == PAYEE_SS58 ? "SS58, its checksum is right" : "text, not checked",
               text_date(p->payee.created_at_ms, date));
    if (p->refused[0]) printf("The host does not take it: %s.\n", p->refused);
    if (p->no_host[0])
        printf("The host could not be told: %s. Ask again with `potluck payout show`.\n",
               p->no_host);
    if (has_address)
        puts("It becomes part of the public record with the next settlement, and stays there.");
    printf("This run counts in %s, a unit of its host, who alone decides whether anything is paid "
           "for it.\npotluck promises no value and speaks to no chain.\n",
           *unit ? unit : "a unit");
}

static int print_json(const struct payout *p, struct err *e)
{
    struct buf b = {0};
    json_t *o = json_object();
    bool has_address = p->has_any && p->payee.kind != PAYEE_NONE;
    json_set_hash(o, "run", &p->run.id);
    json_set_key(o, "key", &p->key.pub);
    json_set_text(o, "unit", p->run.reward_unit);
    json_set_text(o, "kind", has_address ? payee_kind_word(p->payee.kind) : "none");
    json_set_text(o, "address", has_address ? p->payee.address : "");
    json_set_i64(o, "set_at_ms", p->has_any ? p->payee.created_at_ms : 0);
    json_set_bool(o, "host_knows", p->has_any && !p->refused[0] && !p->no_host[0]);
    json_set_text(o, "host_refused", p->refused);
    json_set_text(o, "host_error", p->no_host);
    json_set_text(o, "note", "no value is promised, and no chain is asked");
    int rc = json_write(o, &b, e);
    if (rc == OK) printf("%s\n", buf_str(&b));
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static int code_of(const struct payout *p, int rc)
{
    if (rc == ERR_ARG) return CMDLINE_EXIT_USAGE;
    if (rc != OK || p->refused[0]) return CMDLINE_EXIT_ERROR;
    return p->no_host[0] ? CMDLINE_EXIT_WAITING : CMDLINE_EXIT_OK;
}

int cmd_payout(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    enum deed deed = SHOW;
    enum payee_kind kind = PAYEE_NONE;
    struct payout *p = calloc(1, sizeof *p);
    int rc = p ? read_words(c, &deed, &kind, e) : err_set(e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK) rc = open_run(h, p, e);
    if (rc == OK && deed != SHOW)
        rc =
            payto_keep(h, &p->run, &p->key, kind, deed == SET ? c->detail : "", clock_wall_ms(), e);
    if (rc == OK) rc = payto_load(h, &p->run, &p->key, &p->payee, &p->text, e);
    if (rc == OK) p->has_any = true;
    if (rc == OK) rc = tell_host(p, e);
    if (rc == ERR_NOTFOUND && p->run.n_aggregators) rc = OK; /* nothing was ever set */
    if (rc == OK && c->is_json)
        rc = print_json(p, e);
    else if (rc == OK)
        print_text(p);
    *ret_code = p ? code_of(p, rc) : CMDLINE_EXIT_ERROR;
    if (p) {
        buf_deinit(&p->text);
        key_wipe(&p->key);
    }
    free(p);
    return rc;
}
