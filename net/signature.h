#pragma once
/* Why: a request that carries bytes without a signed text of its own (an upload's chunk) is signed as
 * a whole: HTTP Message Signatures (RFC 9421), so that other software can check what was sent. Of
 * that standard exactly one shape is written and taken: these four components in this order, these
 * parameters in this order, one signature. Anything else is refused, so there is nothing to
 * negotiate and the parser is a comparison.
 *
 *   Signature-Input: LABEL=("@method" "@authority" "@path" "content-digest");created=SECONDS;
 *                    keyid="<64 hex>";alg="ed25519";tag="potluck+1"
 *   Signature:       LABEL=:<64 bytes in base64>:
 *
 * `created` is signed but not held against a clock: what is signed names its own content and an
 * upload of one round, so saying it again changes nothing.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/key.h"

#define SIGNATURE_INPUT_CAP 256
#define SIGNATURE_VALUE_CAP 160

/* What is covered. authority in lower case and without ":443" counts as the same. */
struct signature_target {
    const char *method;
    const char *authority;
    const char *path;   /* without query */
    const char *digest; /* value of content-digest */
};

/* Both headers' values. ERR_LIMIT when the target's texts are too long, ERR_NOMEM. */
int signature_make(const struct signature_target *t, const struct key *k, int64_t created_s,
                   char input[SIGNATURE_INPUT_CAP], char value[SIGNATURE_VALUE_CAP],
                   struct err *e) MUST_CHECK;

/* OK and whose it is; ERR_PROTO (shape, or a header is NULL), ERR_AUTH (not that key's). */
int signature_check(const struct signature_target *t, const char *input, const char *value,
                    struct key_pub *ret_key, struct err *e) MUST_CHECK;
