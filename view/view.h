#pragma once
/* Why: the one door between the contributor and any screen: a snapshot of plain data, without
 * pointers. The agent fills it, the control socket carries it as JSON (view_encode/decode), the
 * screen draws it, a recording is one of them per line.
 *
 * Missing numbers are NaN (doubles) or VIEW_NONE (integers) and are shown as "-".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "view/card.h"
#include "view/holding.h"
#include "view/past.h"

#define VIEW_NONE     INT64_MIN
#define VIEW_SERIES   240 /* newest samples a graph gets */
#define VIEW_PEERS    64
#define VIEW_CREDITS  64
#define VIEW_LOG      128
#define VIEW_LINE_CAP 160
#define VIEW_SAID_CAP 200

/* First word of the state line. */
enum view_state {
    VIEW_IDLE = 0, /* no run joined */
    VIEW_JOINING,
    VIEW_FETCHING, /* model, text or updates on their way */
    VIEW_RUNNING,  /* training */
    VIEW_SENDING,  /* packing and uploading */
    VIEW_WAITING, /* contribution sent, held back by the surroundings, or nothing to do until ... */
    VIEW_PAUSED,  /* by the person, until the person says otherwise */
    VIEW_FINISHING, /* completes the round, then pauses */
    VIEW_RETRYING,  /* aggregator not reachable; next try at ... */
    VIEW_STOPPED,   /* by an error: the reason says which */
    VIEW_LEAVING,
    VIEW_NO_CONTACT, /* set by the screen itself: the agent does not answer */
    VIEW_DONE,       /* the run has ended and the final model is here */
    VIEW_ENDING,     /* the agent saves, then ends */
    VIEW_SNOOZED,    /* by the person, for a while */
    VIEW_STATE_COUNT,
};

/* A graph's data: n samples, oldest first, one every step_ms, the last at the view's time. NaN is
 * a gap (no data), never zero.
 */
struct view_series {
    uint32_t n;
    uint32_t step_ms; /* 0 when the samples are rounds, not times */
    float v[VIEW_SERIES];
};

struct view_peer {
    char name[40]; /* chosen name, or "peer-7f3c" */
    bool is_you;
    double tok_per_s;
    double share_frac; /* of all tokens of the last round */
    char state[16];
    char last10[11];
    int64_t seen_ms_ago;
};

struct view_credit {
    int64_t at_ms; /* wall clock */
    uint64_t round;
    uint64_t n_tokens;
    char result[96]; /* "accepted", "late by 40 s", ... */
    int64_t amount;  /* micro-credits */
    bool is_settled;
};

struct view_log {
    int64_t at_ms;
    uint8_t level; /* enum log_level */
    char text[VIEW_LINE_CAP];
};

struct view {
    uint64_t seq;  /* grows with every snapshot */
    int64_t at_ms; /* wall clock of the snapshot */
    char version[16];

    /* state line: word from `state`, then these */
    enum view_state state;
    char reason[VIEW_LINE_CAP]; /* "round 7, step 12 of 30" / "by you" */
    int64_t ends_at_ms;         /* when that changes by itself, wall clock; VIEW_NONE */
    char override_hint[64];     /* "p: resume" */
    bool is_paused;             /* the wish */
    bool is_finishing;
    char wish[12];               /* "run", "pause", "snooze", "finish", "leave" */
    int64_t snooze_until_ms;     /* wall clock; VIEW_NONE */
    bool is_released;            /* the trainer's memory was given back; it comes again by itself */
    char gear[12];               /* in effect: "gentle", "balanced", "full", "off" */
    bool is_in_use;              /* the person is at the computer, as far as one can see */
    double duty_frac;            /* of the time that training may run */
    double others_frac;          /* of the processor, taken by other programs; NaN */
    double heat_c, battery_frac; /* NaN: no sensor, no battery */
    bool is_demo;                /* q ends the demo */
    bool is_run_ended;           /* the final model is held */
    char name[40];               /* you: chosen name or peer-xxxx */
    char key[65];

