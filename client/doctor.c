#include "client/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "view/text.h"

#define EARLIEST_MS INT64_C(1750000000000) /* before this program was written */
#define GUESS_UP    0.25                   /* of the rate down, where nothing was ever sent */
#define SLOW_MS     400

static void add(struct doctor *d, enum doctor_level level, const char *what, const char *fix,
                const char *fmt, ...) PRINTF_LIKE(5, 6);

static void add(struct doctor *d, enum doctor_level level, const char *what, const char *fix,
                const char *fmt, ...)
{
    if (d->n == DOCTOR_MAX) return;
    struct doctor_finding *f = &d->f[d->n++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
    f->level = level;
    snprintf(f->what, sizeof f->what, "%s", what);
    snprintf(f->fix, sizeof f->fix, "%s", fix);
    if (level > d->worst) d->worst = level;
}

/* ---- this computer ------------------------------------------------------------------------------- */

static void judge_processor(const struct doctor_facts *f, struct doctor *d)
{
    const char *isa = f->has_avx512 ? "AVX-512" : f->has_avx2 ? "AVX2" : "no AVX2";
    if (f->has_avx2)
        add(d, DOCTOR_OK, "processor", "", "%s%s; %u of %u cores when nobody is here", isa,
            f->has_bf16 ? " with bf16" : "", f->n_used, f->n_cores);
    else
        add(d, DOCTOR_WARN, "processor",
            "it works, some five times slower than on a newer processor",
            "%s: training uses plain C here", isa);
}

static void judge_memory(const struct doctor_facts *f, struct doctor *d)
{
    char a[TEXT_CAP], b[TEXT_CAP];
    if (!f->has_run) {
        add(d, DOCTOR_OK, "memory", "", "%s free", text_bytes(f->memory_free, a));
        return;
    }
    if (f->memory_needed > f->memory_allowed)
        add(d, DOCTOR_BLOCK, "memory", "raise memory_percent or a gear: see `potluck config list`",
            "this run needs %s, the settings allow %s", text_bytes(f->memory_needed, a),
            text_bytes(f->memory_allowed, b));
    else if (f->memory_free && f->memory_needed > f->memory_free && !f->is_agent_running)
        add(d, DOCTOR_BLOCK, "memory", "close other programs, or take a run with a smaller model",
            "this run needs %s, %s is free", text_bytes(f->memory_needed, a),
            text_bytes(f->memory_free, b));
    else
        add(d, DOCTOR_OK, "memory", "", "this run needs %s, %s is free",
            text_bytes(f->memory_needed, a), text_bytes(f->memory_free, b));
}

static void judge_disk(const struct doctor_facts *f, struct doctor *d)
{
    char a[TEXT_CAP], b[TEXT_CAP];
    if (!f->can_write_home)
        add(d, DOCTOR_BLOCK, "disk", "choose a folder of your own that can be written: --home DIR",
            "%.120s cannot be written", f->home);
    else if (f->disk_needed > f->disk_free)
        add(d, DOCTOR_BLOCK, "disk", "free some space, or choose another --home",
            "this run needs %s, %s is free", text_bytes(f->disk_needed, a),
            text_bytes(f->disk_free, b));
    else
        add(d, DOCTOR_OK, "disk", "", "%s needed, %s free", text_bytes(f->disk_needed, a),
            text_bytes(f->disk_free, b));
}

static void judge_sandbox(const struct doctor_facts *f, struct doctor *d)
{
    if (f->is_sandbox_off)
        add(d, DOCTOR_WARN, "sandbox", "potluck config set sandbox on",
            "the settings keep the agent out of it");
    else if (f->n_tries == 0)
        add(d, DOCTOR_WARN, "sandbox", "", "what the agent cannot do could not be tried");
    else if (f->n_refused < f->n_tries)
        add(d, DOCTOR_WARN, "sandbox", "a newer kernel (Landlock, seccomp) keeps it in its place",
            "tried %d forbidden things as the agent, %d were refused; it could: %s", f->n_tries,
            f->n_refused, f->sandbox_done);
    else
        add(d, DOCTOR_OK, "sandbox", "",
            "tried %d forbidden things as the agent, all refused: files elsewhere, programs, "
            "listening, other processes",
            f->n_tries);
}

static void judge_home(const struct doctor_facts *f, struct doctor *d)
{
    if (f->key_mode & 077)
        add(d, DOCTOR_BLOCK, "key", "chmod 600 the file `key` in the home folder",
            "your key can be read by others (mode %03o)", f->key_mode);
    else
        add(d, DOCTOR_OK, "key", "", "%s",
            f->key_mode ? "yours alone (mode 600)" : "none yet; it is made with the first run");
    if (f->config_trouble[0])
        add(d, DOCTOR_BLOCK, "settings", "mend that line, or move the file away", "%s",
            f->config_trouble);
    if (f->wall_ms < EARLIEST_MS)
        add(d, DOCTOR_BLOCK, "clock", "set the clock; hosts refuse signatures of another time",
            "this computer's clock is years behind");
    judge_sandbox(f, d);
    for (uint32_t i = 0; i < f->n_sources; i++)
        add(d, f->sources[i].is_working ? DOCTOR_OK : DOCTOR_WARN, f->sources[i].name, "", "%s",
            f->sources[i].text);
}

/* ---- the way to the host ------------------------------------------------------------------------- */

static void judge_network(const struct doctor_facts *f, struct doctor *d)
{
    char a[TEXT_CAP], b[TEXT_CAP], c[TEXT_CAP];
    if (!f->is_asked) return;
    if (f->has_proxy)
        add(d, DOCTOR_WARN, "proxy", "allow a direct connection to the host's port",
            "the environment names a proxy; potluck connects directly");
    if (f->has_ipv4 || f->has_ipv6)
        add(d, DOCTOR_OK, "name", "", "%.100s has %s%s%s", f->host, f->has_ipv4 ? "IPv4" : "",
            f->has_ipv4 && f->has_ipv6 ? " and " : "", f->has_ipv6 ? "IPv6" : "");
    if (!f->has_answer) {
        add(d, DOCTOR_BLOCK, "host",
            f->net_fix[0] ? f->net_fix : "try again later, or ask the host", "%s", f->net_trouble);
        return;
    }
    add(d, f->connect_ms > SLOW_MS ? DOCTOR_WARN : DOCTOR_OK, "host", "",
        "%.100s answers over TLS 1.3 and HTTP/2, its key is the run's; first answer after %s",
        f->host, text_duration((int64_t)f->connect_ms, a));
    if (f->has_ended)
        add(d, DOCTOR_BLOCK, "run", "look for another one: `potluck runs`", "the run has ended");
    if (isfinite(f->down_bytes_per_s))
        add(d, DOCTOR_OK, "rates",
            isfinite(f->up_bytes_per_s) ? ""
                                        : "the rate up is measured with the first contribution",
            "%s/s down, %s%s/s up", text_bytes((uint64_t)f->down_bytes_per_s, b),
            isfinite(f->up_bytes_per_s) ? "" : "perhaps ",
            text_bytes((uint64_t)(isfinite(f->up_bytes_per_s) ? f->up_bytes_per_s
                                                              : GUESS_UP * f->down_bytes_per_s),
                       c));
}

/* ---- worth it? ----------------------------------------------------------------------------------- */

static double transfer_s(const struct doctor_facts *f)
{
    double down = f->down_bytes_per_s;
    double up = isfinite(f->up_bytes_per_s) ? f->up_bytes_per_s : GUESS_UP * down;
    if (!(down > 0) || !(up > 0)) return (double)NAN;
    return (double)f->payload_bytes / up + (double)f->update_bytes / down;
}

static void judge_speed(const struct doctor_facts *f, struct doctor *d)
{
    char a[TEXT_CAP], b[TEXT_CAP];
    d->round_s = d->of_s = (double)NAN;
    if (!f->has_run) return;
    if (!(f->tok_per_s > 0)) {
        add(d, DOCTOR_WARN, "speed", "", "not measured: %.150s", f->speed_trouble);
        return;
    }
    add(d, DOCTOR_OK, "speed", "", "%s tokens/s", text_number(f->tok_per_s, a));
    double by_steps = (double)f->inner_steps * (double)f->tokens_per_step / f->tok_per_s;
    double train = f->inner_steps ? by_steps : (double)f->inner_ms / 1000;
    double wire = transfer_s(f);
    if (isnan(wire)) return;
    d->of_s = (double)f->round_ms / 1000;
    d->round_s = train + wire;
    double step_s = (double)f->tokens_per_step / f->tok_per_s;
    if (!f->inner_steps && step_s * 1000 > (double)f->inner_ms)
        add(d, DOCTOR_BLOCK, "round", "take a run with a smaller model, or allow more cores",
            "one step takes %s here, the run allows %s for all of them",
            text_duration((int64_t)(step_s * 1000), a), text_duration((int64_t)f->inner_ms, b));
    else if (d->round_s > d->of_s)
        add(d, DOCTOR_BLOCK, "round", "allow more cores, or take a run with longer rounds",
            "%s of training and %s on the wire do not fit into %s",
            text_duration((int64_t)(train * 1000), a), text_duration((int64_t)(wire * 1000), b),
            "the round");
}

static void say_verdict(const struct doctor_facts *f, struct doctor *d)
{
    char a[TEXT_CAP], b[TEXT_CAP];
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->f[i].level != DOCTOR_BLOCK) continue;
        snprintf(d->verdict, sizeof d->verdict, "not yet: %.190s", d->f[i].text);
        return;
    }
    if (isfinite(d->round_s))
        snprintf(d->verdict, sizeof d->verdict,
                 "this machine finishes a round in about %s of %s: %s",
                 text_duration((int64_t)(d->round_s * 1000), a),
                 text_duration((int64_t)(d->of_s * 1000), b),
                 d->round_s > 0.9 * d->of_s ? "it may often be late" : "worth joining");
    else if (f->has_run)
        snprintf(d->verdict, sizeof d->verdict,
                 "nothing stands against it, but speed or network could not be measured");
    else
        snprintf(d->verdict, sizeof d->verdict,
                 "this computer is fit; name a run for more: potluck doctor LINK");
}

