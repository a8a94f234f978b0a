#include "aggregator/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store_in.h"
#include "base/alloc.h"
#include "base/rng.h"

#define SCHEMA 3

/* Version 2 settled accepted receipts alone: in its table a line that paid nothing stayed open. */
#define OLD_SCHEMA 2

#define RECEIPTS_TABLE(name)                                                                       \
    "CREATE TABLE " name "(seq INTEGER PRIMARY KEY,"                                               \
    " contributor BLOB NOT NULL REFERENCES contributors(key), round INTEGER NOT NULL,"             \
    " payload BLOB NOT NULL, n_bytes INTEGER NOT NULL, n_tokens INTEGER NOT NULL,"                 \
    " n_steps INTEGER NOT NULL, loss REAL, tok_per_s REAL,"                                        \
    " verdict INTEGER NOT NULL CHECK(verdict IN (1,2,3)), reason TEXT NOT NULL,"                   \
    " created_at INTEGER NOT NULL, jws TEXT NOT NULL, manifest BLOB NOT NULL,"                     \
    " n_passed INTEGER NOT NULL, reward INTEGER, entry INTEGER REFERENCES entries(idx),"           \
    " UNIQUE(contributor, round), CHECK((reward IS NULL)=(entry IS NULL)),"                        \
    " CHECK(verdict=1 OR coalesce(reward,0)=0));"

#define RECEIPTS_INDEXES                                                                           \
    "CREATE UNIQUE INDEX counted_once ON receipts(payload) WHERE verdict=1;"                       \
    "CREATE INDEX receipts_of_round ON receipts(round, verdict);"

