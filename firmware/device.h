/* A model that is reached over the link: what the commands act on. */
#ifndef TINYFLASH_DEVICE_H
#define TINYFLASH_DEVICE_H

#include "link.h"
#include "tinyflash/model.h"
#include "transfer.h"

/* Types of the frames that are not a reply (PROTOCOL.md, "Commands"). */
enum {
    LINK_HELLO = 1,
    LINK_SAMPLE = 2,
    LINK_INFER = 3,
    LINK_TRAIN = 4,
    LINK_COUNTERS = 5,
    LINK_READ = 6,
    LINK_RESTORE = 7,
    LINK_WRITE = 8,
    LINK_COMMIT = 9,
    LINK_RESET = 10,
    LINK_REPLY = 0x80, /* added to the type of the command */
    LINK_READY = 0xF0, /* the device has started */
    LINK_NAK = 0xF1,   /* a damaged frame came in */
    LINK_FAULT = 0xF2  /* the processor stopped */
};

/* First byte of every reply. */
typedef enum link_status {
    LINK_OK = 0,
    LINK_BAD_COMMAND = 1,
    LINK_BAD_LENGTH = 2,
    LINK_BAD_RANGE = 3,    /* a place, space or offset that is not the next, or beyond the end */
    LINK_BAD_CODE = 4,     /* a coded sample that does not decode */
    LINK_NO_SAMPLE = 5,    /* the sample is not complete, or was meant for the other table */
    LINK_NO_OUTPUT = 6,    /* the output was overwritten since */
    LINK_OTHER_MODEL = 7,  /* the hash is not that of the model on the device */
    LINK_HALF_WRITTEN = 8, /* a restore has begun and not been committed */
    LINK_BAD_CHECKSUM = 9, /* the bytes restored are not those the host meant */
    LINK_BAD_STATE = 10,   /* the bytes restored are no state of this model */
    LINK_BAD_LABEL = 11,
    LINK_BAD_RATE = 12,
    LINK_NO_TRAINING = 13
} link_status;

#define PROTOCOL_VERSION 1

/* Spaces a transfer can name; the values of tiny_space where they coincide. */
enum { SPACE_WEIGHTS = 1, SPACE_STATE = 2, SPACE_OUTPUT = 3 };

typedef struct device {
    tiny_session session;
    const char *model_name;
    transfer sample;     /* into the input of the table that it is meant for */
    transfer weights;    /* of the restore under way */
    transfer state;      /* of the restore under way */
    uint8_t restoring;   /* bit n: space n is being restored and must not be used */
    const uint8_t *output; /* null: there is none, or it was overwritten */
    link_receiver receiver;
    link_frame reply;
    uint32_t reply_count;  /* bytes of its body */
    uint32_t last_crc;     /* of the frame that was answered last, */
    uint8_t last_sequence; /* so that its repetition is not executed twice */
    uint8_t has_answered;
} device;

/* Binds the model to memory and says LINK_READY. */
tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory);

/* Feeds one byte off the wire: executes and answers the command that it completes, if any. */
void device_feed(device *self, uint8_t byte);

/* Appends to the body of the reply. The caller has seen to it that there is room. */
void device_put8(device *self, uint8_t value);
void device_put16(device *self, uint16_t value);
void device_put32(device *self, uint32_t value);
void device_put_bytes(device *self, const uint8_t *bytes, uint32_t count);

/* Room left in the body of the reply. */
uint32_t device_room(const device *self);

#endif
