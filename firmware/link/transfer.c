/* Memory that the host fills in pieces, in order. */
#include "link/transfer.h"

#include <stddef.h>

int transfer_fits(transfer *into, uint32_t offset, uint32_t count) {
    if (offset == 0) {
        into->done = 0;
    }
    return offset == into->done && count <= into->size - into->done;
}

int transfer_is_complete(const transfer *into) {
    return into->memory != NULL && into->done == into->size;
}