#define POSTINGS_PAY                                                                               \
    "CREATE TRIGGER postings_pay_the_accepted BEFORE INSERT ON postings WHEN NEW.amount>0 AND"     \
    " NOT EXISTS (SELECT 1 FROM receipts WHERE seq=NEW.receipt_seq AND entry=NEW.entry"            \
    " AND reward=NEW.amount)"                                                                      \
    " BEGIN SELECT RAISE(ABORT, 'only a settled receipt is paid, and only once'); END;"

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE contributors(key BLOB PRIMARY KEY CHECK(length(key)=32), name TEXT NOT NULL,"
    " client TEXT NOT NULL, joined_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE slots(contributor BLOB NOT NULL REFERENCES contributors(key),"
    " round INTEGER NOT NULL, id TEXT NOT NULL, max_bytes INTEGER NOT NULL,"
    " PRIMARY KEY(contributor, round)) WITHOUT ROWID;" RECEIPTS_TABLE("receipts") RECEIPTS_INDEXES
    "CREATE TABLE rounds(round INTEGER PRIMARY KEY, base BLOB NOT NULL, result BLOB NOT NULL,"
    " update_hash BLOB NOT NULL, update_bytes INTEGER NOT NULL, n_merged INTEGER NOT NULL,"
    " n_tokens INTEGER NOT NULL, train_loss REAL, published_at INTEGER NOT NULL,"
    " head TEXT NOT NULL, entry INTEGER NOT NULL UNIQUE REFERENCES entries(idx),"
    " first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL CHECK(last_seq>=first_seq-1),"
    " sheet BLOB NOT NULL, paid_in_all INTEGER NOT NULL);"
    "CREATE TABLE entries(idx INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL,"
    " leaf BLOB NOT NULL CHECK(length(leaf)=32));"
    "CREATE INDEX entries_of_kind ON entries(kind);"
    "CREATE TRIGGER entries_stay BEFORE DELETE ON entries"
    " BEGIN SELECT RAISE(ABORT, 'the record only grows'); END;"
    "CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries"
    " BEGIN SELECT RAISE(ABORT, 'the record only grows'); END;"
    "CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE postings(id INTEGER PRIMARY KEY,"
    " entry INTEGER NOT NULL REFERENCES entries(idx),"
    " receipt_seq INTEGER NOT NULL UNIQUE REFERENCES receipts(seq),"
    " from_account INTEGER NOT NULL REFERENCES accounts(id),"
    " to_account INTEGER NOT NULL REFERENCES accounts(id), amount INTEGER NOT NULL"
    " CHECK(amount >= 0), reason TEXT NOT NULL CHECK(reason<>''), at INTEGER NOT NULL,"
    " CHECK(from_account<>to_account));"
    "CREATE INDEX postings_of_entry ON postings(entry);" POSTINGS_PAY
    "CREATE TRIGGER postings_stay BEFORE DELETE ON postings"
    " BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
    "CREATE TRIGGER postings_never_change BEFORE UPDATE ON postings"
    " BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
    "CREATE VIEW ledger AS"
    " SELECT p.entry, p.receipt_seq, a.name AS account, -p.amount AS amount, p.reason, p.at"
    " FROM postings p JOIN accounts a ON a.id=p.from_account UNION ALL"
    " SELECT p.entry, p.receipt_seq, a.name, p.amount, p.reason, p.at"
    " FROM postings p JOIN accounts a ON a.id=p.to_account;"
    "CREATE TABLE checkpoints(round INTEGER PRIMARY KEY, file BLOB NOT NULL,"
    " n_bytes INTEGER NOT NULL);"
    "CREATE TABLE validation(round INTEGER PRIMARY KEY, nats REAL NOT NULL,"
    " n_tokens INTEGER NOT NULL, n_bytes INTEGER NOT NULL, unigram_bits REAL NOT NULL);"
    "PRAGMA user_version=3;";

/* SQLite changes no CHECK of a table: it is made anew, and what names it stays as it is. */
static const char from_old_schema[] = "DROP TRIGGER postings_pay_the_accepted;" RECEIPTS_TABLE(
    "receipts_anew") "INSERT INTO receipts_anew SELECT * FROM receipts;"
                     "DROP TABLE receipts;"
                     "ALTER TABLE receipts_anew RENAME TO receipts;" RECEIPTS_INDEXES POSTINGS_PAY
                     "PRAGMA user_version=3;";

static int put_meta(struct store_db *db, const char *key, const void *p, size_t n, struct err *e)
{
    struct store_query q = store_db_query(db, "INSERT INTO meta VALUES(?,?)");
    store_db_bind_text(&q, key);
    store_db_bind_bytes(&q, p, n);
    return store_db_run(&q, e);
}

static int get_meta(struct store_db *db, const char *key, void *dst, size_t n, struct err *e)
{
    struct store_query q = store_db_query(db, "SELECT value FROM meta WHERE key=?");
    store_db_bind_text(&q, key);
    int rc = store_db_step(&q, e);
    if (rc == OK && !store_db_bytes(&q, 0, dst, n)) rc = ERR_AGAIN;
    store_db_done(&q);
    if (rc == ERR_AGAIN) return err_set(e, ERR_PROTO, 0, "the database lacks its '%s'", key);
    return rc;
}

static int schema_version(struct store_db *db, uint64_t *ret, struct err *e)
{
    struct store_query q = store_db_query(db, "PRAGMA user_version");
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    store_db_done(&q);
    return rc;
}

/* Two processes may open a new file at once (`status` beside `serve`): who begins second finds the
 * tables made and leaves them alone.
 */
static int create(struct store *s, const struct hash *run, uint64_t *version, struct err *e)
{
    int rc = store_db_begin(s->db, e);
    if (rc != OK) return rc;
    rc = schema_version(s->db, version, e);
    if (rc != OK || *version) return store_db_end(s->db, rc, e);
    rng_secure(s->secret, sizeof s->secret);
    rc = store_db_exec(s->db, schema, e);
    if (rc == OK) rc = put_meta(s->db, "run", run->b, HASH_BYTES, e);
    if (rc == OK) rc = put_meta(s->db, "secret", s->secret, sizeof s->secret, e);
    if (rc == OK) *version = SCHEMA;
    return store_db_end(s->db, rc, e);
}

/* Every row was copied, and every line of the ledger still has its receipt. */
static int check_copy(struct store_db *db, struct err *e)
{
    struct store_query q = store_db_query(db, "PRAGMA foreign_key_check");
    int rc = store_db_step(&q, e);
    store_db_done(&q);
    if (rc == OK) return err_set(e, ERR_PROTO, 0, "a line of the database names what is not there");
    return rc == ERR_AGAIN ? OK : rc;
}

/* All or nothing; another process may have done it meanwhile. References are looked at in the end
 * instead of at each step, for between two steps there is no table of receipts.
 */
static int update_schema(struct store_db *db, uint64_t *version, struct err *e)
{
    int rc = store_db_exec(db, "PRAGMA foreign_keys=OFF", e);
    if (rc == OK) rc = store_db_begin(db, e);
    if (rc != OK) return rc;
    rc = schema_version(db, version, e);
    if (rc == OK && *version == OLD_SCHEMA) {
        rc = store_db_exec(db, from_old_schema, e);
        if (rc == OK) rc = check_copy(db, e);
        if (rc == OK) *version = SCHEMA;
    }
    rc = store_db_end(db, rc, e);
    if (rc == OK) rc = store_db_exec(db, "PRAGMA foreign_keys=ON", e);
    return rc == OK ? OK : err_wrap(e, "bringing the database to this version");
}

static int check_owner(struct store *s, const char *path, const struct hash *run, struct err *e)
{
    struct hash mine;
    int rc = get_meta(s->db, "run", mine.b, HASH_BYTES, e);
    if (rc == OK) rc = get_meta(s->db, "secret", s->secret, sizeof s->secret, e);
    if (rc != OK) return rc;
    if (hash_equal(&mine, run)) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "the database '%s' belongs to another run", path);
    err_hint(e, "give each run its own --home");
    return ERR_WRONG_STATE;
}

