#include "app/status.h"

#include <math.h>
#include <string.h>

#include "app/cmdline.h"
#include "base/json.h"
#include "view/text.h"

int status_exit(const struct view *v)
{
    switch (v->state) {
    case VIEW_RUNNING:
    case VIEW_SENDING:
    case VIEW_FETCHING:
    case VIEW_FINISHING:
    case VIEW_DONE: return CMDLINE_EXIT_OK;
    case VIEW_PAUSED:
    case VIEW_SNOOZED: return CMDLINE_EXIT_PAUSED;
    case VIEW_WAITING:
        if (view_is_held(v)) return CMDLINE_EXIT_PAUSED;
        return v->is_run_ended ? CMDLINE_EXIT_OK : CMDLINE_EXIT_WAITING;
    case VIEW_IDLE:
    case VIEW_JOINING:
    case VIEW_RETRYING:
    case VIEW_LEAVING:
    case VIEW_ENDING: return CMDLINE_EXIT_WAITING;
    case VIEW_NO_CONTACT: return CMDLINE_EXIT_NO_AGENT;
    case VIEW_STOPPED:
    case VIEW_STATE_COUNT: break;
    }
    return CMDLINE_EXIT_ERROR;
}

/* What stands against training, and how much is taken of the computer. */
static void put_holds(const struct view *v, struct buf *out)
{
    char a[TEXT_CAP];
    for (uint32_t i = 0; i < v->n_holds; i++) {
        const struct view_hold *h = &v->holds[i];
        buf_printf(out, "hold     %s: %s; %s\n", h->name, h->reason,
                   h->is_overridden ? "you go on anyway" : h->end);
        if (h->can_override && !h->is_overridden)
            buf_put_str(out, "         go on anyway with `potluck resume --anyway`\n");
    }
    if (!v->gear[0]) return;
    buf_printf(out, "gear     %s: %u of %u cores, %s of the time; %s\n", v->gear, v->n_threads,
               v->n_cores, text_percent(v->duty_frac, a),
               v->is_in_use ? "you are using this computer" : "nobody uses this computer");
}

void status_text(const struct view *v, struct buf *out)
{
    char a[TEXT_CAP], b[TEXT_CAP], c[TEXT_CAP], d[TEXT_CAP];
    buf_printf(out, "[%s] %s", view_state_word(v->state), v->reason);
    bool has_no_end = !v->wish[0] || strcmp(v->wish, "pause") == 0; /* "": an older agent's */
    if (v->state == VIEW_PAUSED && has_no_end && v->n_holds == 0)
        buf_put_str(out, ", until `potluck resume`");
    if (v->ends_at_ms != VIEW_NONE)
        buf_printf(out, " (%s left)", text_duration(v->ends_at_ms - v->at_ms, a));
    if (v->state == VIEW_SNOOZED) buf_put_str(out, ", sooner with `potluck resume`");
    if (v->state == VIEW_STOPPED && v->override_hint[0]) buf_printf(out, " (%s)", v->override_hint);
    buf_put_u8(out, '\n');
    put_holds(v, out);
    if (!v->run_id[0]) return;
    buf_printf(out, "run      %s, %s parameters, at %s\n", v->run_name,
               text_number((double)v->n_params, a), v->aggregator);
    buf_printf(out, "round    %llu%s", (unsigned long long)v->round, v->n_rounds ? " of " : "");
    if (v->n_rounds) buf_printf(out, "%llu", (unsigned long long)v->n_rounds);
    buf_printf(out, ", %u contributor%s\n", v->n_peers, v->n_peers == 1 ? "" : "s");
    buf_printf(out, "model    %.16s..., %s\n", v->model_hash,
               v->is_model_hash_agreed ? "the same as the aggregator's" : "not yet compared");
    buf_printf(out, "speed    %s tokens/s now, %s tokens trained on\n",
               text_number(v->tok_per_s, a), text_count((int64_t)v->n_tokens, b));
    buf_printf(out, "loss     %s training (nats a token); held-out %s bits a byte\n",
               text_fixed(v->loss, 4, a), text_fixed(v->val_bits_per_byte, 4, b));
    buf_printf(out, "sent     %llu accepted, %llu late, %llu rejected; %s up, %s down\n",
               (unsigned long long)v->n_accepted, (unsigned long long)v->n_late,
               (unsigned long long)v->n_rejected, text_bytes(v->bytes_up, a),
               text_bytes(v->bytes_down, b));
    buf_printf(out, "%-8s %s confirmed, %s pending\n", v->reward_unit,
               text_credits(v->credits_confirmed, c), text_credits(v->credits_pending, d));
}

