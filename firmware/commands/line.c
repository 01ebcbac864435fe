/* Commands for the serial line: its rate, and a test of it. */
#include "commands/commands.h"

#define RATE_BYTES 4

/* body: rates, 32 each. Reply: changes of the rate since the start 32; the rate near each, 32 each. */
protocol_status command_rates(device *self, const uint8_t *body, uint32_t count) {
    if (count % RATE_BYTES != 0) {
        return PROTOCOL_BAD_LENGTH;
    }
    reply_put32(&self->link.reply, self->link.rate.changes);
    for (uint32_t at = 0; at < count; at += RATE_BYTES) {
        reply_put32(&self->link.reply, rate_near(frame_get32(body + at)));
    }
    return PROTOCOL_OK;
}

/* body: rate 32. */
protocol_status command_rate(device *self, const uint8_t *body, uint32_t count) {
    const uint32_t wanted = frame_get32(body);
    (void)count;
    if (rate_near(wanted) == 0) {
        return PROTOCOL_BAD_RANGE;
    }
    self->link.rate.wanted = wanted;
    self->link.rate.changes++;
    return PROTOCOL_OK;
}

/* Reply: the body. */
protocol_status command_echo(device *self, const uint8_t *body, uint32_t count) {
    reply_put_bytes(&self->link.reply, body, count);
    return PROTOCOL_OK;
}
