#pragma once
/* Why: the agent's one struct, seen by agent_loop.c (which owns it), agent_run.c (one joined run) and
 * snapshot.c (which only reads it). Main thread alone.
 */

#include <uv.h>

#include "client/agent_loop.h"
#include "client/control.h"
#include "client/guest.h"
#include "client/history.h"
#include "client/logbook.h"
#include "client/outlook.h"
#include "client/pass.h"
#include "client/receipts.h"
#include "client/session.h"
#include "client/wire.h"
#include "client/work.h"

/* How the time of a round was spent, beside what the work measures. */
struct agent_times {
    enum session_state state;
    int64_t since_ms;
    int64_t upload_ms, wait_ms; /* of the round under way */
    int64_t last_upload_ms, last_wait_ms;
};

/* What the machine says about us, sampled once a second. */
struct agent_machine {
    uint32_t n_cores;
    uint64_t rss_bytes;
    double cpu_frac;
    int64_t cpu_us, at_ms; /* of the last sample */
    uint64_t bytes_up, bytes_down;
    double up_per_s, down_per_s; /* smoothed over about 5 s */
    int64_t fetch_since_ms;      /* a download is under way since then (monotonic); 0: none */
    double fetch_from;           /* how far it was then */
};

struct agent {
    struct agent_config config;
    struct key key;
    char name[MSG_NAME_CAP];
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick; /* the session's next time-out */
    uv_timer_cb on_tick;
    uv_timer_t second; /* samples */
    uv_signal_t sigint, sigterm;
    struct control *control;
    struct logbook logbook;
    struct agent_machine machine;
    struct guest guest;
    uint64_t n_seconds;
    uint64_t seq; /* of views */

    /* The joined run; all of it is NULL or zero without one. */
    struct rundesc *run;
    char run_dir[PATH_CAP], cache_dir[PATH_CAP], note_path[PATH_CAP], wish_path[PATH_CAP];
    char receipts_path[PATH_CAP], history_path[PATH_CAP], evidence_dir[PATH_CAP];
    char outlook_path[PATH_CAP];
    struct work *work;
    struct wire *wire;
    struct pass pass;
    struct pass_task *solving; /* the run's puzzle; the session starts afterwards */
    struct work_news opened;   /* what it starts with */
    struct err stopped;        /* code != OK: the trainer could not be started */
    struct session session;
    struct work_progress progress;
    struct agent_times times;
    struct history *history;
    struct outlook *outlook;       /* forecasts */
    struct receipts_count counted; /* receipts of earlier processes */
    struct msg_peers *peers;
    struct msg_credits *credits;
    int64_t paused_at_ms;     /* when the gate closed; 0: open or parked */
    struct journal_wish wish; /* as persisted */
    bool has_run;
    bool is_open; /* the trainer is there and the session has started */
    bool is_saving_history;
    int64_t parting_at_ms; /* the aggregator is being told that we go, since then; 0: not */
    bool is_ending;
};

/* agent_run.c: one run from joining to leaving. */
int agent_run_begin(struct agent *a, const struct hash *run, struct err *e) MUST_CHECK;
void agent_run_event(struct agent *a, const struct session_event *ev);
void agent_run_news(struct agent *a);      /* the work has news */
void agent_run_second(struct agent *a);    /* once a second */
void agent_run_knock(struct agent *a);     /* the person brought a new invite: ask again now */
void agent_run_tick(struct agent *a);      /* (re)start the session's timer */
void agent_run_keep_wish(struct agent *a); /* what was asked for, durably, when it is another */
/* Drop work and wire at once; then_fn when their memory is gone. */
void agent_run_end(struct agent *a);

/* agent_loop.c */
void agent_gone(struct agent *a, enum intent_kind why); /* the session has ended */
