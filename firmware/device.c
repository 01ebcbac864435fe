/* The device that commands act on. */
#include "device.h"

#include "board.h"
#include "tinyflash/crc32.h"

__attribute__((weak)) uint32_t board_seed(void) { return board_ticks(); }

/* What was learned, and when, is part of the first nonce. */
static void stir(device *self) {
    const tiny_session *session = &self->arena.session;
    const tiny_model *model = session->model;
    const uint32_t crc = tiny_crc32(0, session->base[TINY_WEIGHTS], model->weights_bytes);
    pairing_stir(&self->link.pairing,
                 tiny_crc32(crc, session->base[TINY_STATE], model->state_bytes));
    pairing_stir(&self->link.pairing, board_seed());
}

tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory) {
    const tiny_error error = tiny_init(&self->arena.session, model, memory);
    self->model_name = name;
    self->link.rows.row_bytes = model->row_bytes;
    tiny_set_source(&self->arena.session, rows_source, &self->link);
    if (error == TINY_OK) {
        device_store_start(&self->store, &self->arena.session);
        if (pairing_is_required()) {
            stir(self);
        }
        link_notify(PROTOCOL_READY);
    }
    return error;
}
