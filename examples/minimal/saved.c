/* Saves weights and state behind a head that is checked when they are loaded. */
#include "saved.h"

#include "port.h"

typedef struct saved_head {
    uint32_t hash; /* of the model: what the bytes mean */
    uint32_t weights_bytes, state_bytes;
    uint32_t crc; /* of weights and state */
} saved_head;

/* CRC-32 as in zlib, continued. */
static uint32_t crc32(uint32_t crc, const void *data, uint32_t count) {
    const uint8_t *bytes = (const uint8_t *)data;
    crc = ~crc;
    while (count-- > 0) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static saved_head head_of(const tiny_session *session, const tiny_memory *memory) {
    const tiny_model *model = session->model;
    saved_head head = {model->hash, model->weights_bytes, model->state_bytes, 0};
    head.crc = crc32(0, memory->weights, model->weights_bytes);
    head.crc = crc32(head.crc, memory->state, model->state_bytes);
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
