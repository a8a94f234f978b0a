#include "net/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"

static const char *variable(char *(*get)(const char *), const char *lower, const char *upper)
{
    const char *v = get(lower);
    if (!v || !*v) v = get(upper);
    return v && *v ? v : NULL;
}

static bool is_here(const char *host)
{
    size_t n = strlen(host);
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0 || (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0);
}

/* Does an entry of no_proxy (a name, a domain with or without a dot before it, `*`; a port after it is
 * of no account) cover the host?
 */
static bool covers(const char *entry, size_t n, const char *host)
{
    if (n == 1 && *entry == '*') return true;
    const char *colon = memchr(entry, ':', n);
    bool is_v6 = colon && memchr(colon + 1, ':', n - (size_t)(colon - entry) - 1);
    if (colon && !is_v6) n = (size_t)(colon - entry);
    if (n > 2 && entry[0] == '[' && entry[n - 1] == ']') {
        entry++;
        n -= 2;
    }
    if (n && *entry == '.') {
        entry++;
        n--;
    }
    size_t len = strlen(host);
    if (n == 0 || len < n || strncasecmp(host + len - n, entry, n) != 0) return false;
    return len == n || host[len - n - 1] == '.';
}

static bool is_exempt(const char *list, const char *host)
{
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t n = strcspn(list, ", \t");
        if (n && covers(list, n, host)) return true;
        list += n;
    }
    return false;
}

static int refuse(struct err *e, const char *why)
{
    err_set(e, ERR_ARG, 0, "the proxy of the environment cannot be used: %s", why);
    err_hint(e, "set https_proxy to http://[USER:PASSWORD@]HOST:PORT, or unset it");
    return ERR_ARG;
}

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* user:password, percent-encoded, into Basic (RFC 7617). */
static int read_login(const char *p, size_t n, struct proxy *ret)
{
    char plain[96];
    size_t len = 0;
    struct buf b = {0};
    for (size_t i = 0; i < n; i++) {
        int hi = p[i] == '%' && i + 2 < n + 0 ? hex_of(p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_of(p[i + 2]) : -1;
        if (len == sizeof plain || (p[i] == '%' && lo < 0)) return -1;
        plain[len++] = lo >= 0 ? (char)(hi << 4 | lo) : p[i];
        if (lo >= 0) i += 2;
    }
    buf_put_str(&b, "Basic ");
    digest_base64(&b, plain, len);
    bool is_fine = !b.failed && b.len < sizeof ret->login;
    if (is_fine) snprintf(ret->login, sizeof ret->login, "%s", buf_str(&b));
    buf_deinit(&b);
    return is_fine ? 0 : -1;
}

/* HOST[:PORT], brackets around an IPv6 address. */
static int read_address(const char *p, size_t n, struct proxy *ret)
{
    const char *end = p + n, *close = NULL, *colon = NULL;
    if (n && *p == '[') close = memchr(p, ']', n);
    const char *host = close ? p + 1 : p;
    colon = memchr(close ? close : p, ':', (size_t)(end - (close ? close : p)));
    const char *host_end = close ? close : colon ? colon : end;
    size_t n_host = (size_t)(host_end - host), n_port = colon ? (size_t)(end - colon - 1) : 0;
    if (n_host == 0 || n_host >= sizeof ret->host || (colon && n_port == 0)) return -1;
    if (n_port > 5 || (colon && strspn(colon + 1, "0123456789") < n_port)) return -1;
    if (close && close + 1 != (colon ? colon : end)) return -1;
    for (size_t i = 0; i < n_host; i++)
        if (host[i] <= ' ' || host[i] == '/' || host[i] == '@') return -1;
    memcpy(ret->host, host, n_host);
    ret->host[n_host] = '\0';
    snprintf(ret->port, sizeof ret->port, "%.*s", colon ? (int)n_port : 4,
             colon ? colon + 1 : "1080");
    return 0;
}

int proxy_choose(const char *host, uint16_t port, char *(*get)(const char *name), struct proxy *ret,
                 struct err *e)
{
    struct proxy p = {0};
    (void)port;
    *ret = p;
    const char *v = variable(get, "https_proxy", "HTTPS_PROXY");
    if (!v) v = variable(get, "all_proxy", "ALL_PROXY");
    if (!v || is_here(host) || is_exempt(variable(get, "no_proxy", "NO_PROXY"), host)) return OK;
    const char *scheme = strstr(v, "://");
    if (scheme && strncasecmp(v, "http://", 7) != 0) return refuse(e, "it is not an http:// proxy");
    if (scheme) v = scheme + 3;
    size_t n = strcspn(v, "/");
    const char *at = NULL;
    for (size_t i = 0; i < n; i++)
        if (v[i] == '@') at = v + i;
    if (at && read_login(v, (size_t)(at - v), &p)) return refuse(e, "its name and password");
    const char *address = at ? at + 1 : v;
    if (read_address(address, n - (size_t)(address - v), &p)) return refuse(e, "its address");
    *ret = p;
    return OK;
}

void proxy_ask(const struct proxy *p, const char *where, struct buf *out)
{
    buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", where, where);
    if (*p->login) buf_printf(out, "Proxy-Authorization: %s\r\n", p->login);
    buf_put_str(out, "User-Agent: potluck/" POTLUCK_VERSION "\r\n\r\n");
}

int proxy_answer(const char *p, size_t n, struct err *e)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end && n < PROXY_ANSWER_MAX) return ERR_AGAIN;
    bool is_http = n > 12 && memcmp(p, "HTTP/1.", 7) == 0 && p[8] == ' ';
    int status = 0;
    for (int i = 9; is_http && i < 12; i++)
        is_http = p[i] >= '0' && p[i] <= '9';
    for (int i = 9; is_http && i < 12; i++)
        status = 10 * status + (p[i] - '0');
    if (!end || !is_http)
        return err_set(e, ERR_PROTO, 0, "the proxy does not answer as an HTTP proxy");
    if (status == 407) {
        err_set(e, ERR_AUTH, 0, "the proxy wants a name and a password");
        err_hint(e, "set https_proxy to http://USER:PASSWORD@HOST:PORT");
        return ERR_AUTH;
    }
    if (status < 200 || status > 299)
        return err_set(e, ERR_IO, 0, "the proxy refuses the connection with status %d", status);
    if (end + 4 != p + n) /* the other side waits for us to begin */
        return err_set(e, ERR_PROTO, 0, "the proxy sent more than its answer");
    return OK;
}
