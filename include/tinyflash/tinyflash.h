/* Everything a firmware needs: the model, its session, and what runs around a training step. */
#ifndef TINYFLASH_TINYFLASH_H
#define TINYFLASH_TINYFLASH_H

#include "tinyflash/guard.h"
#include "tinyflash/kernels.h"
#include "tinyflash/model.h"
#include "tinyflash/rate.h"
#include "tinyflash/schedule.h"

#endif
