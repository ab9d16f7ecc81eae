#include "forward.h"

int forward_layout(void) { return (int)(sizeof(Model) + sizeof(Layer) * 1000); }

#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* Before what follows may be compiled for what it asks for. */
int forward_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

int forward_halves(void) { return __builtin_cpu_supports("avx512bf16") != 0; }

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vnni,fma")
#endif

#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))
/* Compilers keep arrays of vectors in memory, so what stays in registers has names, written by these. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

enum {
    ROWS = 6,   /* tokens of a tile: with four vectors of outputs each, 24 of the 32 registers are sums */
    BLOCK = 48, /* tokens between two layer norms that are finished before the next, so that they stay in the cache */
    LANES = 16, /* floats of a vector */
    HALVED = 64 /* tokens of a text from which on its attention takes long enough to be worth rounding */
};

/* A token's quantised numbers: each is `scale * code + centre`; `sum` is `scale` times the sum of its codes. */
typedef struct {
    float scale, centre, sum;
} Range;

typedef enum { STORED, ACTIVATED, ADDED } Result;

/* x * Phi(x). The normal distribution is 0.5 and an odd polynomial, fitted by least squares with weights that even out
 * the error (Lawson); the result is off by 7e-6 at most, a thousandth of a step of the codes that it is rounded to. */
INLINE __m512 gelu(__m512 x) {
    static const float c[] = {3.988810272e-01f,  -6.632365116e-02f, 9.815814263e-03f,  -1.112860093e-03f, 9.494093459e-05f,
                              -5.860669365e-06f, 2.440886182e-07f,  -6.067038750e-09f, 6.740572882e-11f};
    const __m512 edge = _mm512_set1_ps(4.0f);
    __m512 inside = _mm512_max_ps(_mm512_min_ps(x, edge), _mm512_sub_ps(_mm512_setzero_ps(), edge));
    __m512 square = _mm512_mul_ps(inside, inside), p = _mm512_set1_ps(c[8]);
#pragma GCC unroll 8
    for (int i = 7; i >= 0; i--) p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(c[i]));
    return _mm512_mul_ps(x, _mm512_fmadd_ps(p, inside, _mm512_set1_ps(0.5f)));
}

/* e^x of what is not positive, to 2e-6 of it: a power of two, and a polynomial between two of them. */
INLINE __m512 exponential(__m512 x) {
    __m512 t = _mm512_mul_ps(_mm512_max_ps(x, _mm512_set1_ps(-80.0f)), _mm512_set1_ps(1.44269504f));
    __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), part = _mm512_sub_ps(t, whole);
    __m512 p = _mm512_set1_ps(1.8775767e-3f);
    p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(8.9893397e-3f));
    p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(5.5826318e-2f));
    p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(2.4015361e-1f));
    p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(6.9315308e-1f));
    p = _mm512_fmadd_ps(p, part, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, whole);
}

/* Adds to 16 sums four products of unsigned with signed bytes each. In assembly, as compilers (GCC 12) move the sums of
 * its intrinsic to memory and back, which takes twice the time of all the rest. */
INLINE __m512i add_products(__m512i sums, __m512i codes, __m512i inputs) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(codes), "v"(inputs));
    return sums;
}

/* Four bytes, two halves or one float, sixteen times. */
INLINE __m512i four(const void *bytes) {
    int32_t all;
    memcpy(&all, bytes, sizeof all);
    return _mm512_set1_epi32(all);
}

/* Adds to 16 sums the product of a float each, or those of two halves. */
INLINE __m512 add_product(int halves, __m512 sums, __m512i x, __m512i y) {
    if (!halves) return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(y), sums);
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(y));
    return sums;
}

/* The first 16 bits of floats, rounded. */
INLINE __m256i halved(__m512 x) {
    __m256i y;
    __asm__("vcvtneps2bf16 %1, %0" : "=v"(y) : "v"(x));
    return y;
}

INLINE void finish(Result result, __m512i sums, const Range *range, const Linear *w, int column, float *output) {
    __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(range->scale));
    value = _mm512_fnmadd_ps(_mm512_loadu_ps(w->zero + column), _mm512_set1_ps(range->sum), value);
    value = _mm512_fmadd_ps(_mm512_loadu_ps(w->scale + column), value, _mm512_loadu_ps(w->bias + column));
    value = _mm512_fmadd_ps(_mm512_loadu_ps(w->sums + column), _mm512_set1_ps(range->centre), value);
    if (result == ACTIVATED) value = gelu(value);
    if (result == ADDED) value = _mm512_add_ps(value, _mm512_loadu_ps(output + column));
    _mm512_storeu_ps(output + column, value);
}

