/* Batches that have ended, for those that Python tells of it. */
#ifndef NLP_COMPLETIONS_H
#define NLP_COMPLETIONS_H

#include <stdint.h>

typedef struct Completions Completions;

/* A batch that was begun, by a number of the caller's. */
typedef struct Ended {
    struct Ended *next;
    uint64_t number;
    int failed;
} Ended;

/* A queue; `file` gets a byte when it is no longer empty, while somebody listens there. Null when there is no memory. It
 * stays until the process ends. */
Completions *completions_open(int file);

/* Whether somebody listens at the file; until then threads wait in `completions_take`. What is in the queue is told. */
void completions_listen(Completions *completions, int listens);

/* Adds a batch, whose memory the queue has from here on. */
void completions_add(Completions *completions, Ended *ended);

/* Takes the batch that ended first. 1, or 0 when there is none; one that `waits` gets none only once somebody listens. */
int completions_take(Completions *completions, int waits, uint64_t *number, int *failed);

#endif
