/* A choice on the board: which of several schemes, compiled into one image, suits the samples that the
 * board sees (SPEC 16).
 *
 * A judge, a model of the same network, passes over first samples and adds up how much each channel
 * matters to the loss (Fisher information, SPEC 15). Each candidate is a model that trains some of the
 * layers; the one whose layers matter most is chosen. Only one model is alive at a time, so all share
 * one memory. The compiler writes the tables (`tinyflash compile --candidate`). Firmware that calls no
 * tiny_choose function links none of it.
 *
 *     static uint32_t memory[MINE_MEMORY_WORDS];
 *     tiny_choose_init(&session, mine.judge, memory, sizeof memory);
 *     for each first sample, some times: tiny_train(&session, label, rate);    the classifier learns
 *     tiny_choose_begin(&mine, &session);
 *     for each first sample, once: tiny_train(&session, label, none);          none: {0, 0}
 *     tiny_choose(&mine, &session, &chosen);
 *     tiny_choose_init(&session, mine.candidates[chosen].model, memory, sizeof memory);
 */
#ifndef TINYFLASH_CHOOSE_H
#define TINYFLASH_CHOOSE_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A map whose channels the judge judges. */
typedef struct tiny_judged_map {
    uint32_t at; /* of its statistic, uint32 [1 + channels], in the judge's WEIGHTS; in bytes */
    uint32_t channels;
    tiny_factor square; /* of the map's scale */
} tiny_judged_map;

/* A layer of which a candidate trains weights. */
typedef struct tiny_judged_layer {
    uint16_t made; /* number of the map that it makes */
    uint16_t part; /* number of the map of whose channels the mask is */
    /* Bit c % 8 of byte c / 8: whether channel c is trained. Null: `share` alone says it. */
    const uint8_t *mask;
    uint32_t share; /* trained channels / all channels, in 2^-16 */
} tiny_judged_layer;

typedef struct tiny_candidate {
    const tiny_model *model;
    const tiny_judged_layer *layers;
    uint32_t layer_count;
} tiny_candidate;

typedef struct tiny_choices {
    const tiny_model *judge;
    const tiny_judged_map *maps;
    const tiny_candidate *candidates;
    uint32_t map_count, count; /* of maps, of candidates */
} tiny_choices;

/* As tiny_init, with one block of memory for all spaces: WEIGHTS, STATE and ARENA one after the other,
 * each in whole words. So models of which one is alive at a time share the block of the largest.
 * TINY_ERROR_MEMORY: it is too small, or not aligned to 4 bytes. */
tiny_error tiny_choose_init(tiny_session *session, const tiny_model *model, void *memory,
                            uint32_t bytes);

/* Sets the statistic to zeros: call it when the judge's classifier has learned, before the pass whose
 * samples count. TINY_ERROR_CHOICE: no candidates, or the session is not the judge's. */
tiny_error tiny_choose_begin(const tiny_choices *choices, tiny_session *judge);

/* Writes the number of the candidate with the highest score; of equals, the first. So it is 0 if
 * nothing was judged, as after tiny_choose_begin, or with a classifier that is new or that fits all
 * samples. TINY_ERROR_CHOICE: as above; `chosen` is not changed.
 *
 * Integers only; the session is not changed. Cost: for each layer of each candidate, twice the
 * channels of its maps. */
tiny_error tiny_choose(const tiny_choices *choices, const tiny_session *judge, uint32_t *chosen);

/* Returns the score of a candidate, whose number is below choices->count: of all scores of the same
 * statistic in one unit, so they can be compared with each other, and with nothing else. The session
 * is the judge's. */
uint64_t tiny_choose_score(const tiny_choices *choices, const tiny_session *judge,
                           uint32_t candidate);

#ifdef __cplusplus
}
#endif

#endif
