/* A source of rows for models that do not hold their input in memory. */
#include <string.h>

#include "tinyflash/model.h"

int tiny_picture_source(void *context, tiny_band band, uint8_t *rows) {
    const tiny_picture *picture = context;
    const uint8_t *from = picture->rows + (size_t)band.first * picture->row_bytes;
    memcpy(rows, from, (size_t)band.count * picture->row_bytes);
    return 0;
}
