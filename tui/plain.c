#include "tui/plain.h"

#include "view/text.h"

void plain_line(const struct view *v, bool is_gone, int64_t now_ms, struct buf *out)
{
    char a[TEXT_CAP];
    buf_printf(out, "%s %s", text_clock(now_ms, a), view_state_word(v->state));
    if (v->state == VIEW_NO_CONTACT) {
        buf_put_str(out, is_gone ? ": the agent has ended; `potluck` starts it again\n"
                                 : ": the agent does not answer; trying again\n");
        return;
    }
    if (v->reason[0]) buf_printf(out, ": %s", v->reason);
    if (v->state == VIEW_PAUSED) buf_put_str(out, ", until `potluck resume`");
    if (v->state == VIEW_SNOOZED) buf_put_str(out, ", sooner with `potluck resume`");
    if (v->ends_at_ms != VIEW_NONE && v->ends_at_ms >= now_ms)
        buf_printf(out, ", %s left",
                   text_duration((v->ends_at_ms - now_ms + 999) / 1000 * 1000, a));
    if (v->run_name[0]) {
        buf_printf(out, "; round %s", text_count((int64_t)v->round, a));
        buf_printf(out, "; speed %s tok/s", text_number(v->tok_per_s, a));
        buf_printf(out, "; loss %s", text_fixed(v->loss, 3, a));
        buf_printf(out, "; earned %s", text_credits(v->credits_confirmed, a));
        buf_printf(out, "; pending %s", text_credits(v->credits_pending, a));
        buf_printf(out, "; contributors %s", text_count(v->n_peers, a));
    }
    buf_put_str(out, "\n");
}
