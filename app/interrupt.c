#include "app/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

/* Wakes the thread for its end; nobody else sends it. */
#define OWN_SIGNAL SIGUSR2

struct interrupt {
    pthread_t thread;
    sigset_t waits;
    sigset_t before; /* the mask to go back to */
    pthread_mutex_t lock;
    struct pool *pool;
    bool is_asked;
    bool is_ending; /* the signal that comes now is our own */
};

/* One signal. False: the thread ends. */
static bool take(struct interrupt *i, int sig)
{
    pthread_mutex_lock(&i->lock);
    bool go_on = !i->is_ending;
    if (go_on && (i->is_asked || !i->pool)) _exit(128 + sig);
    if (go_on) {
        i->is_asked = true;
        pool_gate(i->pool, POOL_CANCEL);
    }
    pthread_mutex_unlock(&i->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct interrupt *i = arg;
    int sig = 0;
    while (sigwait(&i->waits, &sig) != 0 || take(i, sig))
        ;
    return NULL;
}

/* What the caller's parent has switched off (nohup, a shell's background) stays so. */
static void add(sigset_t *set, int sig)
{
    struct sigaction now;
    if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN) return;
    sigaddset(set, sig);
}

int interrupt_create(struct interrupt **ret, struct err *e)
{
    struct interrupt *i = alloc_zero(1, sizeof *i);
    if (!i) return err_set(e, ERR_NOMEM, 0, "out of memory");
    sigemptyset(&i->waits);
    add(&i->waits, SIGINT);
    add(&i->waits, SIGTERM);
    add(&i->waits, SIGHUP);
    sigaddset(&i->waits, OWN_SIGNAL);
    pthread_mutex_init(&i->lock, NULL);
    pthread_sigmask(SIG_BLOCK, &i->waits, &i->before);
    int sys = pthread_create(&i->thread, NULL, run, i);
    if (sys) {
        pthread_sigmask(SIG_SETMASK, &i->before, NULL);
        pthread_mutex_destroy(&i->lock);
        free(i);
        return err_set(e, ERR_IO, sys, "cannot start a thread for signals");
    }
    *ret = i;
    return OK;
}

void interrupt_destroy(struct interrupt *i)
{
    if (!i) return;
    pthread_mutex_lock(&i->lock);
    i->is_ending = true;
    pthread_mutex_unlock(&i->lock);
    pthread_kill(i->thread, OWN_SIGNAL);
    pthread_join(i->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &i->before, NULL);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

void interrupt_pool(struct interrupt *i, struct pool *p)
{
    pthread_mutex_lock(&i->lock);
    i->pool = p;
    pthread_mutex_unlock(&i->lock);
}

bool interrupt_asked(struct interrupt *i)
{
    pthread_mutex_lock(&i->lock);
    bool yes = i->is_asked;
    pthread_mutex_unlock(&i->lock);
    return yes;
}
