#include "client/sent.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* What several requests have in common. */
#define RUN                                                                                        \
    {                                                                                              \
        "run", "which run is meant: the SHA-256 of its description"                                \
    }
#define TIME                                                                                       \
    {                                                                                              \
        "created_at_ms", "this computer's clock, so that old messages can be told from new ones"   \
    }
#define BASE                                                                                       \
    {                                                                                              \
        "base", "hash of the model that was trained from"                                          \
    }

/* clang-format off */
static const struct sent_kind kinds[SENT_KINDS] = {
    [SENT_RUN] = {"GET", "/v1/run", NULL,
        "Once, when you join by a link: fetches the signed description of the run.", {{NULL, NULL}}},
    [SENT_JOIN] = {"POST", "/v1/join", "potluck-join+1",
        "When the agent starts, and after the aggregator was restarted. Signed with your key.", {
        RUN,
        {"name", "the name you chose with --name; empty unless you did. Others see it"},
        {"client", "name and version of this program, so that a host can say what is too old"},
        {"invite", "the code of your invite link; empty in a public run"},
        {"proof", "the solved puzzle, where the run asks for one; a number that says nothing else"},
        TIME}},
    [SENT_POLL] = {"GET", "/v1/round?after={after}&session={session}&state={state}&speed={speed}", NULL,
        "About every 20 seconds: waits for news of the round.", {
        {"after", "the round that is known here"},
        {"session", "the number that the aggregator gave to this join"},
        {"state", "training, uploading, waiting or paused, so that a round knows for whom to wait"},
        {"speed", "tokens a second while training. Others see it"}}},
    [SENT_GOODBYE] = {"GET", "/v1/round?session={session}&state=gone", NULL,
        "When you leave or stop: no round waits for you any longer.", {
        {"session", "the number that the aggregator gave to this join"}}},
    [SENT_RESERVE] = {"POST", "/v1/contributions", "potluck-reserve+1",
        "Once a round: asks for room for a contribution. Signed with your key.", {
        RUN,
        {"round", "the round that it is for"},
        BASE,
        {"max_bytes", "how long the contribution is"},
        TIME}},
    [SENT_CHUNK] = {"PUT", "/v1/contributions/{id}/chunks/{i}", NULL,
        "For each MiB of a contribution: what training changed in the model, packed. Signed with your key.", {
        {"id", "names the upload; given by the aggregator"},
        {"i", "which piece of it"}}},
    [SENT_CHUNK_OFFSET] = {"HEAD", "/v1/contributions/{id}/chunks/{i}", NULL,
        "When sending a piece was cut off: asks how much of it has arrived.", {
        {"id", "names the upload; given by the aggregator"},
        {"i", "which piece of it"}}},
    [SENT_CHUNK_REST] = {"PATCH", "/v1/contributions/{id}/chunks/{i}", NULL,
        "Then: the rest of that piece. Signed with your key.", {
        {"id", "names the upload; given by the aggregator"},
        {"i", "which piece of it"}}},
    [SENT_MANIFEST] = {"POST", "/v1/contributions/{id}/manifest", "potluck-manifest+1",
        "Once a round: says what the contribution is. Signed with your key; kept and published by the host.", {
        {"id", "names the upload; given by the aggregator"},
        RUN,
        {"round", "the round that it is for"},
        BASE,
        {"payload", "hash of the contribution"},
        {"n_bytes", "its length"},
        {"chunks", "hashes of its pieces"},
        {"n_tokens", "tokens trained on: what rewards are reckoned from"},
        {"n_steps", "training steps"},
        {"loss", "mean training loss"},
        {"tok_per_s", "speed while training"},
        {"engine", "version of the engine and kind of arithmetic, so that others can repeat it"},
        TIME}},
    [SENT_UPDATE_HEAD] = {"GET", "/v1/updates/{round}/head", NULL,
        "After each round: fetches what the host signed about its result.", {
        {"round", "which round"}}},
    [SENT_UPDATE] = {"GET", "/v1/updates/{round}", NULL,
        "After each round: fetches what everybody learnt together.", {
        {"round", "which round"}}},
    [SENT_TREE_HEAD] = {"GET", "/v1/log/checkpoint", NULL,
        "When the agent starts, after each round, and to verify: fetches what the host's public record comes to.", {{NULL, NULL}}},
    [SENT_TILE] = {"GET", "/v1/log/{tile}", NULL,
        "With it: fetches the few hashes which show that the record was not rewritten; to verify, all of it.", {
        {"tile", "which hashes or entries"}}},
    [SENT_CHECKPOINT] = {"GET", "/v1/checkpoints/{round}", NULL,
        "When you come late, or when a run begins with a model: fetches the weights.", {
        {"round", "which round"}}},
    [SENT_TOKENIZER] = {"GET", "/v1/tokenizer", NULL,
        "Once for each run, and for `potluck doctor`: fetches how text is cut into tokens.", {{NULL, NULL}}},
    [SENT_INDEX] = {"GET", "/v1/data/train/{shard}/index", NULL,
        "Once for each part of the text: fetches its list of pieces.", {
        {"shard", "which part"}}},
    [SENT_TEXT] = {"GET", "/v1/data/train/{shard}/chunks/{chunk}", NULL,
        "While training: fetches text of the run.", {
        {"shard", "which part"},
        {"chunk", "which piece; follows from run, round and your key"}}},
    [SENT_PEERS] = {"GET", "/v1/peers", NULL,
        "Every few seconds while taking part: fetches what the screen shows about the others.", {{NULL, NULL}}},
    [SENT_CREDITS] = {"GET", "/v1/credits/{key}", NULL,
        "Every few seconds while taking part: fetches your own ledger.", {
        {"key", "your public key; everybody may ask for everybody's"}}},
    [SENT_CREDITS_PAGE] = {"GET", "/v1/credits/{key}?before={before}", NULL,
        "With `potluck rewards`: fetches the older lines of your ledger.", {
        {"key", "your public key; everybody may ask for everybody's"},
        {"before", "only lines of receipts with a smaller number"}}},
    [SENT_RECEIPTS] = {"GET", "/v1/receipts/{key}?after={after}", NULL,
        "With `potluck receipts` and `potluck rewards`: fetches what the host signed about your contributions.", {
        {"key", "your public key; everybody may ask for everybody's"},
        {"after", "only receipts with a greater number"}}},
    [SENT_BLOB] = {"GET", "/v1/blobs/{hash}", NULL,
        "With `potluck verify` and `potluck receipts --verify`: fetches a file of the run's record.", {
        {"hash", "its SHA-256, as the record names it"}}},
    [SENT_LOOK] = {"GET", "/v1/round", NULL,
        "Before you join by a link, to show how the run stands; with `potluck verify`: which weights the host still has.", {{NULL, NULL}}},
    [SENT_STATUS] = {"GET", "/v1/status", NULL,
        "When you export the model or run `potluck doctor`: fetches how the run stands.", {{NULL, NULL}}},
    [SENT_RUNS] = {"GET", "/v1/runs", NULL,
        "When you ask a host for its list of runs; `potluck runs https://...` asks that address instead.",
        {{NULL, NULL}}},
    [SENT_PAYOUT] = {"POST", "/v1/payouts", "potluck-payout+1",
        "Only with `potluck payout`: says where your share is to go. Signed with your key; published by the host.", {
        RUN,
        {"kind", "ss58, text, or none when you take the address back"},
        {"address", "the one you gave"},
        TIME}},
};

