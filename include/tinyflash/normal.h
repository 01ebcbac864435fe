/* What is normal, without labels (SPEC 13): a network that gives its input again, an autoencoder, has
 * learned normal samples; its squared error tells which samples are not like them.
 *
 * Firmware that calls no tiny_normal function links none of it.
 *
 *     for each sample of a while in which all is well: write it to tiny_train_input, and as the
 *         network's output stores it to tiny_train_target; tiny_train(&session, 0, rate);
 *     for some more of them, which are not learned from:
 *         tiny_normal_hold(&held, tiny_normal_score(tiny_infer(&session), target, n));
 *     tiny_normal_set(&held, 1, &session);
 *     from then on: if (tiny_normal_is_abnormal(&session, tiny_normal_score(...))) { ... }
 */
#ifndef TINYFLASH_NORMAL_H
#define TINYFLASH_NORMAL_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TINY_NORMAL_LARGEST = 8 };

/* The scores of normal samples that the network has not learned from. All 0: none yet. */
typedef struct tiny_normal {
    uint32_t count;                        /* so far; stays at its maximum */
    uint32_t largest[TINY_NORMAL_LARGEST]; /* of them, in descending order */
} tiny_normal;

/* Returns the sum of squared differences of an output and its target, stored integers of one scale
 * and zero point, each `count` <= 65,535 bytes: what `error` of the state is after a training step
 * with the loss "mean_squared_error" (SPEC 4.8). */
uint32_t tiny_normal_score(const void *output, const void *target, uint32_t count);

/* Counts a normal sample's score. */
void tiny_normal_hold(tiny_normal *held, uint32_t score);

/* Sets the threshold, the rank-th largest score, in the session's STATE: it is saved and restored
 * with it, and training leaves it. Of n held scores it lets about rank / (n + 1) of the normal samples
 * to come be called abnormal. Returns whether it did: rank is 1 to TINY_NORMAL_LARGEST and at most
 * held->count, and the model learns towards targets. */
int tiny_normal_set(const tiny_normal *held, uint32_t rank, tiny_session *session);

/* Returns the threshold; 0: none was set. */
uint32_t tiny_normal_threshold(const tiny_session *session);

/* Whether a threshold was set, and the score is above it. */
int tiny_normal_is_abnormal(const tiny_session *session, uint32_t score);

#ifdef __cplusplus
}
#endif

#endif
