/* A model for the tests of the link: its kernels are in model.c, its results easy to foresee. */
#ifndef TINYFLASH_TEST_MODEL_H
#define TINYFLASH_TEST_MODEL_H

#include "tinyflash/model.h"

#define MODEL_NAME "link test"
#define MODEL_HASH 0x1234ABCDu
#define MODEL_ARENA_BYTES 6000u
#define MODEL_WEIGHTS_BYTES 1500u
#define MODEL_STATE_BYTES 56u
#define MODEL_INPUT_BYTES 3000u
#define MODEL_OUTPUT_BYTES 3000u
#define MODEL_CLASSES 6u

extern const tiny_model model;

#endif
