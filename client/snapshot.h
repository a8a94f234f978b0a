#pragma once
/* Why: fills the view, the one thing that screens and scripts see, from what the agent knows. Only
 * real numbers: what is not known stays missing.
 */

#include "client/agent_parts.h"
#include "client/explain.h"
#include "view/view.h"

/* The state line as it stands. now_ms: session clock. */
void snapshot_state(const struct agent *a, int64_t now_ms, struct explain_line *ret);

/* v was set by view_init, and v->range to how far its graphs look back. */
void snapshot_fill(struct agent *a, struct view *v);

/* Sample the traffic of the run's wire: rates, and since when a download is under way. */
void snapshot_traffic(struct agent *a, int64_t now_ms);

/* Sample the process: memory, processor time. */
void snapshot_machine(struct agent_machine *m, int64_t now_ms);
