/* Threads that compute and run nothing of Python. */
#ifndef NLP_POOL_H
#define NLP_POOL_H

#include "completions.h"
#include "forward.h"

typedef struct Pool Pool;

/* A pool of so many threads, one or more. Several compute while nobody else needs a core, where the system has such a
 * policy; a single one would be held up by those that compute in threads of their own. Null when there is no memory or no
 * thread to be had. */
Pool *pool_open(int threads);

/* Ends the threads, once nobody waits for them. */
void pool_close(Pool *pool);

/* Adds up the ticks of all that was computed so far, [KINDS]. */
void pool_ticks(Pool *pool, uint64_t *ticks);

/* As `forward`, in parts, which the threads share; where there is but one, whoever asks computes. 0, or -1 when there is no
 * memory. */
int pool_forward(Pool *pool, const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled);

/* Begins what `pool_forward` does, and gives its number to `completions` once it has ended. What is pointed to has to stay
 * until then. 0, or -1 when there is no memory. */
int pool_begin(
    Pool *pool, const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled,
    Completions *completions, uint64_t number
);

#endif
