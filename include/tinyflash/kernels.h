/* The kernels: int8 forward, int8 input gradient, in-place update; one operator after the other.
 *
 * Maps are [height][width][channels], batch 1. int8 is implied. A gradient is `d` + the name of what it
 * belongs to, has zero point 0 and lies in [-127, 127]. A kernel cannot fail: the compiler has proved
 * its arguments. Unless a line says otherwise, no two arguments overlap. lib/SPEC.md has the formulas.
 *
 * Rows. A kernel that takes a band computes those rows of the map y, in any number of calls for a whole
 * map. Of a map that is consumed as it is made memory may hold a ring of its last rows: row r lies at
 * r mod ring. A whole map has a ring of all its rows. Backward and update kernels know whole maps alone.
 *
 * Order. Every kernel, input gradients among them, computes the rows of y or dx in ascending order and
 * writes nothing beside the rows asked for. So y may overlap x where row r of y lies on no row of x that
 * y's rows from r on read.
 */
#ifndef TINYFLASH_KERNELS_H
#define TINYFLASH_KERNELS_H

#include "tinyflash/model.h"

/* ---- Arguments that many kernels share ---------------------------------------------------------- */

/* Weights of a layer of which the first `kept` input channels (depthwise: channels) are trained and
 * live in WEIGHTS, while the others stay in FLASH. Each part is dense by itself; a part without
 * channels is any valid pointer. */
typedef struct tiny_weights {
    const int8_t *kept;   /* [out][kernel_h][kernel_w][kept] */
    const int8_t *frozen; /* [out][kernel_h][kernel_w][in - kept] */
} tiny_weights;

/* A gradient to read. */
typedef struct tiny_gradient {
    const int8_t *d;
    const tiny_scale *scale;
} tiny_gradient;

/* A gradient to write; peak, clipped and saturated of its scale are updated (SPEC 4.3). */
typedef struct tiny_gradient_out {
    int8_t *d;
    tiny_scale *scale;
    const uint8_t *mask; /* bit i set: element i passes; null: all pass (SPEC 4.4) */
} tiny_gradient_out;

typedef struct tiny_map {
    uint16_t height, width, channels;
    uint16_t ring; /* rows that memory holds; height: all */
} tiny_map;

/* How a window slides: padding at the bottom and right follows from the shapes. */
typedef struct tiny_window {
    tiny_map x, y;
    uint8_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    uint8_t pad_top, pad_left;
} tiny_window;

/* From the int32 sum to the int8 output (SPEC 2.2). */
typedef struct tiny_requant {
    const int32_t *multiplier; /* [out], Q31 */
    const int32_t *shift;      /* [out], positive: to the left */
    int16_t x_zero, y_zero, y_min, y_max;
} tiny_requant;

/* How an update moves what it trains; {.every = 1, .clipped_limit = 65535} is plain descent. */
typedef struct tiny_rule {
    tiny_factor decay;      /* weight decay per unit of learning rate (SPEC 6.2); biases: 0 */
    uint16_t momentum;      /* Q15, below 1; needs a velocity (SPEC 6.8) */
    uint16_t every;         /* training steps per move of the weights, >= 1; above 1: a velocity */
    uint16_t clipped_limit; /* more clipped elements of dy than this skip the step (SPEC 6.7) */
    uint8_t nearest;        /* round to nearest, for comparison (SPEC 6.3) */
} tiny_rule;

/* The weights that an update moves, and what its rule remembers of each; null: nothing. */
typedef struct tiny_trained {
    int8_t *w;
    int16_t *velocity; /* in units of 2^-8 (SPEC 6.8) */
    uint8_t *low;      /* 8 more bits of each weight, 128 = none (SPEC 6.9) */
} tiny_trained;

/* What the backward kernels of a layer with weights need (SPEC 4, 6); null where unused. A depthwise
 * layer of multiplier 1 has no ratios but a factor, the weight scale, of each channel. */
typedef struct tiny_descent {
    const uint16_t *ratio;     /* [out] weight scale over the largest one, Q15 */
    const tiny_factor *factor; /* input gradient: [1] largest weight scale */
    const tiny_factor *rate;   /* [out] x scale / weight scale; 0: dead channel, never updated */
    tiny_rule rule;
    const uint16_t *source; /* [out] each channel's number in the source model; null: its own */
    uint32_t id;            /* of the weights in the source model, for the random bits (SPEC 6.3) */
    uint8_t ratio_shift;    /* q of SPEC 4.1 */
} tiny_descent;

