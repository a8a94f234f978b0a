#include "app/train_stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define EXIT_SIGNAL 128 /* and the signal's number, as a shell has it */

struct train_stop {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct trainer *trainer;
    bool is_asked, is_ending;
    int64_t suspended_ns;
};

static void fill_set(sigset_t *set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(set, signals[i]);
}

void train_stop_hold(void)
{
    sigset_t set;
    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* SIGSTOP stands in for SIGTSTP's own effect, which waits in the mask. kill() comes back when
 * somebody lets the process go on.
 */
static void stand_still(struct train_stop *s)
{
    int64_t from = clock_mono_ns();
    (void)kill(getpid(), SIGSTOP);
    /* Give the stop time to arrive where it is not taken at once. */
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    pthread_mutex_lock(&s->lock);
    s->suspended_ns += clock_mono_ns() - from;
    pthread_mutex_unlock(&s->lock);
}

static void ask(struct train_stop *s, int sig)
{
    static const char text[] = "\npotluck train: ended at once; what was saved last is whole\n";
    pthread_mutex_lock(&s->lock);
    bool is_second = s->is_asked;
    s->is_asked = true;
    trainer_gate(s->trainer, TRAINER_CANCEL);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (!is_second) return;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(EXIT_SIGNAL + sig);
}

static void *run(void *arg)
{
    struct train_stop *s = arg;
    sigset_t set;
    fill_set(&set);
    for (bool goes_on = true; goes_on;) {
        int sig = 0;
        if (sigwait(&set, &sig) != 0) continue;
        if (sig == SIGTSTP)
            stand_still(s);
        else if (sig != SIGUSR2)
            ask(s, sig);
        pthread_mutex_lock(&s->lock);
        goes_on = !s->is_ending;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

int train_stop_create(struct trainer *t, struct train_stop **ret, struct err *e)
{
    struct train_stop *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "no memory to watch for Ctrl+C");
    pthread_condattr_t attr;
    s->trainer = t;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    train_stop_hold();
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return err_set(e, ERR_IO, 0, "cannot start the thread that watches for Ctrl+C");
    }
    *ret = s;
    return OK;
}

void train_stop_destroy(struct train_stop *s)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->is_ending = true;
    pthread_mutex_unlock(&s->lock);
    pthread_kill(s->thread, SIGUSR2);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

bool train_stop_asked(struct train_stop *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_asked = s->is_asked;
    pthread_mutex_unlock(&s->lock);
    return is_asked;
}

bool train_stop_sleep(struct train_stop *s, int64_t ms)
{
    struct timespec until;
    if (ms < 0) ms = 0; /* nanoseconds below zero are an error, not a time that is over */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    for (int rc = 0; !s->is_asked && rc == 0;)
        rc = pthread_cond_timedwait(&s->wake, &s->lock, &until);
    bool is_asked = s->is_asked;
    pthread_mutex_unlock(&s->lock);
    return is_asked;
}

int64_t train_stop_suspended_ns(struct train_stop *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t ns = s->suspended_ns;
    pthread_mutex_unlock(&s->lock);
    return ns;
}
