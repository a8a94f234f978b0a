#pragma once
/* Why: before somebody gives a night of their computer, can it take part in this run at all, and is
 * it worth it? Facts are gathered elsewhere (app/cmd_doctor.c looks, measures, asks); here they
 * become findings, each with what to do about it, and one sentence. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "view/view.h"

#define DOCTOR_MAX 32

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BLOCK };

/* A missing number is NaN or 0, as said. */
struct doctor_facts {
    /* this computer */
    bool has_avx2, has_avx512, has_bf16;
    uint32_t n_cores, n_used;         /* used: of the gear when nobody is here */
    uint64_t memory_free, memory_all; /* 0: not known */
    uint64_t disk_free;
    bool can_write_home;
    char home[128];
    uint32_t key_mode; /* permission bits; 0: there is no key yet */
    int64_t wall_ms;
    bool has_proxy; /* a proxy is named in the environment; we do not use one */
    bool is_agent_running;
    char config_trouble[160]; /* the settings cannot be read: why; "" */
    uint32_t n_sources;
    struct view_source sources[VIEW_SOURCES];
    int n_tries,
        n_refused; /* forbidden things that were done from inside the sandbox; 0: not tried */
    char sandbox_done[64]; /* one that worked; "" */
    bool is_sandbox_off;   /* by the settings */

    /* the run; all else is 0 without one */
    bool has_run;
    char run_name[48];
    uint64_t memory_needed, memory_allowed;
    uint64_t disk_needed;
    uint32_t inner_steps; /* 0: time decides */
    uint64_t inner_ms, round_ms, tokens_per_step;
    uint64_t payload_bytes, update_bytes;
    bool is_payload_known; /* else it is estimated from the model */
    char speed_trouble[160];
    double tok_per_s; /* measured; NaN */

    /* its host */
    bool is_asked;
    char host[160];
    bool has_answer;
    char net_trouble[192], net_fix[128];
    bool has_ipv4, has_ipv6;
    double connect_ms;                       /* until the first answer; NaN */
    double down_bytes_per_s, up_bytes_per_s; /* NaN: not measured */
    uint64_t n_round; /* the run's, from its status; and whether it has ended */
    bool has_ended;
};

struct doctor_finding {
    enum doctor_level level;
    char what[20];
    char text[192];
    char fix[128]; /* "": nothing to do */
};

struct doctor {
    uint32_t n;
    struct doctor_finding f[DOCTOR_MAX];
    enum doctor_level worst;
    double round_s, of_s; /* a round here, and how long it may take; NaN */
    char verdict[240];
};

void doctor_judge(const struct doctor_facts *f, struct doctor *d);

void doctor_text(const struct doctor *d, struct buf *out);
int doctor_json(const struct doctor *d, struct buf *out, struct err *e) MUST_CHECK;
