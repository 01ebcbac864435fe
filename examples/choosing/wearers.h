/* What stands for a sensor and for a person who labels: windows of two wearers, with what they did. */
#ifndef WEARERS_H
#define WEARERS_H

#include <stdint.h>

#include "gait.h"

#define WEARERS 2u
#ifndef SAMPLES
#define SAMPLES 64u /* of each wearer, to learn from */
#define TESTS 64u   /* of each, never trained on */
#endif

typedef struct wearer {
    int8_t samples[SAMPLES + TESTS][GAIT_INPUT_BYTES]; /* as gait.h says */
    uint8_t labels[SAMPLES + TESTS];
} wearer;

extern const wearer wearers[WEARERS];

#endif
