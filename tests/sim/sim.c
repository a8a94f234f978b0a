/* sim - run the whole system through many made-up worlds, one for each seed.
 *
 *     sim [--seeds N] [--from S] [--seed S] [--plant NAME] [--must-fail] [--twice] [--verbose]
 *
 * --seed S      one seed; the same seed always gives the same events and the same trace number
 * --plant NAME  put a known bug in (sim.c prints the names when NAME is unknown)
 * --must-fail   succeed when one of the seeds fails with the words of the planted bug's own
 *               invariant, and the failure replays exactly
 * --twice       run each seed twice and compare
 * --verbose     tell every step of the story
 *
 * Exit status: 0 all held, 1 something did not, 2 wrong usage.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/sim_world.h"

struct args {
    uint64_t from, n_seeds;
    enum sim_plant plant;
    bool is_verbose, must_fail, is_twice;
};

struct outcome {
    bool held;
    uint64_t trace;
    char failure[512];
};

struct sums {
    uint64_t n_events, n_rounds, n_accepted, n_late, n_rejected, n_host_crashes, n_peer_crashes;
};

static struct outcome run_seed(const struct args *a, uint64_t seed, bool is_verbose,
                               struct sums *sums)
{
    struct sim_options o = {.seed = seed, .plant = a->plant, .is_verbose = is_verbose};
    struct sim_world *w = alloc_zero(1, sizeof *w);
    check(w);
    struct outcome out = {.held = sim_world_run(w, &o), .trace = w->trace};
    memcpy(out.failure, w->failure, sizeof out.failure);
    sums->n_events += w->n_events;
    sums->n_rounds += w->host.round.round;
    sums->n_accepted += w->n_accepted;
    sums->n_late += w->n_late;
    sums->n_rejected += w->n_rejected;
    sums->n_host_crashes += w->host.n_crashes;
    for (uint32_t i = 0; i < w->plan.n_peers; i++)
        sums->n_peer_crashes += w->peers[i].n_crashes;
    sim_world_deinit(w);
    free(w);
    return out;
}

static bool replays(const struct args *a, uint64_t seed, const struct outcome *first)
{
    struct sums ignored = {0};
    struct outcome again = run_seed(a, seed, false, &ignored);
    if (again.trace == first->trace && strcmp(again.failure, first->failure) == 0) return true;
    printf("seed %" PRIu64 " does not replay: trace %016" PRIx64 " then %016" PRIx64 "\n", seed,
           first->trace, again.trace);
    return false;
}

static int run_all(const struct args *a)
{
    struct sums sums = {0};
    uint64_t n_failed = 0;
    uint64_t all = 0;
    for (uint64_t s = a->from; s < a->from + a->n_seeds; s++) {
        struct outcome o = run_seed(a, s, a->is_verbose, &sums);
        all = all * 31 + o.trace;
        if (a->is_twice && !replays(a, s, &o)) return 1;
        if (a->n_seeds == 1) printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", s, o.trace);
        if (o.held) continue;
        n_failed++;
        printf("seed %" PRIu64 " FAILED: %s\n  again: sim --seed %" PRIu64 "%s%s --verbose\n", s,
               o.failure, s, a->plant ? " --plant " : "", a->plant ? sim_plant_name(a->plant) : "");
        if (!a->must_fail || !strstr(o.failure, sim_plant_failure(a->plant))) continue;
        if (!replays(a, s, &o)) return 1;
        printf("found the planted bug '%s' with seed %" PRIu64 ", and it replays exactly\n",
               sim_plant_name(a->plant), s);
        return 0;
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " rounds, receipts: %" PRIu64
           " accepted, %" PRIu64 " late, %" PRIu64 " rejected; crashes: host %" PRIu64
           ", contributors %" PRIu64 "; %" PRIu64 " events, trace %016" PRIx64 "\n",
           a->n_seeds, n_failed, sums.n_rounds, sums.n_accepted, sums.n_late, sums.n_rejected,
           sums.n_host_crashes, sums.n_peer_crashes, sums.n_events, all);
    if (a->must_fail) printf("the planted bug '%s' was not found\n", sim_plant_name(a->plant));
    return n_failed || a->must_fail;
}

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 10);
    return end != text && *end == 0;
}

static bool parse_plant(const char *text, enum sim_plant *ret)
{
    for (int i = 0; i < SIM_PLANT_COUNT; i++) {
        *ret = (enum sim_plant)i;
        if (strcmp(text, sim_plant_name(*ret)) == 0) return true;
    }
    fprintf(stderr, "known bugs to plant:");
    for (int i = 1; i < SIM_PLANT_COUNT; i++)
        fprintf(stderr, " %s", sim_plant_name((enum sim_plant)i));
    fputc('\n', stderr);
    return false;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds",     required_argument, NULL, 'n'},
        {"from",      required_argument, NULL, 'f'},
        {"seed",      required_argument, NULL, 's'},
        {"plant",     required_argument, NULL, 'p'},
        {"must-fail", no_argument,       NULL, 'm'},
        {"twice",     no_argument,       NULL, 't'},
        {"verbose",   no_argument,       NULL, 'v'},
        {NULL,        0,                 NULL, 0  },
    };
    struct args a = {.from = 1, .n_seeds = 100};
    bool is_good = true;
    int c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'n': is_good &= parse_number(optarg, &a.n_seeds); break;
        case 'f': is_good &= parse_number(optarg, &a.from); break;
        case 's':
            is_good &= parse_number(optarg, &a.from);
            a.n_seeds = 1;
            break;
        case 'p': is_good &= parse_plant(optarg, &a.plant); break;
        case 'm': a.must_fail = true; break;
        case 't': a.is_twice = true; break;
        case 'v': a.is_verbose = true; break;
        default: is_good = false;
        }
    }
    if (!is_good || optind < argc) {
        fprintf(stderr, "usage: sim [--seeds N] [--from S] [--seed S] [--plant NAME] "
                        "[--must-fail] [--twice] [--verbose]\n");
        return 2;
    }
    return run_all(&a);
}
