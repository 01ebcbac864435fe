/* Sizes of an empty model, to measure the memory of library and firmware alone. */
#ifndef TINYFLASH_GENERATED_MODEL_H
#define TINYFLASH_GENERATED_MODEL_H

#include "tinyflash/model.h"

#define MODEL_NAME "none"
#define MODEL_HASH 0u
#define MODEL_ARENA_BYTES 0u
#define MODEL_WEIGHTS_BYTES 0u
#define MODEL_STATE_BYTES 32u
#define MODEL_INPUT_BYTES 0u
#define MODEL_OUTPUT_BYTES 0u
#define MODEL_ROW_BYTES 0u
#define MODEL_TARGET_BYTES 0u
#define MODEL_CLASSES 0u

extern const tiny_model model;

#endif
