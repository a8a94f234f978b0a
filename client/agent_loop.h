#pragma once
/* Why: the background process that contributes. It owns the loop and joins the parts: the session
 * decides, the wire asks the aggregator, the work trains, the control socket serves screens.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client/config.h"
#include "client/home.h"
#include "client/work_state.h"
#include "engine/trainer.h"

struct agent_config {
    struct home *home;   /* open and locked */
    struct config given; /* what environment and flags say; the rest is of no account */
    enum trainer_precision precision;   /* what to train in; weights and sums are fp32 in either */
    enum packed_kind moments, feedback; /* less memory, see engine/trainer.h; as the next one */
    bool recompute;
    struct work_choice chosen; /* of moments and feedback; a state file decides about the others */
    bool is_demo;              /* told to screens: q ends the demo */
};

/* Run until `stop` or a signal asks to end. Blocks; owns its loop. Errors only for what makes it
 * useless from the start: the control socket in use, no key.
 */
int agent_loop(const struct agent_config *c, struct err *e) MUST_CHECK;