void doctor_judge(const struct doctor_facts *f, struct doctor *d)
{
    *d = (struct doctor){0};
    judge_processor(f, d);
    judge_memory(f, d);
    judge_disk(f, d);
    judge_home(f, d);
    judge_network(f, d);
    judge_speed(f, d);
    say_verdict(f, d);
}

static const char *level_word(enum doctor_level l)
{
    return l == DOCTOR_OK ? "ok" : l == DOCTOR_WARN ? "warn" : "block";
}

void doctor_text(const struct doctor *d, struct buf *out)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct doctor_finding *f = &d->f[i];
        buf_printf(out, "[%-5s] %-10s %s\n", level_word(f->level), f->what, f->text);
        if (f->fix[0]) buf_printf(out, "                   -> %s\n", f->fix);
    }
    buf_printf(out, "\n%s\n", d->verdict);
}

int doctor_json(const struct doctor *d, struct buf *out, struct err *e)
{
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = 0; i < d->n; i++) {
        json_t *row = json_object();
        json_set_text(row, "level", level_word(d->f[i].level));
        json_set_text(row, "what", d->f[i].what);
        json_set_text(row, "text", d->f[i].text);
        json_set_text(row, "fix", d->f[i].fix);
        json_array_append_new(a, row);
    }
    json_object_set_new(o, "findings", a);
    json_set_text(o, "worst", level_word(d->worst));
    json_set_real(o, "round_s", d->round_s);
    json_set_real(o, "of_s", d->of_s);
    json_set_text(o, "verdict", d->verdict);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
