/* A model for the tests of the link whose tables leave nothing of the arena as it was. */
#ifndef MODEL_H
#define MODEL_H

#include "tinyflash/model.h"

#define MODEL_NAME "tight"
#define MODEL_HASH 0x0000F00Du
#define MODEL_INPUT_BYTES 96u
#define MODEL_OUTPUT_BYTES 8u
#define MODEL_WEIGHTS_BYTES 8u
#define MODEL_STATE_BYTES 44u
#define MODEL_ARENA_BYTES 112u

extern const tiny_model model;

#endif
