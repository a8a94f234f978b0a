#include "aggregator/store_admit.h"

#include <stdio.h>
#include <string.h>

#include "aggregator/store_in.h"

#define DOMAIN "potluck-invite+1"

/* Keys known from before there were doors came in while every run was public. */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS doors(one INTEGER PRIMARY KEY CHECK(one=1),"
    " is_private INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS members(key BLOB PRIMARY KEY CHECK(length(key)=32),"
    " how INTEGER NOT NULL CHECK(how BETWEEN 1 AND 4), invite BLOB, at INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS invites(code BLOB PRIMARY KEY CHECK(length(code)=32),"
    " max_uses INTEGER NOT NULL, n_uses INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " is_revoked INTEGER NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL,"
    " CHECK(max_uses=0 OR n_uses<=max_uses)) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO doors VALUES(1,0);"
    "INSERT OR IGNORE INTO members SELECT key, 1, NULL, joined_at FROM contributors;";

int store_admit_open(struct store_db *db, struct err *e)
{
    int rc = store_db_begin(db, e);
    if (rc != OK) return rc;
    rc = store_db_exec(db, tables, e);
    return store_db_end(db, rc, e);
}

struct hash store_admit_hash(const char *code)
{
    char text[sizeof DOMAIN + MSG_INVITE_CAP];
    int n = snprintf(text, sizeof text, DOMAIN "%s", code);
    check(n > 0 && (size_t)n < sizeof text);
    return hash_of(text, (size_t)n);
}

int store_admit_mode(struct store *s, bool *ret_is_private, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, "SELECT is_private FROM doors");
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret_is_private = store_db_u64(&q, 0) != 0;
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? err_set(e, ERR_PROTO, 0, "the database lacks its doors") : rc;
}

