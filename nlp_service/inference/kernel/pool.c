#define _GNU_SOURCE
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

enum {
    MOST = 128, /* tokens of a part, about: more are no faster, and a part waits while its core does something else */
    LEAST = 32 /* tokens for which a second thread is worth being woken */
};

/* Texts that one thread computes, and the batch that they are of. */
typedef struct Part {
    struct Part *next;
    struct Call *call;
    const int32_t *ids, *lengths;
    int texts, tokens, longest;
    float *pooled;
} Part;

/* A batch: somebody waits until it is `done`, or the queue of completions gets it. */
typedef struct Call {
    Ended ended; /* the first, as the queue frees the whole */
    Completions *completions;
    pthread_cond_t done;
    const Model *model;
    int left;
    Part parts[];
} Call;

/* Memory to compute in, kept for the next part. */
typedef struct Memory {
    struct Memory *next;
    size_t bytes;
    void *work;
} Memory;

struct Pool {
    pthread_mutex_t lock;
    sem_t wanted; /* parts that nobody has begun: unlike a condition it never makes who posts wait for who was woken before */
    Part *first, **last;
    Memory *free;
    uint64_t ticks[KINDS];
    int threads;
    pthread_t thread[];
};

static Memory *borrow(Pool *pool, size_t bytes) {
    pthread_mutex_lock(&pool->lock);
    Memory *memory = pool->free;
    if (memory) pool->free = memory->next;
    pthread_mutex_unlock(&pool->lock);
    if (!memory && !(memory = calloc(1, sizeof *memory))) return 0;
    if (memory->bytes < bytes) {
        free(memory->work);
        memory->work = aligned_alloc(64, bytes);
        memory->bytes = memory->work ? bytes : 0;
    }
    return memory;
}

static void give_back(Pool *pool, Memory *memory, const uint64_t *ticks) {
    pthread_mutex_lock(&pool->lock);
    for (int kind = 0; kind < KINDS; kind++) pool->ticks[kind] += ticks[kind];
    memory->next = pool->free;
    pool->free = memory;
    pthread_mutex_unlock(&pool->lock);
}

static int compute(Pool *pool, const Model *model, const Part *part) {
    Memory *memory = borrow(pool, forward_bytes(model, part->tokens, part->longest));
    if (!memory) return -1;
    const int failed = memory->work ? 0 : -1;
    uint64_t ticks[KINDS] = {0};
    if (!failed) forward(model, part->ids, part->lengths, part->texts, part->pooled, memory->work, ticks);
    give_back(pool, memory, ticks);
    return failed;
}

static void *serve(void *of) {
    Pool *pool = of;
    for (;;) {
        while (sem_wait(&pool->wanted)) continue; /* a signal came */
        pthread_mutex_lock(&pool->lock);
        Part *part = pool->first;
        if (part && !(pool->first = part->next)) pool->last = &pool->first;
        pthread_mutex_unlock(&pool->lock);
        if (!part) return 0; /* it is closing */
        const int failed = compute(pool, part->call->model, part);
        pthread_mutex_lock(&pool->lock);
        Call *call = part->call;
        call->ended.failed |= failed;
        const int told_of = !--call->left && call->completions;
        if (!call->left && !call->completions) pthread_cond_signal(&call->done);
        pthread_mutex_unlock(&pool->lock);
        if (told_of) completions_add(call->completions, &call->ended);
    }
}

Pool *pool_open(int threads) {
    Pool *pool = calloc(1, sizeof *pool + (size_t)threads * sizeof *pool->thread);
    if (!pool) return 0;
    pthread_mutex_init(&pool->lock, 0);
    if (sem_init(&pool->wanted, 0, 0)) {
        pthread_mutex_destroy(&pool->lock);
        free(pool);
        return 0;
    }
    pool->last = &pool->first;
    for (; pool->threads < threads; pool->threads++) {
        if (pthread_create(&pool->thread[pool->threads], 0, serve, pool)) {
            pool_close(pool);
            return 0;
        }
#ifdef SCHED_IDLE
        const struct sched_param none = {0};
        if (threads > 1) (void)pthread_setschedparam(pool->thread[pool->threads], SCHED_IDLE, &none);
#endif
    }
    return pool;
}

void pool_close(Pool *pool) {
    for (int t = 0; t < pool->threads; t++) sem_post(&pool->wanted);
    for (int t = 0; t < pool->threads; t++) pthread_join(pool->thread[t], 0);
    while (pool->free) {
        Memory *memory = pool->free;
        pool->free = memory->next;
        free(memory->work);
        free(memory);
    }
    sem_destroy(&pool->wanted);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void pool_ticks(Pool *pool, uint64_t *ticks) {
    pthread_mutex_lock(&pool->lock);
    for (int kind = 0; kind < KINDS; kind++) ticks[kind] = pool->ticks[kind];
    pthread_mutex_unlock(&pool->lock);
}

/* Tokens of each part, so that all threads have some. */
static int share(const Pool *pool, const int32_t *lengths, int texts) {
    long tokens = 0;
    for (int i = 0; i < texts; i++) tokens += lengths[i];
    const long each = pool->threads > 1 ? (tokens + pool->threads - 1) / pool->threads : tokens;
    return each > MOST ? MOST : each < LEAST ? LEAST : (int)each;
}

/* A batch whose texts are cut, in their order, into parts of about so many tokens for all threads; null when there is no
 * memory. */
static Call *cut(
    const Pool *pool, const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled
) {
    Call *call = calloc(1, sizeof *call + (size_t)texts * sizeof *call->parts);
    if (!call) return 0;
    call->model = model;
    const int tokens = share(pool, lengths, texts);
    for (int i = 0; i < texts; i++) {
        Part *part = call->parts + call->left - 1;
        if (!call->left || part->tokens + lengths[i] / 2 > tokens) {
            part = call->parts + call->left++;
            *part = (Part){.call = call, .ids = ids, .lengths = lengths + i, .pooled = pooled + (size_t)i * model->hidden};
        }
        part->texts++;
        part->tokens += lengths[i];
        if (lengths[i] > part->longest) part->longest = lengths[i];
        ids += lengths[i];
    }
    return call;
}

/* For who has the lock; gives how many parts are to be posted. */
static int queue(Pool *pool, Call *call) {
    for (int p = 0; p < call->left; p++) {
        *pool->last = call->parts + p;
        pool->last = &call->parts[p].next;
    }
    return call->left;
}

static void post(Pool *pool, int parts) {
    while (parts--) sem_post(&pool->wanted);
}

int pool_forward(Pool *pool, const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled) {
    Call *call = cut(pool, model, ids, lengths, texts, pooled);
    if (!call) return -1;
    if (pool->threads == 1) {
        for (int p = 0; p < call->left; p++) call->ended.failed |= compute(pool, model, call->parts + p);
    } else {
        pthread_cond_init(&call->done, 0);
        pthread_mutex_lock(&pool->lock);
        post(pool, queue(pool, call));
        while (call->left) pthread_cond_wait(&call->done, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
        pthread_cond_destroy(&call->done);
    }
    const int failed = call->ended.failed;
    free(call);
    return failed;
}

int pool_begin(
    Pool *pool, const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled,
    Completions *completions, uint64_t number
) {
    Call *call = cut(pool, model, ids, lengths, texts, pooled);
    if (!call) return -1;
    call->completions = completions;
    call->ended.number = number;
    pthread_mutex_lock(&pool->lock);
    const int parts = queue(pool, call);
    pthread_mutex_unlock(&pool->lock);
    post(pool, parts);
    return 0;
}