/* Its rounds are on no public record, and cannot be put there: what contributors signed was not
 * kept. So it is left as it is, for the program that made it.
 */
static int refuse_old(const char *path, struct err *e)
{
    err_set(e, ERR_VERSION, 0,
            "the database '%s' was made by an older version, which kept no public record", path);
    err_hint(e, "end that run with the version it began with, or begin a new run: init --home DIR");
    return ERR_VERSION;
}

int store_open(const char *path, const struct hash *run, struct store **ret, struct err *e)
{
    struct store *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    pthread_mutex_init(&s->lock, NULL);
    uint64_t version = 0;
    int rc = store_db_open(path, &s->db, e);
    if (rc == OK) rc = schema_version(s->db, &version, e);
    if (rc == OK && version == 0) rc = create(s, run, &version, e);
    if (rc == OK && version > SCHEMA) {
        rc = err_set(e, ERR_VERSION, 0, "the database '%s' was made by a newer version", path);
        err_hint(e, "install that version; this one reads databases up to version %d", SCHEMA);
    }
    if (rc == OK && version == OLD_SCHEMA) rc = update_schema(s->db, &version, e);
    if (rc == OK && version < SCHEMA) rc = refuse_old(path, e);
    if (rc == OK) rc = check_owner(s, path, run, e);
    if (rc == OK) rc = store_admit_open(s->db, e);
    if (rc == OK) rc = store_payee_open(s->db, e);
    if (rc != OK) {
        store_close(s);
        return rc;
    }
    *ret = s;
    return OK;
}

void store_close(struct store *s)
{
    if (!s) return;
    store_db_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void store_secret(const struct store *s, uint8_t ret[32])
{
    memcpy(ret, s->secret, 32);
}

int store_join(struct store *s, const struct key_pub *k, const char *name, const char *client,
               int64_t at_ms, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "INSERT INTO contributors VALUES(?,?,?,?) ON CONFLICT(key) DO UPDATE SET"
               " name=excluded.name, client=excluded.client"
               " WHERE name<>excluded.name OR client<>excluded.client");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_text(&q, name);
    store_db_bind_text(&q, client);
    store_db_bind_i64(&q, at_ms);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* A signed message is enough to be known: a contributor may reserve without having joined here. */
static int know(struct store_db *db, const struct key_pub *k, int64_t at_ms, struct err *e)
{
    struct store_query q = store_db_query(db, "INSERT INTO contributors VALUES(?,'','',?)"
                                              " ON CONFLICT(key) DO NOTHING");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_i64(&q, at_ms);
    return store_db_run(&q, e);
}

static int put_slot(struct store_db *db, const struct round_op *op, struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO slots VALUES(?,?,?,?) ON CONFLICT(contributor, round)"
                           " DO UPDATE SET max_bytes=excluded.max_bytes");
    store_db_bind_bytes(&q, op->contributor.b, KEY_BYTES);
    store_db_bind_u64(&q, op->round);
    store_db_bind_text(&q, op->id);
    store_db_bind_u64(&q, op->max_bytes);
    return store_db_run(&q, e);
}