int store_admit_set_mode(struct store *s, bool is_private, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, "UPDATE doors SET is_private=?");
    store_db_bind_u64(&q, is_private);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int find_how(struct store_db *db, const struct key_pub *k, enum admit_how *ret,
                    struct err *e)
{
    struct store_query q = store_db_query(db, "SELECT how FROM members WHERE key=?");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    int rc = store_db_step(&q, e);
    *ret = rc == OK ? (enum admit_how)store_db_u64(&q, 0) : ADMIT_STRANGER;
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

int store_admit_how(struct store *s, const struct key_pub *k, enum admit_how *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = find_how(s->db, k, ret, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int put_member(struct store_db *db, const struct key_pub *k, enum admit_how how,
                      const struct hash *code, int64_t at_ms, struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO members VALUES(?,?,?,?) ON CONFLICT(key) DO UPDATE SET"
                           " how=excluded.how, invite=excluded.invite, at=excluded.at");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_u64(&q, (uint64_t)how);
    store_db_bind_bytes(&q, code ? code->b : NULL, code ? HASH_BYTES : 0);
    store_db_bind_i64(&q, at_ms);
    return store_db_run(&q, e);
}

int store_admit_set_how(struct store *s, const struct key_pub *k, enum admit_how how, int64_t at_ms,
                        struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = put_member(s->db, k, how, NULL, at_ms, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void read_invite(struct store_query *q, int col, struct admit_invite *ret)
{
    *ret = (struct admit_invite){.max_uses = store_db_u64(q, col),
                                 .n_uses = store_db_u64(q, col + 1),
                                 .expires_ms = store_db_i64(q, col + 2),
                                 .is_revoked = store_db_u64(q, col + 3) != 0};
}

int store_admit_invite(struct store *s, const struct hash *code, struct admit_invite *ret,
                       struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT max_uses, n_uses, expires, is_revoked FROM invites WHERE code=?");
    store_db_bind_bytes(&q, code->b, HASH_BYTES);
    int rc = store_db_step(&q, e);
    if (rc == OK) read_invite(&q, 0, ret);
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

int store_admit_add_invite(struct store *s, const struct hash *code, const struct admit_invite *v,
                           const char *note, int64_t at_ms, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, "INSERT INTO invites VALUES(?,?,?,?,?,?,?)");
    store_db_bind_bytes(&q, code->b, HASH_BYTES);
    store_db_bind_u64(&q, v->max_uses);
    store_db_bind_u64(&q, v->n_uses);
    store_db_bind_i64(&q, v->expires_ms);
    store_db_bind_u64(&q, v->is_revoked);
    store_db_bind_text(&q, note);
    store_db_bind_i64(&q, at_ms);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int count_revocable(struct store_db *db, const char *like, uint32_t *ret_n, struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT count(*) FROM invites WHERE is_revoked=0 AND lower(hex(code)) LIKE ?");
    store_db_bind_text(&q, like);
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret_n = (uint32_t)store_db_u64(&q, 0);
    store_db_done(&q);
    return rc;
}

int store_admit_revoke(struct store *s, const char *prefix, uint32_t *ret_n, struct err *e)
{
    char like[HASH_HEX + 1];
    *ret_n = 0;
    if (strspn(prefix, "0123456789abcdef") != strlen(prefix) || strlen(prefix) >= HASH_HEX)
        return err_set(e, ERR_ARG, 0, "'%.40s' is not the id of an invite", prefix);
    snprintf(like, sizeof like, "%s%%", prefix);
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    if (rc == OK) {
        rc = count_revocable(s->db, like, ret_n, e);
        struct store_query q =
            store_db_query(s->db, "UPDATE invites SET is_revoked=1 WHERE lower(hex(code)) LIKE ?");
        store_db_bind_text(&q, like);
        if (rc == OK)
            rc = store_db_run(&q, e);
        else
            store_db_done(&q);
        rc = store_db_end(s->db, rc, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Inside a transaction: count a use, unless there is none left. ERR_WRONG_STATE. */
static int spend(struct store_db *db, const struct hash *code, int64_t now_ms, struct err *e)
{
    static const char good[] = " WHERE code=? AND is_revoked=0 AND (max_uses=0 OR n_uses<max_uses)"
                               " AND (expires=0 OR expires>?)";
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT 1 FROM invites%s", good);
    struct store_query q = store_db_query(db, sql);
    store_db_bind_bytes(&q, code->b, HASH_BYTES);
    store_db_bind_i64(&q, now_ms);
    int rc = store_db_step(&q, e);
    store_db_done(&q);
    if (rc != OK) return rc == ERR_AGAIN ? ERR_WRONG_STATE : rc;
    snprintf(sql, sizeof sql, "UPDATE invites SET n_uses=n_uses+1%s", good);
    q = store_db_query(db, sql);
    store_db_bind_bytes(&q, code->b, HASH_BYTES);
    store_db_bind_i64(&q, now_ms);
    return store_db_run(&q, e);
}

static int take(struct store_db *db, const struct key_pub *k, const struct hash *code,
                int64_t now_ms, struct err *e)
{
    enum admit_how how = ADMIT_STRANGER;
    int rc = find_how(db, k, &how, e);
    if (rc != OK) return rc;
    if (how == ADMIT_REMOVED) return ERR_WRONG_STATE;
    bool is_in = how == ADMIT_INVITED || how == ADMIT_LISTED || (how == ADMIT_PUBLIC && !code);
    if (is_in) return OK;
    if (code) rc = spend(db, code, now_ms, e);
    return rc == OK ? put_member(db, k, code ? ADMIT_INVITED : ADMIT_PUBLIC, code, now_ms, e) : rc;
}

int store_admit_take(struct store *s, const struct key_pub *k, const struct hash *code,
                     int64_t now_ms, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    if (rc == OK) {
        rc = take(s->db, k, code, now_ms, e);
        rc = store_db_end(s->db, rc, e);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_admit_members(struct store *s, store_admit_member_fn fn, void *ctx, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT m.key, m.how, coalesce(c.name,''), m.at FROM members m"
                              " LEFT JOIN contributors c ON c.key=m.key ORDER BY m.at, m.key");
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK) {
        struct key_pub k;
        store_db_bytes(&q, 0, k.b, KEY_BYTES);
        fn(&k, (enum admit_how)store_db_u64(&q, 1), store_db_text(&q, 2), store_db_i64(&q, 3), ctx);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}

int store_admit_invites(struct store *s, store_admit_invite_fn fn, void *ctx, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT code, max_uses, n_uses, expires, is_revoked, note, at"
                              " FROM invites ORDER BY at, code");
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK) {
        struct hash code;
        struct admit_invite v;
        store_db_bytes(&q, 0, code.b, HASH_BYTES);
        read_invite(&q, 1, &v);
        fn(&code, &v, store_db_text(&q, 5), store_db_i64(&q, 6), ctx);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}
