/* Everything a firmware needs: the model, its session, and what runs around a training step. */
#ifndef TINYFLASH_TINYFLASH_H
#define TINYFLASH_TINYFLASH_H

#include "tinyflash/choose.h"
#include "tinyflash/crc32.h"
#include "tinyflash/guard.h"
#include "tinyflash/kernels.h"
#include "tinyflash/model.h"
#include "tinyflash/normal.h"
#include "tinyflash/rate.h"
#include "tinyflash/replay.h"
#include "tinyflash/schedule.h"
#include "tinyflash/spectrogram.h"
#include "tinyflash/store.h"

#endif