/* COLUMNS outputs of up to ROWS tokens. */
INLINE void tile(int rows, Result result, const int8_t *input, const Range *range, const Linear *w, int column, float *output) {
    const size_t inputs = (size_t)w->inputs, outputs = (size_t)w->outputs;
    const uint8_t *codes = w->codes + (size_t)column * inputs;
#define START(r) __m512i s##r##0, s##r##1, s##r##2, s##r##3; s##r##0 = s##r##1 = s##r##2 = s##r##3 = _mm512_setzero_si512();
#define STEP(r)                                            \
    if (rows > r) {                                        \
        __m512i x = four(input + r * inputs + i);          \
        s##r##0 = add_products(s##r##0, c0, x);            \
        s##r##1 = add_products(s##r##1, c1, x);            \
        s##r##2 = add_products(s##r##2, c2, x);            \
        s##r##3 = add_products(s##r##3, c3, x);            \
    }
#define END(r)                                                                    \
    if (rows > r) {                                                               \
        float *to = output + r * outputs;                                         \
        finish(result, s##r##0, range + r, w, column, to);                        \
        finish(result, s##r##1, range + r, w, column + LANES, to);                \
        finish(result, s##r##2, range + r, w, column + 2 * LANES, to);            \
        finish(result, s##r##3, range + r, w, column + 3 * LANES, to);            \
    }
    EACH_ROW(START)
    for (size_t i = 0; i < inputs; i += 4, codes += 4 * COLUMNS) {
        __m512i c0 = _mm512_load_si512(codes), c1 = _mm512_load_si512(codes + 64);
        __m512i c2 = _mm512_load_si512(codes + 128), c3 = _mm512_load_si512(codes + 192);
        EACH_ROW(STEP)
    }
    EACH_ROW(END)
#undef START
#undef STEP
#undef END
}

INLINE void linear(Result result, const int8_t *input, const Range *range, int tokens, const Linear *w, float *output) {
    for (int column = 0; column < w->outputs; column += COLUMNS) {
        int t = 0;
        for (; t + ROWS <= tokens; t += ROWS)
            tile(ROWS, result, input + (size_t)t * w->inputs, range + t, w, column, output + (size_t)t * w->outputs);
        const int8_t *rest = input + (size_t)t * w->inputs;
        float *to = output + (size_t)t * w->outputs;
        switch (tokens - t) {
            case 1: tile(1, result, rest, range + t, w, column, to); break;
            case 2: tile(2, result, rest, range + t, w, column, to); break;
            case 3: tile(3, result, rest, range + t, w, column, to); break;
            case 4: tile(4, result, rest, range + t, w, column, to); break;
            case 5: tile(5, result, rest, range + t, w, column, to); break;
            default: break;
        }
    }
}

APART void linear_stored(const int8_t *input, const Range *range, int tokens, const Linear *w, float *output) {
    linear(STORED, input, range, tokens, w, output);
}

APART void linear_activated(const int8_t *input, const Range *range, int tokens, const Linear *w, float *output) {
    linear(ACTIVATED, input, range, tokens, w, output);
}

APART void linear_added(const int8_t *input, const Range *range, int tokens, const Linear *w, float *output) {
    linear(ADDED, input, range, tokens, w, output);
}

/* The codes of a token's numbers, from its least to its greatest. */
APART void quantise(const float *values, int count, int8_t *codes, Range *range) {
    __m512 least = _mm512_loadu_ps(values), greatest = least;
    for (int i = LANES; i < count; i += LANES) {
        __m512 some = _mm512_loadu_ps(values + i);
        least = _mm512_min_ps(least, some);
        greatest = _mm512_max_ps(greatest, some);
    }
    float low = _mm512_reduce_min_ps(least), scale = (_mm512_reduce_max_ps(greatest) - low) / 255.0f;
    if (scale < 1e-12f) scale = 1e-12f;
    float centre = low + 128.0f * scale;
    __m512 factor = _mm512_set1_ps(1.0f / scale), offset = _mm512_set1_ps(-centre / scale);
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < count; i += LANES) {
        __m512i code = _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_loadu_ps(values + i), factor, offset));
        code = _mm512_max_epi32(_mm512_min_epi32(code, _mm512_set1_epi32(127)), _mm512_set1_epi32(-128));
        sum = _mm512_add_epi32(sum, code);
        _mm_storeu_si128((__m128i *)(codes + i), _mm512_cvtepi32_epi8(code));
    }
    *range = (Range){scale, centre, scale * (float)_mm512_reduce_add_epi32(sum)};
}

APART void normalise(float *values, int count, const Norm *norm, float epsilon) {
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int i = 0; i < count; i += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(values + i));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)count);
    for (int i = 0; i < count; i += LANES) {
        __m512 apart = _mm512_sub_ps(_mm512_loadu_ps(values + i), mean);
        squares = _mm512_fmadd_ps(apart, apart, squares);
    }
    const __m512 factor = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)count + epsilon));
    for (int i = 0; i < count; i += LANES) {
        __m512 apart = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(values + i), mean), factor);
        apart = _mm512_fmadd_ps(apart, _mm512_loadu_ps(norm->gain + i), _mm512_loadu_ps(norm->shift + i));
        _mm512_storeu_ps(values + i, apart);
    }
}

