/* What is normal, without labels (SPEC 13). */
#include "tinyflash/normal.h"

#include "arith.h"

/* SPEC 13.2: a threshold in 16 bits, mantissa << 5 | shift. */
#define MANTISSA_LIMIT 2048u /* 11 bits */
#define SHIFT_BITS 5u

uint32_t tiny_normal_score(const void *output, const void *target, uint32_t count) {
    const int8_t *x = output, *t = target;
    uint32_t score = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t difference = x[i] - t[i];
        score += (uint32_t)(difference * difference);
    }
    return score;
}

void tiny_normal_hold(tiny_normal *held, uint32_t score) {
    for (uint32_t i = 0; i < TINY_NORMAL_LARGEST; i++) {
        const uint32_t other = held->largest[i];
        if (i >= held->count || score > other) {
            held->largest[i] = score;
            score = other;
        }
    }
    tiny_count(&held->count);
}

/* The least code whose value is not below: halves are rounded up, so that the whole is, too. */
static uint16_t code_of(uint32_t value) {
    uint32_t shift = 0, mantissa = value;
    while (mantissa >= MANTISSA_LIMIT) {
        shift++;
        mantissa -= mantissa >> 1;
    }
    return (uint16_t)(mantissa << SHIFT_BITS | shift);
}

int tiny_normal_set(const tiny_normal *held, uint32_t rank, tiny_session *session) {
    const int sets = rank > 0 && rank <= TINY_NORMAL_LARGEST && rank <= held->count &&
                     session->model->target_bytes > 0;
    if (sets) {
        const uint32_t score = held->largest[rank - 1];
        tiny_session_state(session)->probability = code_of(score ? score : 1u);
    }
    return sets;
}

uint32_t tiny_normal_threshold(const tiny_session *session) {
    const uint32_t code = tiny_session_state(session)->probability;
    const uint64_t value = (uint64_t)(code >> SHIFT_BITS) << (code & ((1u << SHIFT_BITS) - 1u));
    const uint32_t threshold = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return session->model->target_bytes ? threshold : 0;
}

int tiny_normal_is_abnormal(const tiny_session *session, uint32_t score) {
    const uint32_t threshold = tiny_normal_threshold(session);
    return threshold && score > threshold;
}
