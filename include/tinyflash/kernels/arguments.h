/* Arguments that many kernels share: weights in two parts, gradients, windows, rules of update. */
#ifndef TINYFLASH_KERNELS_ARGUMENTS_H
#define TINYFLASH_KERNELS_ARGUMENTS_H

#include "tinyflash/model.h"

/* Weights of a layer. The first `kept` input channels (depthwise: output channels) are trained and
 * are in WEIGHTS; the others are frozen and stay in FLASH. Each part is dense by itself. A part
 * without channels is never read; its pointer is any valid one. */
typedef struct tiny_weights {
    const int8_t *kept;   /* [out][kernel_h][kernel_w][kept] */
    const int8_t *frozen; /* [out][kernel_h][kernel_w][in - kept] */
} tiny_weights;

/* A gradient to read: real = d * 2^scale->exponent, d in [-127, 127], zero point 0 (SPEC 4). */
typedef struct tiny_gradient {
    const int8_t *d;
    const tiny_scale *scale;
} tiny_gradient;

/* A gradient to write. The kernel reads the exponent of the scale, and raises its peak, clipped and
 * saturated (SPEC 4.3). d is the output and may be masked; peak is taken after the mask. */
typedef struct tiny_gradient_out {
    int8_t *d;
    tiny_scale *scale;
    const uint8_t *mask; /* bit i set: element i passes; null: all pass (SPEC 4.4) */
} tiny_gradient_out;

/* A map [height][width][channels], or the ring of its last rows that memory holds. */
typedef struct tiny_map {
    uint16_t height, width, channels;
    uint16_t ring; /* rows that memory holds; height: all */
} tiny_map;

/* How a window slides. Window row ky at output row oy reads input row
 * oy * stride_h - pad_top + ky * dilation_h; outside the map is padding (SPEC 2.4). Padding at the
 * bottom and on the right follows from the shapes. Strides and dilations are at least 1. */
typedef struct tiny_window {
    tiny_map x, y;
    uint8_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    uint8_t pad_top, pad_left;
} tiny_window;

/* From the int32 sum to the int8 output: clamp(sum * multiplier / 2^31 * 2^shift + y_zero, y_min,
 * y_max), rounded as TensorFlow Lite does (SPEC 1.2, 2.2). */
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
    uint8_t nearest;        /* 1: round to nearest, for comparison (SPEC 6.3) */
} tiny_rule;

/* The weights that an update moves, and what its rule remembers of each; null: nothing. All three
 * have the shape of the kept part of the weights. */
typedef struct tiny_trained {
    int8_t *w;
    int16_t *velocity; /* in units of 2^-8 (SPEC 6.8) */
    uint8_t *low;      /* 8 more bits of each weight, 128 = none (SPEC 6.9) */
} tiny_trained;

/* What the backward kernels of a layer with weights need (SPEC 4, 6); null where unused. A
 * depthwise layer of multiplier 1 has no ratios but a factor, the weight scale, of each channel. */
typedef struct tiny_descent {
    const uint16_t *ratio;     /* [out] weight scale over the largest one, Q15, at most 32767 */
    const tiny_factor *factor; /* input gradient: [1], of the largest weight scale (SPEC 4.1) */
    const tiny_factor *rate;   /* [out] x scale / weight scale; 0: dead channel, never updated */
    tiny_rule rule;
    const uint16_t *source; /* [out] each channel's number in the source model; null: its own */
    uint32_t id;            /* of the weights in the source model, for the random bits (SPEC 6.3) */
    uint8_t ratio_shift;    /* q of SPEC 4.1: keeps the sum of an input gradient within int32 */
} tiny_descent;

#endif
