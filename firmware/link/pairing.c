/* The pairing of a device with hosts: nonces, and tags of frames. */
#include "link/pairing.h"

#ifdef PAIRING
#include "pairing_key.h"

static void put64(uint8_t *bytes, uint64_t value) {
    frame_put32(bytes, (uint32_t)value);
    frame_put32(bytes + 4, (uint32_t)(value >> 32));
}

static const siphash_key device_key = {PAIRING_KEY_LOW, PAIRING_KEY_HIGH};

int pairing_is_required(void) { return 1; }

/* A hash of a number with the key, beside one byte that says what for. */
static uint64_t derived(uint64_t number, uint8_t purpose, uint32_t more) {
    uint8_t bytes[13];
    put64(bytes, number);
    bytes[8] = purpose;
    frame_put32(bytes + 9, more);
    return siphash(&device_key, bytes, sizeof bytes);
}

void pairing_stir(pairing *self, uint32_t something) {
    self->nonce = derived(self->nonce, 0, something);
}

uint64_t pairing_open(pairing *self) {
    self->nonce = derived(self->nonce, 1, 0);
    self->session = (siphash_key){derived(self->nonce, 2, 0), derived(self->nonce, 3, 0)};
    self->counter = 0;
    self->is_open = 1;
    return self->nonce;
}

/* The tag covers type, sequence number, body, and the counter, which takes the tag's place. */
int pairing_accepts(const pairing *self, frame_receiver *receiver) {
    const uint32_t count = receiver->body_count;
    if (!self->is_open || count < PAIRING_TAG_BYTES) {
        return 0;
    }
    const uint32_t covered = FRAME_HEADER_BYTES + count;
    uint8_t *tag = receiver->bytes + covered - PAIRING_TAG_BYTES;
    const uint64_t given = frame_get32(tag) | ((uint64_t)frame_get32(tag + 4) << 32);
    put64(tag, self->counter);
    const uint64_t wanted = siphash(&self->session, receiver->bytes, covered);
    put64(tag, given);
    if (given != wanted) {
        return 0;
    }
    receiver->body_count -= PAIRING_TAG_BYTES;
    return 1;
}

int pairing_takes(pairing *self, frame_receiver *receiver) {
    const int is_taken = pairing_accepts(self, receiver);
    self->counter += (uint64_t)is_taken;
    return is_taken;
}

#else

int pairing_is_required(void) { return 0; }

void pairing_stir(pairing *self, uint32_t something) { (void)self, (void)something; }

int pairing_accepts(const pairing *self, frame_receiver *receiver) {
    (void)self, (void)receiver;
    return 1;
}

int pairing_takes(pairing *self, frame_receiver *receiver) {
    return pairing_accepts(self, receiver);
}

#endif
