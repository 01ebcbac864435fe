/* Which candidate trains the layers that matter most (SPEC 16).
 *
 * Numbers of maps differ by many powers of two: the unit of a statistic follows its largest channel.
 * So each is a mantissa of 32 bits and an exponent; scores are sums in the unit of the largest layer.
 */
#include "tinyflash/choose.h"

#include <string.h>

#define UNIT_START 96   /* of a statistic's unit: 2^(k - 96) */
#define UNIT_LAST 1024u /* as in fisher.c */
#define MANTISSA_MIN 0x80000000u
#define SHARE_BITS 16u
#define NOTHING INT32_MIN /* below all exponents */

/* mantissa * 2^exponent; mantissa 0, or at least MANTISSA_MIN. */
typedef struct pair {
    uint32_t mantissa;
    int32_t exponent;
} pair;

/* `norm` of SPEC 16. */
static pair normal(uint64_t value, int32_t exponent) {
    while (value > UINT32_MAX) {
        value >>= 1;
        exponent++;
    }
    while (value && value < MANTISSA_MIN) {
        value <<= 1;
        exponent--;
    }
    const pair found = {(uint32_t)value, exponent};
    return found;
}

static uint32_t *statistic(const tiny_judged_map *map, const tiny_session *judge) {
    return (uint32_t *)(void *)(judge->base[TINY_WEIGHTS] + map->at);
}

/* The sum over the channels of a mask; null: over all. */
static uint64_t sum_of(const tiny_judged_map *map, const tiny_session *judge, const uint8_t *mask) {
    const uint32_t *d = statistic(map, judge);
    uint64_t sum = 0;
    for (uint32_t c = 0; c < map->channels; c++) {
        const int counts = !mask || (mask[c >> 3] >> (c & 7u) & 1u);
        sum += counts ? d[1 + c] : 0;
    }
    return sum;
}

/* SPEC 16.1. */
static pair of_map(const tiny_judged_map *map, const tiny_session *judge) {
    const uint32_t unit = statistic(map, judge)[0];
    const int32_t exponent = (int32_t)(unit < UNIT_LAST ? unit : UNIT_LAST) - UNIT_START;
    const pair sum = normal(sum_of(map, judge, NULL), exponent + map->square.exponent);
    return normal((uint64_t)sum.mantissa * map->square.mantissa, sum.exponent);
}

/* SPEC 16.2. */
static uint32_t share_of(const tiny_choices *self, const tiny_judged_layer *layer,
                         const tiny_session *judge) {
    const tiny_judged_map *map = &self->maps[layer->part];
    uint64_t all = layer->mask ? sum_of(map, judge, NULL) : 0;
    uint64_t trained = all ? sum_of(map, judge, layer->mask) : 0;
    if (!all) {
        return layer->share;
    }
    while (all >> SHARE_BITS) {
        all >>= 1;
        trained >>= 1;
    }
    return ((uint32_t)trained << SHARE_BITS) / (uint32_t)all;
}

/* X of SPEC 16.3; NOTHING if all layers have 0. */
static int32_t largest_exponent(const tiny_choices *self, const tiny_session *judge) {
    int32_t largest = NOTHING;
    for (uint32_t i = 0; i < self->count; i++) {
        const tiny_candidate *candidate = &self->candidates[i];
        for (uint32_t j = 0; j < candidate->layer_count; j++) {
            const pair p = of_map(&self->maps[candidate->layers[j].made], judge);
            largest = p.mantissa && p.exponent > largest ? p.exponent : largest;
        }
    }
    return largest;
}

/* SPEC 16.3, in the unit of 2^largest. */
static uint64_t score_of(const tiny_choices *self, const tiny_session *judge,
                         const tiny_candidate *candidate, int32_t largest) {
    uint64_t score = 0;
    for (uint32_t j = 0; j < candidate->layer_count; j++) {
        const tiny_judged_layer *layer = &candidate->layers[j];
        const pair p = of_map(&self->maps[layer->made], judge);
        const uint64_t worth = (uint64_t)p.mantissa * share_of(self, layer, judge) >> SHARE_BITS;
        score += p.mantissa && largest - p.exponent < 32 ? worth >> (largest - p.exponent) : 0;
    }
    return score;
}

static uint32_t in_words(uint32_t bytes) { return (bytes + 3u) & ~3u; }

tiny_error tiny_choose_init(tiny_session *session, const tiny_model *model, void *memory,
                            uint32_t bytes) {
    const uint32_t weights = in_words(model->weights_bytes); /* at most 2^30 each (SPEC 10.35) */
    const uint32_t before = weights + in_words(model->state_bytes);
    if (!memory || bytes < before) {
        return TINY_ERROR_MEMORY;
    }
    uint8_t *block = memory;
    const tiny_memory spaces = {block,   block + weights,  block + before,
                                weights, before - weights, bytes - before};
    return tiny_init(session, model, &spaces);
}

static int is_judge(const tiny_choices *self, const tiny_session *judge) {
    return self->count > 0 && judge->model == self->judge;
}

tiny_error tiny_choose_begin(const tiny_choices *choices, tiny_session *judge) {
    if (!is_judge(choices, judge)) {
        return TINY_ERROR_CHOICE;
    }
    for (uint32_t i = 0; i < choices->map_count; i++) {
        const tiny_judged_map *map = &choices->maps[i];
        memset(statistic(map, judge), 0, (1 + (size_t)map->channels) * sizeof(uint32_t));
    }
    return TINY_OK;
}

uint64_t tiny_choose_score(const tiny_choices *choices, const tiny_session *judge,
                           uint32_t candidate) {
    const int32_t largest = largest_exponent(choices, judge);
    return score_of(choices, judge, &choices->candidates[candidate], largest);
}

tiny_error tiny_choose(const tiny_choices *choices, const tiny_session *judge, uint32_t *chosen) {
    if (!is_judge(choices, judge)) {
        return TINY_ERROR_CHOICE;
    }
    const int32_t largest = largest_exponent(choices, judge);
    uint64_t best = 0;
    *chosen = 0;
    for (uint32_t i = 0; i < choices->count; i++) {
        const uint64_t score = score_of(choices, judge, &choices->candidates[i], largest);
        if (score > best) {
            best = score;
            *chosen = i;
        }
    }
    return TINY_OK;
}
