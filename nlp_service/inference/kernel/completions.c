#include "completions.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct Completions {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    Ended *first, **last;
    int file, listens;
};

Completions *completions_open(int file) {
    Completions *completions = calloc(1, sizeof *completions);
    if (!completions) return 0;
    pthread_mutex_init(&completions->lock, 0);
    pthread_cond_init(&completions->filled, 0);
    completions->last = &completions->first;
    completions->file = file;
    return completions;
}

/* After the lock was given back: who is told may take the processor from who tells. */
static void tell(Completions *completions, int listens) {
    if (!listens) pthread_cond_signal(&completions->filled);
    else if (write(completions->file, "", 1) < 0) return; /* it is full of bytes that nobody has read: they tell as much */
}

void completions_listen(Completions *completions, int listens) {
    pthread_mutex_lock(&completions->lock);
    completions->listens = listens;
    const int any = completions->first != 0;
    pthread_mutex_unlock(&completions->lock);
    if (listens) pthread_cond_broadcast(&completions->filled);
    if (any) tell(completions, listens);
}

void completions_add(Completions *completions, Ended *ended) {
    ended->next = 0;
    pthread_mutex_lock(&completions->lock);
    const int was_empty = !completions->first, listens = completions->listens;
    *completions->last = ended;
    completions->last = &ended->next;
    pthread_mutex_unlock(&completions->lock);
    if (was_empty) tell(completions, listens);
}

int completions_take(Completions *completions, int waits, uint64_t *number, int *failed) {
    pthread_mutex_lock(&completions->lock);
    while (waits && !completions->first && !completions->listens) pthread_cond_wait(&completions->filled, &completions->lock);
    Ended *ended = completions->first;
    if (ended && !(completions->first = ended->next)) completions->last = &completions->first;
    pthread_mutex_unlock(&completions->lock);
    if (!ended) return 0;
    *number = ended->number;
    *failed = ended->failed;
    free(ended);
    return 1;
}
