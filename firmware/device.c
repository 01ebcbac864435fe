/* The device that commands act on. */
#include "device.h"

tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory) {
    const tiny_error error = tiny_init(&self->arena.session, model, memory);
    self->model_name = name;
    self->link.rows.row_bytes = model->row_bytes;
    tiny_set_source(&self->arena.session, rows_source, &self->link);
    if (error == TINY_OK) {
        device_store_start(&self->store, &self->arena.session);
        link_notify(PROTOCOL_READY);
    }
    return error;
}
