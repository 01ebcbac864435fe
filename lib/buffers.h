/* Arguments of backward kernels, from the row of pointers that a table holds (tinyflash/ops.h). */
#ifndef TINYFLASH_BUFFERS_H
#define TINYFLASH_BUFFERS_H

#include <stddef.h>

#include "tinyflash/kernels/train.h"
#include "tinyflash/model.h"

/* From d, s_d. */
static inline tiny_gradient tiny_gradient_at(void *const *pair) {
    const tiny_gradient g = {pair[0], pair[1]};
    return g;
}

/* From mask, dx, s_dx: computed from a and b, whose levels its exponent follows (SPEC 5.2). */
static inline tiny_gradient_out tiny_following_both(const tiny_gradient *a, const tiny_scale *b,
                                                    void *const *triple) {
    const tiny_gradient_out g = {triple[1], triple[2], triple[0]};
    tiny_follow(a->scale, b, g.scale);
    return g;
}

/* The same, computed from dy alone. */
static inline tiny_gradient_out tiny_following(const tiny_gradient *dy, void *const *triple) {
    return tiny_following_both(dy, NULL, triple);
}

/* From w kept, w frozen. */
static inline tiny_weights tiny_weights_at(void *const *pair) {
    const tiny_weights w = {pair[0], pair[1]};
    return w;
}

#endif
