/* Fisher information of the channels of a map (SPEC 15).
 *
 * Walks panels of adjacent channels, and for each of them all positions: adjacent bytes in the inner
 * loop, and the sums of a panel on the stack. A square has up to 62 bits, and the exponent of dy
 * differs from sample to sample. So all channels of a map share a unit, which doubles, while all of
 * them are halved, when a number would no longer fit.
 */
#include "../../arith.h"

#define CHANNELS 32     /* of a panel */
#define UNIT_START 96   /* unit k is 2^(k - 96): the smallest exponent of a square is -80 */
#define UNIT_LAST 1024u /* beyond all units: shifts stay defined, whatever was restored */
#define LIMIT 0x7FFFFFFFu

/* square * 2^shift, rounded down; LIMIT + 1 where that is more. */
static uint32_t in_unit(uint64_t square, int32_t shift) {
    const int32_t left = tiny_max(shift, 0), right = tiny_max(-shift, 0);
    const uint64_t scaled = right < 64 ? square >> right : 0;
    const uint64_t most = left < 31 ? LIMIT >> left : 0;
    return scaled > most ? LIMIT + 1u : (uint32_t)scaled << (left & 31);
}

/* The next unit: twice as large. */
static void halve(const tiny_fisher *op, uint32_t *d) {
    d[0]++;
    for (uint32_t c = 1; c <= op->channels; c++) {
        d[c] >>= 1;
    }
}

/* exponent: of a square, from that of unit 0 on. */
static void add_square(const tiny_fisher *op, int32_t sum, int32_t exponent, uint32_t *d,
                       uint32_t c) {
    const uint64_t square = (uint64_t)((int64_t)sum * sum);
    uint32_t more = in_unit(square, exponent - (int32_t)d[0]);
    while (more > LIMIT || d[1 + c] > LIMIT - more) {
        halve(op, d);
        more = in_unit(square, exponent - (int32_t)d[0]);
    }
    d[1 + c] += more;
}

static void panel_sums(const tiny_fisher *op, const int8_t *y, const int8_t *dy, uint32_t count,
                       int32_t *sums) {
    const int16_t zero = (int16_t)op->y_zero;
    for (uint32_t n = 0; n < op->rows; n++, y += op->channels, dy += op->channels) {
        for (uint32_t i = 0; i < count; i++) {
            const int16_t centred = (int16_t)(y[i] - zero);
            sums[i] += centred * dy[i];
        }
    }
}

void tiny_fisher_add(const tiny_fisher *op, const int8_t *y, const tiny_gradient *dy, uint32_t *d) {
    const int32_t exponent = 2 * dy->scale->exponent + UNIT_START;
    d[0] = d[0] < UNIT_LAST ? d[0] : UNIT_LAST;
    for (uint32_t first = 0; first < op->channels; first += CHANNELS) {
        int32_t sums[CHANNELS] = {0};
        const uint32_t left = op->channels - first, count = left < CHANNELS ? left : CHANNELS;
        panel_sums(op, y + first, dy->d + first, count, sums);
        for (uint32_t i = 0; i < count; i++) {
            add_square(op, sums[i], exponent, d, first + i);
        }
    }
}