/* One head of attention, of up to ROWS tokens to all of a text, in words of a float or, with `halves`, of two of them:
 * `queries` [rows][HEAD], `keys` [numbers of a head][padded], `values` [tokens][HEAD]. Padding of `values` is 0. */
INLINE void attend_rows(
    int halves, int rows, const int32_t *queries, const int32_t *keys, const int32_t *values, int length,
    int padded, float *scores, float *output, size_t hidden
) {
    const size_t numbers = halves ? HEAD / 2 : HEAD;
    const int tokens = halves ? (length + 1) / 2 : length;
    int j = 0;
#define START(r) __m512 s##r##0, s##r##1, s##r##2, s##r##3; s##r##0 = s##r##1 = s##r##2 = s##r##3 = _mm512_setzero_ps();
#define STEP(r)                                            \
    if (rows > r) {                                        \
        __m512i x = four(queries + r * HEAD + d);          \
        s##r##0 = add_product(halves, s##r##0, x, k0);     \
        s##r##1 = add_product(halves, s##r##1, x, k1);     \
        s##r##2 = add_product(halves, s##r##2, x, k2);     \
        s##r##3 = add_product(halves, s##r##3, x, k3);     \
    }
#define END(r)                                             \
    if (rows > r) {                                        \
        float *to = scores + (size_t)r * padded + j;       \
        _mm512_store_ps(to, s##r##0);                      \
        _mm512_store_ps(to + LANES, s##r##1);              \
        _mm512_store_ps(to + 2 * LANES, s##r##2);          \
        _mm512_store_ps(to + 3 * LANES, s##r##3);          \
    }
    for (; j + 4 * LANES <= padded; j += 4 * LANES) {
        EACH_ROW(START)
        for (size_t d = 0; d < numbers; d++) {
            const int32_t *k = keys + d * padded + j;
            __m512i k0 = _mm512_load_si512(k), k1 = _mm512_load_si512(k + LANES);
            __m512i k2 = _mm512_load_si512(k + 2 * LANES), k3 = _mm512_load_si512(k + 3 * LANES);
            EACH_ROW(STEP)
        }
        EACH_ROW(END)
    }
#undef START
#undef STEP
#undef END
#define START(r) __m512 s##r = _mm512_setzero_ps();
#define STEP(r) if (rows > r) s##r = add_product(halves, s##r, four(queries + r * HEAD + d), k);
#define END(r) if (rows > r) _mm512_store_ps(scores + (size_t)r * padded + j, s##r);
    for (; j < padded; j += LANES) {
        EACH_ROW(START)
        for (size_t d = 0; d < numbers; d++) {
            __m512i k = _mm512_load_si512(keys + d * padded + j);
            EACH_ROW(STEP)
        }
        EACH_ROW(END)
    }
#undef START
#undef STEP
#undef END
    float share[ROWS]; /* what the exponentials of a token are multiplied by, so that they add up to one */
    const __mmask16 real = (__mmask16)(0xffffu >> (padded - length));
    for (int r = 0; r < rows; r++) {
        float *row = scores + (size_t)r * padded;
        __m512 last = _mm512_mask_blend_ps(real, _mm512_set1_ps(-1e30f), _mm512_load_ps(row + padded - LANES)), greatest = last;
        _mm512_store_ps(row + padded - LANES, last);
        for (j = 0; j < padded - LANES; j += LANES) greatest = _mm512_max_ps(greatest, _mm512_load_ps(row + j));
        const __m512 most = _mm512_set1_ps(_mm512_reduce_max_ps(greatest));
        __m512 sum = _mm512_setzero_ps();
        for (j = 0; j < padded; j += LANES) {
            __m512 e = exponential(_mm512_sub_ps(_mm512_load_ps(row + j), most));
            sum = _mm512_add_ps(sum, e);
            if (halves)
                _mm256_store_si256((__m256i *)row + j / LANES, halved(e)); /* where what was read lay */
            else
                _mm512_store_ps(row + j, e);
        }
        share[r] = 1.0f / _mm512_reduce_add_ps(sum);
    }
#define START(r) __m512 s##r##0, s##r##1; s##r##0 = s##r##1 = _mm512_setzero_ps();
#define STEP(r)                                                     \
    if (rows > r) {                                                 \
        __m512i x = four(scores + (size_t)r * padded + j);          \
        s##r##0 = add_product(halves, s##r##0, x, v0);              \
        s##r##1 = add_product(halves, s##r##1, x, v1);              \
    }
#define END(r)                                                                         \
    if (rows > r) {                                                                    \
        __m512 x = _mm512_set1_ps(share[r]);                                           \
        _mm512_storeu_ps(output + r * hidden, _mm512_mul_ps(s##r##0, x));              \
        _mm512_storeu_ps(output + r * hidden + LANES, _mm512_mul_ps(s##r##1, x));      \
    }
    EACH_ROW(START)
    for (j = 0; j < tokens; j++) {
        __m512i v0 = _mm512_load_si512(values + (size_t)HEAD * j), v1 = _mm512_load_si512(values + (size_t)HEAD * j + LANES);
        EACH_ROW(STEP)
    }
    EACH_ROW(END)
#undef START
#undef STEP
#undef END
}

static int padded_to_lanes(int length) { return (length + LANES - 1) / LANES * LANES; }

/* A token's numbers of one head: a float in each word, or two halves. */
INLINE void take_row(int halves, const float *values, int32_t *words) {
    if (halves)
        for (int d = 0; d < HEAD; d += LANES)
            _mm256_storeu_si256((__m256i *)(words + d / 2), halved(_mm512_loadu_ps(values + d)));
    else
        memcpy(words, values, HEAD * sizeof *words);
}

/* Those of two tokens, the second of which may lack: a half of each in a word. */
INLINE void take_both(const float *first, const float *second, int32_t *words) {
    for (int d = 0; d < HEAD; d += LANES) {
        __m512i low = _mm512_cvtepu16_epi32(halved(_mm512_loadu_ps(first + d)));
        __m512i high = second ? _mm512_cvtepu16_epi32(halved(_mm512_loadu_ps(second + d))) : _mm512_setzero_si512();
        _mm512_store_si512(words + d, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

/* Keys and values of one head, as `attend_rows` reads them; `step` from those of a token to those of the next. */
INLINE void lay_out_head(
    int halves, const float *key, const float *value, size_t step, int length, int padded, int32_t *keys, int32_t *values
) {
    const int numbers = halves ? HEAD / 2 : HEAD;
    for (int j = 0; j < padded; j++) {
        int32_t words[HEAD] = {0};
        if (j < length) take_row(halves, key + j * step, words);
        for (int d = 0; d < numbers; d++) keys[(size_t)d * padded + j] = words[d];
    }
    if (halves)
        for (int j = 0; j < length; j += 2)
            take_both(value + j * step, j + 1 < length ? value + (j + 1) * step : 0, values + (size_t)HEAD * (j / 2));
    else
        for (int j = 0; j < length; j++) memcpy(values + (size_t)HEAD * j, value + j * step, HEAD * sizeof *values);
}

/* Attention of one text: from queries, keys and values, [length][3 * hidden], to [length][hidden]. */
INLINE void attend_text(int halves, const float *states, int hidden, int length, float *work, float *output) {
    const size_t step = 3 * (size_t)hidden;
    const int padded = padded_to_lanes(length);
    int32_t *keys = (int32_t *)work, *values = keys + (size_t)HEAD * padded;
    float *scores = work + 2 * (size_t)HEAD * padded;
    for (int head = 0; head < hidden; head += HEAD) {
        const float *query = states + head;
        lay_out_head(halves, query + hidden, query + 2 * (size_t)hidden, step, length, padded, keys, values);
        for (int t = 0; t < length; t += ROWS) {
            int32_t queries[ROWS * HEAD];
            const int rows = length - t < ROWS ? length - t : ROWS;
            for (int r = 0; r < rows; r++) take_row(halves, query + (t + r) * step, queries + r * HEAD);
            float *to = output + (size_t)t * hidden + head;
            switch (rows) {
#define CASE(n) case n: attend_rows(halves, n, queries, keys, values, length, padded, scores, to, hidden); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(ROWS)
#undef CASE
                default: break;
            }
        }
    }
}

APART void attend(const float *states, int hidden, int length, float *work, float *output) {
    attend_text(0, states, hidden, length, work, output);
}

APART void attend_halved(const float *states, int hidden, int length, float *work, float *output) {
    attend_text(1, states, hidden, length, work, output);
}

/* What lies in the memory that is worked in, one after another at addresses divisible by 64. */
typedef struct {
    float *states, *attended, *attention, *feed, *scratch;
    int8_t *codes, *feed_codes;
    Range *ranges, *feed_ranges;
    size_t bytes;
} Work;

static void *place(char *from, size_t *used, size_t bytes) {
    void *here = from ? from + *used : 0;
    *used += (bytes + 63) / 64 * 64;
    return here;
}

static Work lay_out(const Model *m, size_t tokens, int longest, char *from) {
    const size_t hidden = (size_t)m->hidden, feed = (size_t)m->feed, padded = (size_t)padded_to_lanes(longest);
    Work w;
    size_t used = 0;
    w.states = place(from, &used, tokens * hidden * sizeof(float));
    w.attended = place(from, &used, tokens * hidden * sizeof(float));
    w.attention = place(from, &used, tokens * 3 * hidden * sizeof(float));
    w.codes = place(from, &used, tokens * hidden);
    w.ranges = place(from, &used, tokens * sizeof(Range));
    w.feed = place(from, &used, BLOCK * feed * sizeof(float));
    w.feed_codes = place(from, &used, BLOCK * feed);
    w.feed_ranges = place(from, &used, BLOCK * sizeof(Range));
    w.scratch = place(from, &used, (2 * HEAD + ROWS) * padded * sizeof(float));
    w.bytes = used;
    return w;
}

size_t forward_bytes(const Model *model, int tokens, int longest) { return lay_out(model, (size_t)tokens, longest, 0).bytes; }

static void embed(const Model *m, int32_t id, int position, float *state) {
    const uint8_t *codes = m->words + (size_t)id * m->hidden;
    const float *position_state = m->places + (size_t)position * m->hidden;
    const __m512 scale = _mm512_cvtph_ps(_mm256_set1_epi16((short)m->word_scale[id]));
    const __m512 zero = _mm512_set1_ps((float)m->word_zero[id]);
    for (int i = 0; i < m->hidden; i += LANES) {
        __m512 code = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(codes + i))));
        code = _mm512_fmadd_ps(_mm512_sub_ps(code, zero), scale, _mm512_loadu_ps(position_state + i));
        _mm512_storeu_ps(state + i, code);
    }
}

/* Counts what has passed since it was called last as work of a kind. */
static void count(uint64_t *ticks, int kind, uint64_t *since) {
    const uint64_t now = __rdtsc();
    ticks[kind] += now - *since;
    *since = now;
}

/* Everything of a layer after attention, for up to BLOCK tokens from `first` on. */
static void feed_block(
    const Model *m, const Layer *layer, const Work *w, size_t first, int tokens, int is_last, uint64_t *ticks, uint64_t *since
) {
    const size_t hidden = (size_t)m->hidden, feed = (size_t)m->feed;
    float *states = w->states + first * hidden;
    int8_t *codes = w->codes + first * hidden;
    Range *ranges = w->ranges + first;
    for (int t = 0; t < tokens; t++) quantise(w->attended + (first + t) * hidden, m->hidden, codes + t * hidden, ranges + t);
    count(ticks, NORMS_AND_CODES, since);
    linear_added(codes, ranges, tokens, &layer->projection, states);
    count(ticks, MATRICES, since);
    for (int t = 0; t < tokens; t++) {
        normalise(states + t * hidden, m->hidden, &layer->after_attention, m->epsilon);
        quantise(states + t * hidden, m->hidden, codes + t * hidden, ranges + t);
    }
    count(ticks, NORMS_AND_CODES, since);
    linear_activated(codes, ranges, tokens, &layer->up, w->feed);
    count(ticks, MATRICES, since);
    for (int t = 0; t < tokens; t++) quantise(w->feed + t * feed, m->feed, w->feed_codes + t * feed, w->feed_ranges + t);
    count(ticks, NORMS_AND_CODES, since);
    linear_added(w->feed_codes, w->feed_ranges, tokens, &layer->down, states);
    count(ticks, MATRICES, since);
    for (int t = 0; t < tokens; t++) {
        normalise(states + t * hidden, m->hidden, &layer->after_feed, m->epsilon);
        if (!is_last) quantise(states + t * hidden, m->hidden, codes + t * hidden, ranges + t);
    }
    count(ticks, NORMS_AND_CODES, since);
}

static int at_most(size_t left, int bound) { return left < (size_t)bound ? (int)left : bound; }

static void pool_means(const float *state, const int32_t *lengths, int texts, size_t hidden, float *pooled) {
    for (int i = 0; i < texts; i++) {
        float *mean = pooled + i * hidden;
        memset(mean, 0, hidden * sizeof *mean);
        for (int j = 0; j < lengths[i]; j++, state += hidden)
            for (size_t c = 0; c < hidden; c++) mean[c] += state[c];
        for (size_t c = 0; c < hidden; c++) mean[c] /= (float)lengths[i];
    }
}

void forward(
    const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled, void *work, uint64_t *ticks
) {
    const size_t hidden = (size_t)model->hidden;
    uint64_t since = __rdtsc();
    size_t tokens = 0, t = 0;
    int longest = 0;
    for (int i = 0; i < texts; i++) {
        tokens += (size_t)lengths[i];
        longest = lengths[i] > longest ? lengths[i] : longest;
    }
    const Work w = lay_out(model, tokens, longest, work);
    for (int i = 0; i < texts; i++)
        for (int j = 0; j < lengths[i]; j++, t++) embed(model, ids[t], j, w.states + t * hidden);
    count(ticks, EMBEDDINGS, &since);
    for (t = 0; t < tokens; t++) {
        normalise(w.states + t * hidden, model->hidden, &model->embedded, model->epsilon);
        quantise(w.states + t * hidden, model->hidden, w.codes + t * hidden, w.ranges + t);
    }
    count(ticks, NORMS_AND_CODES, &since);
    for (int l = 0; l < model->layers; l++) {
        const Layer *layer = model->layer + l;
        for (t = 0; t < tokens; t += BLOCK)
            linear_stored(
                w.codes + t * hidden, w.ranges + t, at_most(tokens - t, BLOCK), &layer->attention, w.attention + t * 3 * hidden
            );
        count(ticks, MATRICES, &since);
        t = 0;
        for (int i = 0; i < texts; t += (size_t)lengths[i++])
            (model->halves && lengths[i] >= HALVED ? attend_halved : attend)(
                w.attention + t * 3 * hidden, model->hidden, lengths[i], w.scratch, w.attended + t * hidden
            );
        count(ticks, ATTENTION, &since);
        for (t = 0; t < tokens; t += BLOCK)
            feed_block(model, layer, &w, t, at_most(tokens - t, BLOCK), l + 1 == model->layers, ticks, &since);
    }
    pool_means(w.states, lengths, texts, hidden, pooled);
    count(ticks, NORMS_AND_CODES, &since);
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#else /* another processor, compiler or system */

int forward_supported(void) { return 0; }

int forward_halves(void) { return 0; }

size_t forward_bytes(const Model *model, int tokens, int longest) {
    (void)model, (void)tokens, (void)longest;
    return 0;
}

void forward(
    const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled, void *work, uint64_t *ticks
) {
    (void)model, (void)ids, (void)lengths, (void)texts, (void)pooled, (void)work, (void)ticks;
}

#endif
