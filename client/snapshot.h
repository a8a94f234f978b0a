#pragma once
/* Why: fills the view, the one thing that screens and scripts see, from what the agent knows. Only
 * real numbers: what is not known stays missing.
 */

#include "client/agent_parts.h"
#include "view/view.h"

/* v was set by view_init. */
void snapshot_fill(struct agent *a, struct view *v);

/* Sample the process: memory, processor time. */
void snapshot_machine(struct agent_machine *m, int64_t now_ms);
