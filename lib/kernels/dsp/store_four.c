/* Elements of an input gradient that may saturate, or whose exponent is extreme; see store_four.h. */
#include "store_four.h"

void tiny_store_one(const tiny_fours *s, uint32_t i, int32_t sum) {
    tiny_store_gradient(s->dx, i, tiny_scale_by(sum, s->mantissa, s->exponent));
}

void tiny_store_each(const tiny_fours *s, uint32_t i, const int32_t *sums) {
    for (uint32_t n = 0; n < 4; n++) {
        tiny_store_one(s, i + n, sums[n]);
    }
}