/* ---- Fully connected; also every 1x1 convolution of stride 1 ------------------------------------- */

typedef struct tiny_fully_connected {
    uint32_t rows, in, out, kept;
    uint16_t height, x_ring, y_ring; /* of maps with rows / height positions in each row */
    tiny_requant requant;
    tiny_descent descent;
} tiny_fully_connected;

/* y[n][o] = requantise(b[o] + sum over i of w[o][i] * (x[n][i] - x_zero)).  b may be null. */
void tiny_fully_connected_forward(const tiny_fully_connected *op, const int8_t *x,
                                  const tiny_weights *w, const int32_t *b, int8_t *y,
                                  tiny_band band);

/* dx[n][i] = sum over o of dy[n][o] * w[o][i], scales as SPEC 4.1. */
void tiny_fully_connected_backward_input(const tiny_fully_connected *op, const tiny_gradient *dy,
                                         const tiny_weights *w, const tiny_gradient_out *dx);

/* w[o][i] -= rate[o] * sum over n of dy[n][o] * (x[n][i] - x_zero), i < kept, stochastic rounding
 * (SPEC 6). x is [rows][kept]. Exact while rows <= 66311. */
void tiny_fully_connected_update(const tiny_fully_connected *op, const int8_t *x,
                                 const tiny_gradient *dy, const tiny_trained *w, tiny_state *state);

/* ---- Convolution ----------------------------------------------------------------------------------- */

/* Weights [out][kernel_h][kernel_w][depth]: `depth` is the `in` of tiny_weights. */
typedef struct tiny_conv2d {
    tiny_window window;
    uint32_t depth; /* input channels of a group, which an output channel reads (SPEC 2.3) */
    uint32_t kept;  /* input channels trained; with several groups 0 or depth */
    tiny_requant requant;
    tiny_descent descent;
} tiny_conv2d;

void tiny_conv2d_forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                         const int32_t *b, int8_t *y, tiny_band band);
void tiny_conv2d_backward_input(const tiny_conv2d *op, const tiny_gradient *dy,
                                const tiny_weights *w, const tiny_gradient_out *dx);
/* x is [height][width][kept], of several groups [height][width][in]. */
void tiny_conv2d_update(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                        const tiny_trained *w, tiny_state *state);

/* ---- Depthwise convolution: output channel c * multiplier + m reads input channel c --------------- */

typedef struct tiny_depthwise {
    tiny_window window;
    uint32_t multiplier;
    uint32_t kept; /* output channels trained, a multiple of the multiplier */
    tiny_requant requant;
    tiny_descent descent;
} tiny_depthwise;

/* Weights: kept [kernel_h][kernel_w][kept], frozen [kernel_h][kernel_w][out - kept]. */
void tiny_depthwise_forward(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                            const int32_t *b, int8_t *y, tiny_band band);
void tiny_depthwise_backward_input(const tiny_depthwise *op, const tiny_gradient *dy,
                                   const tiny_weights *w, const tiny_gradient_out *dx);
/* x is [height][width][kept / multiplier]; a row (SPEC 6.3) is one output channel, its elements the
 * taps. */
void tiny_depthwise_update(const tiny_depthwise *op, const int8_t *x, const tiny_gradient *dy,
                           const tiny_trained *w, tiny_state *state);

/* ---- Bias of any of the three --------------------------------------------------------------------- */

typedef struct tiny_bias {
    uint32_t rows, out;
    const tiny_factor *rate; /* [out] 1 / (x scale * weight scale); 0: dead channel */
    tiny_rule rule;
    const uint16_t *source; /* as in tiny_descent */
    uint32_t id;            /* of the bias in the source model */
    int32_t limit;          /* |b| stays within, so that no sum overflows (SPEC 6.5) */
} tiny_bias;

/* b[o] -= rate[o] * sum over n of dy[n][o], stochastic rounding (SPEC 6.5). velocity: [out], in units
 * of 2^-16, or null. */
void tiny_bias_update(const tiny_bias *op, const tiny_gradient *dy, int32_t *b, int32_t *velocity,
                      tiny_state *state);

/* ---- Pooling --------------------------------------------------------------------------------------- */

typedef struct tiny_pool {
    tiny_window window;
    int16_t y_min, y_max;
    uint8_t reciprocal_shift; /* q of SPEC 4.6 */
} tiny_pool;

