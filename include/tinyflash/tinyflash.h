/* Everything a firmware needs: the model and its session. */
#ifndef TINYFLASH_TINYFLASH_H
#define TINYFLASH_TINYFLASH_H

#include "tinyflash/kernels.h"
#include "tinyflash/model.h"

#endif
