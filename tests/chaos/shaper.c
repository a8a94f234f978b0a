/* shaper - a home line between two network namespaces: rate, delay, loss and a queue, packet by packet.
 * For machines whose kernel has no netem. Started by tests/chaos/line.py, as root.
 *
 *     shaper NS_A NS_B UP_MBIT DOWN_MBIT RTT_MS LOSS_PERCENT QUEUE_MS SEED
 *
 * Makes a TUN device `line` in each namespace (addresses are the caller's business), says "ready", and
 * carries packets until its input ends: A to B at UP_MBIT, B to A at DOWN_MBIT, half of RTT_MS each way.
 * A packet is lost with the given probability, or when it would wait longer than QUEUE_MS for the line.
 * At the end one line of JSON: packets carried, lost and overflown each way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"

#define MTU     1500
#define PACKETS 16384 /* on their way, each direction */
#define SECOND  1000000000LL

struct packet {
    int64_t due_ns;
    uint32_t n;
    uint8_t bytes[MTU + 36];
};

struct way {
    int from, to;
    double ns_per_byte;
    int64_t free_ns; /* when the line has sent what it was given */
    uint32_t first, n;
    struct packet *queue; /* [PACKETS] */
    uint64_t n_carried, n_lost, n_overflown;
};

struct line {
    struct way way[2];
    int64_t delay_ns, queue_ns;
    double loss;
    struct rng rng;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int open_tun(const char *ns)
{
    char path[128];
    snprintf(path, sizeof path, "/var/run/netns/%s", ns);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET)) return -1;
    close(there);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(r.ifr_name, sizeof r.ifr_name, "line");
    return fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0 ? fd : -1;
}

static void take(struct line *l, struct way *w)
{
    for (;;) {
        struct packet *p = &w->queue[(w->first + w->n) % PACKETS];
        ssize_t n = read(w->from, p->bytes, sizeof p->bytes);
        if (n <= 0) return;
        int64_t now = now_ns();
        int64_t start = w->free_ns > now ? w->free_ns : now;
        if (rng_unit(&l->rng) < l->loss) {
            w->n_lost++;
            continue;
        }
        if (start - now > l->queue_ns || w->n == PACKETS - 1) {
            w->n_overflown++;
            continue;
        }
        w->free_ns = start + (int64_t)((double)n * w->ns_per_byte);
        p->n = (uint32_t)n;
        p->due_ns = w->free_ns + l->delay_ns;
        w->n++;
    }
}

static void give(struct way *w, int64_t now)
{
    while (w->n && w->queue[w->first].due_ns <= now) {
        const struct packet *p = &w->queue[w->first];
        if (write(w->to, p->bytes, p->n) == (ssize_t)p->n) w->n_carried++;
        w->first = (w->first + 1) % PACKETS;
        w->n--;
    }
}

static void carry(struct line *l)
{
    for (;;) {
        int64_t next = INT64_MAX, now = now_ns();
        for (int i = 0; i < 2; i++) {
            const struct way *w = &l->way[i];
            if (w->n && w->queue[w->first].due_ns < next) next = w->queue[w->first].due_ns;
        }
        int64_t left = next == INT64_MAX ? SECOND : next > now ? next - now : 0;
        struct timespec wait = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
        struct pollfd fd[3] = {
            {.fd = l->way[0].from, .events = POLLIN},
            {.fd = l->way[1].from, .events = POLLIN},
            {.fd = STDIN_FILENO,   .events = POLLIN}
        };
        if (ppoll(fd, 3, &wait, NULL) < 0 && errno != EINTR) return;
        if (fd[2].revents) return;
        for (int i = 0; i < 2; i++) {
            if (fd[i].revents) take(l, &l->way[i]);
            give(&l->way[i], now_ns());
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fputs("usage: shaper NS_A NS_B UP_MBIT DOWN_MBIT RTT_MS LOSS_PERCENT QUEUE_MS SEED\n",
              stderr);
        return 2;
    }
    struct line *l = calloc(1, sizeof *l);
    if (!l) return 1;
    int a = open_tun(argv[1]), b = open_tun(argv[2]);
    if (a < 0 || b < 0) {
        perror("shaper: a TUN device");
        return 3;
    }
    l->way[0] = (struct way){.from = a, .to = b, .ns_per_byte = 8e3 / strtod(argv[3], NULL)};
    l->way[1] = (struct way){.from = b, .to = a, .ns_per_byte = 8e3 / strtod(argv[4], NULL)};
    l->delay_ns = (int64_t)(strtod(argv[5], NULL) / 2 * 1e6);
    l->loss = strtod(argv[6], NULL) / 100;
    l->queue_ns = (int64_t)(strtod(argv[7], NULL) * 1e6);
    rng_init(&l->rng, strtoull(argv[8], NULL, 10), 1);
    for (int i = 0; i < 2; i++) {
        l->way[i].queue = calloc(PACKETS, sizeof *l->way[i].queue);
        if (!l->way[i].queue) return 1;
    }
    puts("ready");
    fflush(stdout);
    carry(l);
    printf("{\"up\":{\"carried\":%llu,\"lost\":%llu,\"overflown\":%llu},"
           "\"down\":{\"carried\":%llu,\"lost\":%llu,\"overflown\":%llu}}\n",
           (unsigned long long)l->way[0].n_carried, (unsigned long long)l->way[0].n_lost,
           (unsigned long long)l->way[0].n_overflown, (unsigned long long)l->way[1].n_carried,
           (unsigned long long)l->way[1].n_lost, (unsigned long long)l->way[1].n_overflown);
    return 0;
}