void tiny_average_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band);
void tiny_average_pool_backward_input(const tiny_pool *op, const tiny_gradient *dy,
                                      const tiny_gradient_out *dx);
void tiny_max_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band);
/* dy of a window goes to the first of its largest x. */
void tiny_max_pool_backward_input(const tiny_pool *op, const int8_t *x, const tiny_gradient *dy,
                                  const tiny_gradient_out *dx);

/* y[outer][inner] = mean over count of x[outer][count][inner] (SPEC 3.3). */
typedef struct tiny_mean {
    uint32_t outer, count, inner;
    int32_t multiplier, shift; /* input scale / (output scale * count) */
    int16_t x_zero, y_zero;
    tiny_factor reciprocal; /* 1 / count, for the gradient */
} tiny_mean;

void tiny_mean_forward(const tiny_mean *op, const int8_t *x, int8_t *y);
void tiny_mean_backward_input(const tiny_mean *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx);

/* ---- Sum of two maps, and of two gradients ---------------------------------------------------------- */

typedef struct tiny_add {
    uint32_t count;
    uint16_t height, a_ring, b_ring, y_ring; /* of maps with count / height elements in each row */
    int16_t a_zero, b_zero, y_zero, y_min, y_max;
    int32_t a_multiplier, b_multiplier, y_multiplier;
    int32_t a_shift, b_shift, y_shift;
} tiny_add;

/* y = a + b at a common scale (SPEC 3.1). y may be a or b. */
void tiny_add_forward(const tiny_add *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band);

typedef struct tiny_gradient_sum {
    uint32_t count;
} tiny_gradient_sum;

/* dx = a + b, each with its own exponent, rounded once (SPEC 4.5); b->d may be null: dx = a.
 * The gradient of either branch of a sum, and of every tensor with two readers. dx may be a or b. */
void tiny_gradient_add(const tiny_gradient_sum *op, const tiny_gradient *a, const tiny_gradient *b,
                       const tiny_gradient_out *dx);

/* ---- Product of two maps ----------------------------------------------------------------------------- */

/* a and y are [rows][size], b is [size]: two maps of one shape are one row, of which b has a ring, too. */
typedef struct tiny_mul {
    uint32_t rows, size;
    /* Of maps with rows * size / height elements in each row; where rows > 1 height divides them. */
    uint16_t height, a_ring, b_ring, y_ring;
    int16_t a_zero, b_zero, y_zero, y_min, y_max;
    int32_t multiplier, shift;
    tiny_factor a_scale, b_scale; /* for the gradients */
} tiny_mul;

/* y[n][i] = a[n][i] * b[i] (SPEC 3.5). y may be a and, where there is one row, b. */
void tiny_mul_forward(const tiny_mul *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band);
/* da[n][i] = dy[n][i] * b[i] (SPEC 4.6). */
void tiny_mul_backward_a(const tiny_mul *op, const int8_t *b, const tiny_gradient *dy,
                         const tiny_gradient_out *da);
/* db[i] = sum over n of dy[n][i] * a[n][i]. Exact while rows <= 66311. */
void tiny_mul_backward_b(const tiny_mul *op, const int8_t *a, const tiny_gradient *dy,
                         const tiny_gradient_out *db);

/* ---- Moving data ------------------------------------------------------------------------------------ */

/* y[row][0..size) = x[row][0..size), rows `x_stride` and `y_stride` bytes apart. */
typedef struct tiny_copy {
    uint32_t rows, size, x_stride, y_stride;
    uint16_t height, x_ring, y_ring; /* of maps whose every row has rows / height of those */
} tiny_copy;

void tiny_copy_forward(const tiny_copy *op, const int8_t *x, int8_t *y, tiny_band band);
/* The way back: dx is [rows][size], the part of dy that came from x. Needs x_stride = size. */
void tiny_copy_backward_input(const tiny_copy *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx);

typedef struct tiny_pad {
    tiny_map x, y;
    uint16_t top, left, front; /* rows, columns, channels of `value` before the map */
    int16_t value;
} tiny_pad;

void tiny_pad_forward(const tiny_pad *op, const int8_t *x, int8_t *y, tiny_band band);
void tiny_pad_backward_input(const tiny_pad *op, const tiny_gradient *dy,
                             const tiny_gradient_out *dx);

typedef struct tiny_transpose {
    uint16_t shape[4];  /* of y */
    uint32_t stride[4]; /* in x, in elements, of each dimension of y */
} tiny_transpose;