static const struct sent_field headers[] = {
    {"user-agent", "name and version of this program"},
    {"content-type", "what kind of body follows"},
    {"content-length", "how long it is"},
    {"content-digest", "SHA-256 of the bytes sent"},
    {"repr-digest", "SHA-256 of the whole chunk, when only the rest of it is sent"},
    {"upload-draft-interop-version", "which draft of resumable uploads is spoken"},
    {"upload-complete", "that nothing of the chunk is to follow"},
    {"upload-offset", "where in the chunk the bytes begin"},
    {"signature-input", "what of a chunk's request is signed, when, and by which key"},
    {"signature", "that signature"},
    {"range", "which part of a file is wanted"},
    {NULL, NULL},
};
/* clang-format on */

const struct sent_kind *sent_kind(enum sent_what what)
{
    return &kinds[what];
}

const struct sent_field *sent_headers(void)
{
    return headers;
}

char *sent_path(enum sent_what what, const char *const *values, size_t n_values, char *dst,
                size_t cap)
{
    size_t n = 0, i_value = 0;
    for (const char *p = kinds[what].path; *p;) {
        const char *text = p;
        size_t len = strcspn(p, "{");
        p += len;
        if (len == 0) {
            check(i_value < n_values);
            text = values[i_value++];
            len = strlen(text);
            p += strcspn(p, "}") + 1;
        }
        check(n + len < cap);
        memcpy(dst + n, text, len);
        n += len;
    }
    check(i_value == n_values);
    dst[n] = '\0';
    return dst;
}

static void put_fields(struct buf *out, const struct sent_field *f, size_t max)
{
    for (size_t i = 0; i < max && f[i].name; i++)
        buf_printf(out, "    %-16s %s\n", f[i].name, f[i].why);
}

void sent_text(struct buf *out)
{
    buf_put_str(
        out,
        "What this machine sends, and to whom: to the aggregators that the signed run description\n"
        "names, over TLS 1.3, and to nobody else. They also see your network address.\n");
    for (size_t i = 0; i < SENT_KINDS; i++) {
        buf_printf(out, "\n%s %s\n", kinds[i].method, kinds[i].path);
        buf_printf(out, "  %s\n", kinds[i].when);
        put_fields(out, kinds[i].fields, SENT_MAX_FIELDS);
    }
    buf_put_str(out, "\nHeader fields of these requests\n");
    put_fields(out, headers, sizeof headers / sizeof *headers);
}

static json_t *fields_json(const struct sent_field *f, size_t max)
{
    json_t *o = json_object();
    for (size_t i = 0; i < max && f[i].name; i++)
        json_set_text(o, f[i].name, f[i].why);
    return o;
}

int sent_json(struct buf *out, struct err *e)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < SENT_KINDS; i++) {
        json_t *k = json_object();
        json_set_text(k, "method", kinds[i].method);
        json_set_text(k, "path", kinds[i].path);
        json_set_text(k, "when", kinds[i].when);
        if (kinds[i].typ) json_set_text(k, "signed_as", kinds[i].typ);
        json_object_set_new(k, "fields", fields_json(kinds[i].fields, SENT_MAX_FIELDS));
        json_array_append_new(list, k);
    }
    json_object_set_new(o, "requests", list);
    json_object_set_new(o, "headers", fields_json(headers, sizeof headers / sizeof *headers));
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