static void set_maybe(json_t *o, const char *k, int64_t v)
{
    if (v == VIEW_NONE)
        json_object_set_new(o, k, json_null());
    else
        json_set_i64(o, k, v);
}

static json_t *hold_json(const struct view_hold *h)
{
    json_t *o = json_object();
    json_set_text(o, "name", h->name);
    json_set_text(o, "reason", h->reason);
    json_set_text(o, "end", h->end);
    set_maybe(o, "ends_at_ms", h->ends_at_ms);
    json_set_bool(o, "can_override", h->can_override);
    json_set_bool(o, "overridden", h->is_overridden);
    return o;
}

int status_json(const struct view *v, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_text(o, "version", v->version);
    json_set_text(o, "state", view_state_word(v->state));
    json_set_text(o, "reason", v->reason);
    set_maybe(o, "ends_at_ms", v->ends_at_ms);
    json_set_bool(o, "paused", v->is_paused);
    json_set_bool(o, "finishing", v->is_finishing);
    json_set_text(o, "wish", v->wish);
    set_maybe(o, "snooze_until_ms", v->snooze_until_ms);
    json_set_bool(o, "released", v->is_released);
    json_set_text(o, "gear", v->gear);
    json_set_bool(o, "in_use", v->is_in_use);
    json_t *holds = json_array();
    for (uint32_t i = 0; i < v->n_holds; i++)
        json_array_append_new(holds, hold_json(&v->holds[i]));
    json_object_set_new(o, "holds", holds);
    json_set_text(o, "name", v->name);
    json_set_text(o, "key", v->key);
    json_set_text(o, "run", v->run_id);
    json_set_text(o, "run_name", v->run_name);
    json_set_text(o, "aggregator", v->aggregator);
    json_set_u64(o, "round", v->round);
    json_set_u64(o, "n_rounds", v->n_rounds);
    json_set_u64(o, "step", v->i_step);
    json_set_bool(o, "run_ended", v->is_run_ended);
    json_set_text(o, "model_sha256", v->model_hash);
    json_set_bool(o, "is_model_hash_agreed", v->is_model_hash_agreed);
    json_set_text(o, "engine", v->engine);
    json_set_u64(o, "accepted", v->n_accepted);
    json_set_u64(o, "late", v->n_late);
    json_set_u64(o, "rejected", v->n_rejected);
    json_set_u64(o, "tokens", v->n_tokens);
    json_set_real(o, "tok_per_s", v->tok_per_s);
    json_set_real(o, "tok_per_s_avg", v->tok_per_s_avg);
    json_set_real(o, "loss", v->loss);
    json_set_real(o, "val_loss", v->val_loss);
    json_set_real(o, "val_bits_per_byte", v->val_bits_per_byte);
    json_set_u64(o, "bytes_up", v->bytes_up);
    json_set_u64(o, "bytes_down", v->bytes_down);
    json_set_real(o, "bits_per_value", v->bits_per_value);
    json_set_u64(o, "payload_bytes", v->payload_bytes);
    set_maybe(o, "credits_micro", v->credits_confirmed);
    set_maybe(o, "credits_pending_micro", v->credits_pending);
    json_set_u64(o, "contributors", v->n_peers);
    json_set_text(o, "said", v->said);
    json_set_u64(o, "said_round", v->said_round);
    json_set_u64(o, "rss_bytes", v->rss_bytes);
    json_set_u64(o, "threads", v->n_threads);
    json_set_real(o, "rtt_ms", v->rtt_ms);
    set_maybe(o, "saved_ms_ago", v->saved_ms_ago);
    set_maybe(o, "ms_train", v->ms_train);
    set_maybe(o, "ms_pack", v->ms_pack);
    set_maybe(o, "ms_upload", v->ms_upload);
    set_maybe(o, "ms_wait", v->ms_wait);
    set_maybe(o, "ms_apply", v->ms_apply);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
