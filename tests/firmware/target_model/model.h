/* A model that learns from targets, for the tests of the link; its kernels are in model.c. */
#ifndef TINYFLASH_TEST_TARGET_MODEL_H
#define TINYFLASH_TEST_TARGET_MODEL_H

#include "tinyflash/model.h"

#define MODEL_NAME "target test"
#define MODEL_HASH 0x00C0FFEEu
#define MODEL_ARENA_BYTES 2400u
#define MODEL_WEIGHTS_BYTES 800u
#define MODEL_STATE_BYTES 44u
#define MODEL_INPUT_BYTES 1000u
#define MODEL_OUTPUT_BYTES 800u

extern const tiny_model model;

#endif