void tiny_transpose_forward(const tiny_transpose *op, const int8_t *x, int8_t *y);
void tiny_transpose_backward_input(const tiny_transpose *op, const tiny_gradient *dy,
                                   const tiny_gradient_out *dx);

/* ---- Functions of one element ----------------------------------------------------------------------- */

typedef struct tiny_lookup {
    uint32_t count;
    uint16_t height, x_ring, y_ring; /* of maps with count / height elements in each row */
} tiny_lookup;

/* y[i] = table[(uint8_t)x[i]]; the table has 256 entries. y may be x. */
void tiny_lookup_forward(const tiny_lookup *op, const int8_t *x, const int8_t *table, int8_t *y,
                         tiny_band band);
/* dx[i] = dy[i] * slope[(uint8_t)x[i]], slopes in Q14 (SPEC 4.6). */
void tiny_lookup_backward_input(const tiny_lookup *op, const int8_t *x, const int16_t *slope,
                                const tiny_gradient *dy, const tiny_gradient_out *dx);

typedef struct tiny_softmax {
    uint32_t rows, classes;
    uint16_t height, x_ring, y_ring; /* of maps with rows / height of those in each row */
    tiny_factor beta;                /* what x is multiplied by, for the gradient */
} tiny_softmax;

/* Softmax of each row, output scale 1/256, zero point -128 (SPEC 3.4).
 * exponentials: int32 [256], Q31 of exp(-d * input scale) for a distance d below the row's largest. */
void tiny_softmax_forward(const tiny_softmax *op, const int8_t *x, const int32_t *exponentials,
                          int8_t *y, tiny_band band);
/* dx[i] = beta * y[i] * (dy[i] - sum over j of dy[j] * y[j]), by rows (SPEC 4.6). */
void tiny_softmax_backward_input(const tiny_softmax *op, const int8_t *y, const tiny_gradient *dy,
                                 const tiny_gradient_out *dx);

/* ---- Training ---------------------------------------------------------------------------------------- */

/* Bit i of mask = y_min < y[i] < y_max: the output was not clipped (SPEC 4.4). Padding bits are 0. The
 * mask is whole; a band sets the bits of its rows, wherever in a byte they begin. */
typedef struct tiny_mask {
    uint32_t count;
    uint16_t height, ring; /* of y, with count / height elements in each row */
    int16_t y_min, y_max;
} tiny_mask;

void tiny_mask_forward(const tiny_mask *op, const int8_t *y, uint8_t *mask, tiny_band band);

/* Softmax, cross-entropy with state->label and its gradient, exponent exact (SPEC 4.7).
 * exponentials: uint16 [256], Q15. Sets predicted and probability of the state. */
typedef struct tiny_loss {
    uint32_t classes;
    int32_t on, off; /* what the label's probability should be, and that of the others; Q15 */
} tiny_loss;

void tiny_softmax_loss(const tiny_loss *op, const int8_t *logits, const uint16_t *exponentials,
                       tiny_state *state, const tiny_gradient_out *dy);

/* Losses that compare x with a target, [count] each; dy of either is the difference times `factor`, its
 * exponent exact (SPEC 4.8). They set the error of the state. */
typedef struct tiny_target_loss {
    uint32_t count;     /* up to 65535 */
    tiny_factor factor; /* 2 * x scale / count; 2^-15 / count */
} tiny_target_loss;

/* Mean squared error; the target has x's scale and zero point. */
void tiny_squared_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       tiny_state *state, const tiny_gradient_out *dy);
/* Binary cross-entropy of each logit; a target is a probability, -128: 0 to 127: 1.
 * probabilities: uint16 [256], Q15, of the logits. */
void tiny_sigmoid_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       const uint16_t *probabilities, tiny_state *state,
                       const tiny_gradient_out *dy);

/* Gives the gradient `to`, which is about to be computed from `from` and `also`, its exponent (SPEC 5.2).
 * `also`: null, but for a sum of two gradients. */
void tiny_follow(const tiny_scale *from, const tiny_scale *also, tiny_scale *to);

/* Ends a training step: moves every gain, counts the step (SPEC 5.3). */
typedef struct tiny_advance {
    uint8_t headroom; /* bits kept free above the largest magnitude */
} tiny_advance;

void tiny_advance_scales(const tiny_advance *op, tiny_state *state);

#endif
