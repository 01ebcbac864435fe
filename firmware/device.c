/* The device that commands act on. */
#include "device.h"

#include <stddef.h>

tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory) {
    const tiny_error error = tiny_init(&self->session, model, memory);
    self->model_name = name;
    self->link.rows.row_bytes = model->row_bytes;
    tiny_set_source(&self->session, rows_source, &self->link);
    if (error == TINY_OK) {
        link_notify(PROTOCOL_READY);
    }
    return error;
}

protocol_status device_take_sample(device *self, const uint8_t *input) {
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    if (self->sample.memory != input || !transfer_is_complete(&self->sample)) {
        return PROTOCOL_NO_SAMPLE;
    }
    self->sample = (transfer){0};
    self->output = NULL;
    return PROTOCOL_OK;
}
