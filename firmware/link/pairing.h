/* The pairing of a device with hosts that have its key (PROTOCOL.md, "Pairing"). Firmware that was
 * built without a key takes every frame. */
#ifndef TINYFLASH_PAIRING_H
#define TINYFLASH_PAIRING_H

#include "link/frames.h"
#include "link/siphash.h"

#define PAIRING_TAG_BYTES 8

/* All-zero before the first pairing. */
typedef struct pairing {
    siphash_key session; /* of the nonce that the host has got */
    uint64_t nonce;
    uint64_t counter; /* commands that were taken since */
    uint8_t is_open;  /* a host has got a nonce */
} pairing;

/* Whether the firmware has a key. */
int pairing_is_required(void);

/* Makes the next nonce depend on what nobody else knows exactly, such as the time of a frame. */
void pairing_stir(pairing *self, uint32_t something);

/* Returns a new nonce. Only frames made for it are taken from now on. Boards with a key only. */
uint64_t pairing_open(pairing *self);

/* Whether the frame in the receiver ends in its tag for the current counter. If so, the tag is no
 * longer part of its body. */
int pairing_accepts(const pairing *self, frame_receiver *receiver);

/* The same for a command, each of which is taken once. */
int pairing_takes(pairing *self, frame_receiver *receiver);

#endif