    /* run */
    char run_name[48];
    char run_note[256];
    char run_id[65];
    char aggregator[160]; /* host:port */
    uint64_t round;
    uint64_t n_rounds; /* 0: endless */
    double round_frac; /* how far this round is, 0..1; NaN */
    int64_t round_ends_at_ms;
    uint64_t i_step;  /* inner step in this round */
    uint64_t n_steps; /* planned; 0 when time decides */
    uint64_t n_params;
    uint32_t n_layers, hidden_size, vocab_size, seq_len;
    char model_hash[65];       /* base of the round, as computed here */
    bool is_model_hash_agreed; /* equals the aggregator's for the same round */
    bool is_model_hash_wrong;  /* differs from it; neither: not compared yet */
    char engine[384];
    char said[VIEW_SAID_CAP]; /* a line that the model wrote at the start of said_round; "" */
    uint64_t said_round;
    double bits_per_value;  /* of the last contribution; NaN */
    uint64_t payload_bytes; /* of the last contribution */

    /* numbers */
    double tok_per_s;     /* now */
    double tok_per_s_avg; /* 15 min */
    double tok_per_s_best;
    double loss; /* newest training loss */
    double loss_best;
    double val_loss; /* nats per token */
    double val_bits_per_byte;
    uint64_t val_round;
    uint64_t n_tokens; /* trained by this machine in this run */
    uint64_t n_accepted, n_late, n_rejected;
    int64_t credits_confirmed; /* micro-credits */
    int64_t credits_pending;
    char reward_unit[24];
    /* forecasts: ranges that should hold four times out of five, micro-credits; VIEW_NONE: too
     * little history */
    int64_t today_lo, today_hi; /* all of today, what came already included */
    int64_t day_lo, day_hi;     /* the next 24 hours */
    int64_t week_lo, week_hi;
    int64_t credits_per_hour; /* at the present speed beside the present swarm; VIEW_NONE */
    uint32_t n_forecasts, n_forecasts_held; /* whose time is over; of them those that held */
    uint32_t n_peers;                       /* contributors in the run now */
    double swarm_tok_per_s;
    uint64_t bytes_up, bytes_down;
    double rtt_ms;
    int64_t saved_ms_ago; /* last local save */
    double cpu_frac;      /* our share of the whole machine */
    uint32_t n_threads, n_cores;
    uint64_t rss_bytes;
    double fetch_frac;           /* download under way, 0..1; NaN when none */
    double up_per_s, down_per_s; /* bytes, over the last seconds; NaN */
    int64_t fetch_left_ms;       /* at the pace so far; VIEW_NONE */

    /* how the last round's time was spent, ms */
    int64_t ms_train, ms_pack, ms_upload, ms_wait, ms_apply;

    uint32_t range;                    /* enum view_range of the graphs over time */
    struct view_series speed;          /* tok/s over time */
    struct view_series loss_curve;     /* training loss over time */
    struct view_series val_curve;      /* validation loss per round */
    struct view_series earned;         /* confirmed credits per round, whole credits */
    struct view_series earned_pending; /* same axis */
    struct view_series peers_curve;    /* contributors over time */

    uint32_t n_peer_rows;
    struct view_peer peers[VIEW_PEERS];
    uint32_t n_credit_rows;
    struct view_credit credits[VIEW_CREDITS]; /* newest first */
    uint32_t n_holds;
    struct view_hold holds[VIEW_HOLDS];
    uint32_t n_sources;
    struct view_source sources[VIEW_SOURCES];
    uint32_t n_card;
    struct view_card card[VIEW_CARD]; /* of the joined run */
    uint32_t n_marks;
    struct view_mark marks[VIEW_MARKS]; /* oldest first */
    uint32_t n_days;
    struct view_day days[VIEW_DAYS]; /* oldest first, days without a look are missing */
    uint32_t n_log;
    struct view_log log[VIEW_LOG]; /* oldest first */
};

/* A view with every number missing. */
void view_init(struct view *v);

const char *view_state_word(enum view_state s); /* "RUNNING"; never NULL */

/* Whether a hold that nobody overrode stands. */
bool view_is_held(const struct view *v);

/* JSON, one line without a newline; decode checks every bound and makes text printable. */
int view_encode(const struct view *v, struct buf *out, struct err *e) MUST_CHECK;
int view_decode(const void *json, size_t n, struct view *ret, struct err *e) MUST_CHECK;
