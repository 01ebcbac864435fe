/* Saves weights and state behind a head that is checked when they are loaded. */
#include "saved.h"

#include "port.h"

typedef struct saved_head {
    uint32_t hash; /* of the model: what the bytes mean */
    uint32_t weights_bytes, state_bytes;
    uint32_t crc; /* of weights and state */
} saved_head;

static saved_head head_of(const tiny_session *session, const tiny_memory *memory) {
    const tiny_model *model = session->model;
    saved_head head = {model->hash, model->weights_bytes, model->state_bytes, 0};
    head.crc = tiny_crc32(0, (const uint8_t *)memory->weights, model->weights_bytes);
    head.crc = tiny_crc32(head.crc, (const uint8_t *)memory->state, model->state_bytes);
    return head;
}

int saved_load(tiny_session *session, const tiny_memory *memory) {
    const tiny_model *model = session->model;
    saved_head head;
    if (!port_open(PORT_READ)) {
        return 0;
    }
    int ok = port_read(&head, sizeof head) && head.hash == model->hash &&
             head.weights_bytes == model->weights_bytes && head.state_bytes == model->state_bytes &&
             port_read(memory->weights, model->weights_bytes) &&
             port_read(memory->state, model->state_bytes);
    ok = ok && head.crc == head_of(session, memory).crc;
    (void)port_close();
    if (!ok) {
        tiny_reset(session);
    }
    return ok;
}

int saved_store(const tiny_session *session, const tiny_memory *memory) {
    const saved_head head = head_of(session, memory);
    if (!port_open(PORT_WRITE)) {
        return 0;
    }
    const int ok = port_write(&head, sizeof head) &&
                   port_write(memory->weights, head.weights_bytes) &&
                   port_write(memory->state, head.state_bytes);
    return port_close() && ok;
}