int store_slot_put(struct store *s, const struct round_op *op, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    if (rc == OK) {
        rc = know(s->db, &op->contributor, 0, e);
        if (rc == OK) rc = put_slot(s->db, op, e);
        rc = store_db_end(s->db, rc, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_slots_forget(struct store *s, uint64_t before_round, store_slot_fn fn, void *ctx,
                       struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, "SELECT id, max_bytes FROM slots WHERE round<?");
    store_db_bind_u64(&q, before_round);
    int rc = OK;
    bool has_any = false;
    while ((rc = store_db_step(&q, e)) == OK) {
        has_any = true;
        fn(store_db_text(&q, 0), store_db_u64(&q, 1), ctx);
    }
    store_db_done(&q);
    if (rc == ERR_AGAIN && has_any) {
        q = store_db_query(s->db, "DELETE FROM slots WHERE round<?");
        store_db_bind_u64(&q, before_round);
        rc = store_db_run(&q, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}

static int find_receipt(struct store_db *db, const struct key_pub *k, uint64_t round,
                        struct buf *jws, uint64_t *ret_seq, enum msg_verdict *ret_verdict,
                        struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT seq, verdict, jws FROM receipts WHERE contributor=? AND round=?");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_u64(&q, round);
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        if (ret_seq) *ret_seq = store_db_u64(&q, 0);
        if (ret_verdict) *ret_verdict = (enum msg_verdict)store_db_u64(&q, 1);
        if (jws) buf_put_str(jws, store_db_text(&q, 2));
    }
    store_db_done(&q);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

static int next_seq(struct store_db *db, uint64_t *ret, struct err *e)
{
    struct store_query q = store_db_query(db, "SELECT coalesce(max(seq),0)+1 FROM receipts");
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    store_db_done(&q);
    return rc;
}

static int insert_receipt(struct store_db *db, const struct round_op *op,
                          const struct msg_receipt *m, const char *jws, struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO receipts VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL)");
    store_db_bind_u64(&q, m->seq);
    store_db_bind_bytes(&q, m->contributor.b, KEY_BYTES);
    store_db_bind_u64(&q, m->round);
    store_db_bind_bytes(&q, m->payload.b, HASH_BYTES);
    store_db_bind_u64(&q, m->n_bytes);
    store_db_bind_u64(&q, m->n_tokens);
    store_db_bind_u64(&q, op->claim.n_steps);
    store_db_bind_real(&q, op->claim.loss);
    store_db_bind_real(&q, op->claim.tok_per_s);
    store_db_bind_u64(&q, (uint64_t)m->verdict);
    store_db_bind_text(&q, m->reason);
    store_db_bind_i64(&q, m->created_at_ms);
    store_db_bind_text(&q, jws);
    store_db_bind_bytes(&q, op->claim.manifest.b, HASH_BYTES);
    store_db_bind_u64(&q, op->n_passed);
    return store_db_run(&q, e);
}

/* Inside a transaction. */
static int make_receipt(struct store_db *db, const struct round_op *op, const struct hash *run,
                        const struct key *signer, int64_t at_ms, uint64_t *ret_seq, struct err *e)
{
    struct msg_receipt m = {.run = *run,
                            .contributor = op->contributor,
                            .round = op->round,
                            .payload = op->claim.payload,
                            .n_bytes = op->claim.n_bytes,
                            .n_tokens = op->claim.n_tokens,
                            .verdict = op->verdict,
                            .created_at_ms = at_ms};
    memcpy(m.reason, op->reason, sizeof m.reason);
    struct buf jws = {0};
    int rc = know(db, &op->contributor, at_ms, e);
    if (rc == OK) rc = next_seq(db, &m.seq, e);
    if (rc == OK) rc = msg_receipt_sign(&m, signer, &jws, e);
    if (rc == OK) rc = insert_receipt(db, op, &m, buf_str(&jws), e);
    if (rc == OK) *ret_seq = m.seq;
    buf_deinit(&jws);
    return rc;
}

int store_receipt_put(struct store *s, const struct round_op *op, const struct hash *run,
                      const struct key *signer, int64_t at_ms, uint64_t *ret_seq,
                      enum msg_verdict *ret_verdict, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    if (rc == OK) {
        rc = find_receipt(s->db, &op->contributor, op->round, NULL, ret_seq, ret_verdict, e);
        if (rc == ERR_NOTFOUND) {
            *ret_verdict = op->verdict;
            rc = make_receipt(s->db, op, run, signer, at_ms, ret_seq, e);
        }
        rc = store_db_end(s->db, rc, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_receipt_get(struct store *s, const struct key_pub *k, uint64_t round, struct buf *jws,
                      uint64_t *ret_seq, enum msg_verdict *ret_verdict, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = find_receipt(s->db, k, round, jws, ret_seq, ret_verdict, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_receipts_after(struct store *s, const struct key_pub *k, uint64_t seq, uint32_t max_n,
                         struct buf *out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT jws FROM receipts WHERE contributor=? AND seq>? ORDER BY seq LIMIT ?");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_u64(&q, seq);
    store_db_bind_u64(&q, max_n);
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK) {
        buf_put_str(out, store_db_text(&q, 0));
        buf_put_str(out, "\n");
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? buf_ok(out, e) : rc;
}

int store_payload_round(struct store *s, const struct hash *payload, uint64_t *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT round FROM receipts WHERE payload=? AND verdict=1");
    store_db_bind_bytes(&q, payload->b, HASH_BYTES);
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

static void read_stored(struct store_query *q, struct round_stored *r)
{
    store_db_bytes(q, 0, r->contributor.b, KEY_BYTES);
    const char *id = store_db_text(q, 1);
    if (strlen(id) == MSG_ID_HEX - 1) {
        r->has_slot = true;
        memcpy(r->id, id, MSG_ID_HEX);
        r->max_bytes = store_db_u64(q, 2);
    }
    r->seq = store_db_u64(q, 3);
    r->has_receipt = r->seq > 0;
    if (!r->has_receipt) return;
    r->verdict = (enum msg_verdict)store_db_u64(q, 4);
    store_db_bytes(q, 5, r->claim.payload.b, HASH_BYTES);
    r->claim.n_bytes = store_db_u64(q, 6);
    r->claim.n_tokens = store_db_u64(q, 7);
    r->claim.n_steps = (uint32_t)store_db_u64(q, 8);
    r->claim.loss = store_db_real(q, 9);
    r->claim.tok_per_s = store_db_real(q, 10);
}

int store_restore(struct store *s, uint64_t round, struct round_stored **ret, uint32_t *ret_n,
                  struct err *e)
{
    struct round_stored *rows = alloc_zero(ROUND_MAX_SEATS, sizeof *rows);
    if (!rows) return err_set(e, ERR_NOMEM, 0, "no memory for %d contributors", ROUND_MAX_SEATS);
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT k.key, s.id, s.max_bytes, r.seq, r.verdict, r.payload, r.n_bytes,"
               " r.n_tokens, r.n_steps, r.loss, r.tok_per_s FROM contributors k"
               " LEFT JOIN slots s ON s.contributor=k.key AND s.round=?1"
               " LEFT JOIN receipts r ON r.contributor=k.key AND r.round=?1"
               " WHERE s.id IS NOT NULL OR r.seq IS NOT NULL OR EXISTS (SELECT 1 FROM receipts p"
               " WHERE p.contributor=k.key AND p.round=?1-1)"
               " ORDER BY r.seq IS NULL, s.id IS NULL, k.key LIMIT ?2");
    store_db_bind_u64(&q, round);
    store_db_bind_u64(&q, ROUND_MAX_SEATS);
    uint32_t n = 0;
    int rc = OK;
    while (n < ROUND_MAX_SEATS && (rc = store_db_step(&q, e)) == OK)
        read_stored(&q, &rows[n++]);
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    if (rc != OK && rc != ERR_AGAIN) {
        free(rows);
        return rc;
    }
    *ret = rows;
    *ret_n = n;
    return OK;
}
