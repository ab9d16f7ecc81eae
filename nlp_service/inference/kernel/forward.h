/* The forward pass of a BERT encoder in 8 bits, on processors with AVX-512 VNNI.
 *
 * Weights are unsigned codes with a scale and a zero point for each output. What a matrix reads is quantised as it comes,
 * with a range for each token, so nothing has to be calibrated. Texts of any length lie one after another, and only
 * attention knows where one ends: nothing is padded, and a text's vector does not depend on what is computed beside it.
 *
 * Structures are filled by weights.py and have its order of fields. docs/decisions/0027 has the measurements.
 */
#ifndef NLP_FORWARD_H
#define NLP_FORWARD_H

#include <stddef.h>
#include <stdint.h>

enum {
    HEAD = 32,   /* numbers of a query, key or value in one head of attention */
    COLUMNS = 64 /* outputs of a matrix whose codes lie together; hidden and feed-forward sizes are multiples of it */
};

/* output[o] = scale[o] * sum over i of (code[o][i] - zero[o]) * input[i] + bias[o] */
typedef struct {
    int32_t inputs, outputs;
    const uint8_t *codes; /* [outputs / 64][inputs / 4][64][4], at an address divisible by 64 */
    const float *scale, *zero;
    const float *sums; /* scale[o] * sum over i of (code[o][i] - zero[o]) */
    const float *bias;
} Linear;

typedef struct {
    const float *gain, *shift;
} Norm;

typedef struct {
    Linear attention; /* query (divided by the root of HEAD), key and value */
    Linear projection;
    Norm after_attention;
    Linear up, down;
    Norm after_feed;
} Layer;

typedef struct {
    int32_t hidden, feed, layers;
    int32_t halves; /* whether attention of long texts multiplies 16-bit floats (bfloat16), where `forward_halves` */
    float epsilon;
    const uint8_t *words; /* [vocabulary][hidden] */
    const uint16_t *word_scale; /* [vocabulary], 16-bit floats */
    const uint8_t *word_zero;   /* [vocabulary] */
    const float *places; /* [longest][hidden], with the embedding of the first type of tokens */
    Norm embedded;
    const Layer *layer;
} Model;

/* Whether this processor, and the system on it, can run `forward`. */
int forward_supported(void);

/* Whether it can multiply 16-bit floats. */
int forward_halves(void);

/* Tells the structures of this version from those of others. */
int forward_layout(void);

/* Bytes that `forward` works in. */
size_t forward_bytes(const Model *model, int tokens, int longest);

/* Where the time goes, for `ticks`. */
enum { EMBEDDINGS, MATRICES, ATTENTION, NORMS_AND_CODES, KINDS };

/* Mean states of the tokens of each text, [texts][hidden]. `work` is at an address divisible by 64; `ticks`, [KINDS], gets
 * how far the processor's clock went during each kind of work. */
void forward(
    const Model *model, const int32_t *ids, const int32_t *lengths, int texts, float *pooled, void *work, uint64_t *ticks
);

#endif
