/* The numbers of PROTOCOL.md: types of frames, status of replies, spaces. */
#ifndef TINYFLASH_PROTOCOL_H
#define TINYFLASH_PROTOCOL_H

#define PROTOCOL_VERSION 3

typedef enum protocol_type {
    PROTOCOL_HELLO = 1,
    PROTOCOL_SAMPLE = 2,
    PROTOCOL_INFER = 3,
    PROTOCOL_TRAIN = 4,
    PROTOCOL_COUNTERS = 5,
    PROTOCOL_READ = 6,
    PROTOCOL_RESTORE = 7,
    PROTOCOL_WRITE = 8,
    PROTOCOL_COMMIT = 9,
    PROTOCOL_RESET = 10,
    PROTOCOL_SCHEDULE = 11,
    PROTOCOL_GUARD = 12,
    PROTOCOL_ROWS = 13, /* a reply to WANT */
    PROTOCOL_SAVE = 14,
    PROTOCOL_LOAD = 15,
    PROTOCOL_FACTORY = 16,
    PROTOCOL_PAIR = 17,
    PROTOCOL_RATES = 18,
    PROTOCOL_RATE = 19,
    PROTOCOL_ECHO = 20,
    PROTOCOL_COLLECT = 21,
    PROTOCOL_REPLAY = 22,
    PROTOCOL_NORMAL = 23,
    PROTOCOL_LAST_COMMAND = 0x6F,
    PROTOCOL_REPLY = 0x80,   /* added to the type of the command */
    PROTOCOL_READY = 0xF0,   /* the device has started */
    PROTOCOL_NAK = 0xF1,     /* a damaged frame came in */
    PROTOCOL_FAULT = 0xF2,   /* the processor stopped */
    PROTOCOL_REFUSAL = 0xF3, /* the firmware will not run */
    PROTOCOL_WANT = 0xF4     /* rows of the sample that the running command works on */
} protocol_type;

/* First byte of the body of every reply. */
typedef enum protocol_status {
    PROTOCOL_OK = 0,
    PROTOCOL_BAD_COMMAND = 1,
    PROTOCOL_BAD_LENGTH = 2,
    PROTOCOL_BAD_RANGE = 3,    /* not where the last piece ended, or beyond the end */
    PROTOCOL_BAD_CODE = 4,     /* a coded sample that cannot be decoded */
    PROTOCOL_NO_SAMPLE = 5,    /* the sample is not complete, or was sent for the other table */
    PROTOCOL_NO_OUTPUT = 6,    /* no inference has run, or its output is overwritten */
    PROTOCOL_OTHER_MODEL = 7,  /* the hash is not that of the model on the device */
    PROTOCOL_HALF_WRITTEN = 8, /* a restore has begun and is not committed */
    PROTOCOL_BAD_CHECKSUM = 9, /* the restored bytes are not those the host sent */
    PROTOCOL_BAD_STATE = 10,   /* the restored state or weights do not fit this model */
    PROTOCOL_BAD_LABEL = 11,
    PROTOCOL_BAD_RATE = 12,
    PROTOCOL_NO_TRAINING = 13,    /* the model was compiled only for inference */
    PROTOCOL_NO_RATE = 14,        /* TRAIN without a rate and without a schedule */
    PROTOCOL_BAD_SCHEDULE = 15,   /* a field is out of range */
    PROTOCOL_NO_GUARD = 16,       /* no room for another held-out sample, or for any */
    PROTOCOL_BAD_GUARD = 17,      /* the guard cannot evaluate these samples or outputs */
    PROTOCOL_NOT_GUARDING = 18,   /* no guard is running, or the weights were replaced since */
    PROTOCOL_NO_ROWS = 19,        /* the host did not send the requested rows */
    PROTOCOL_NO_STORE = 20,       /* the board has no flash for it, or too little */
    PROTOCOL_BAD_FLASH = 21,      /* it cannot be read, or does not keep what is written */
    PROTOCOL_NOT_PAIRED = 22,     /* the frame has no tag of this session */
    PROTOCOL_NO_SENSOR = 23,      /* the board has none, or no room for one of its frames */
    PROTOCOL_NOT_COLLECTING = 24, /* no run, or another one than the host names */
    PROTOCOL_NO_REPLAY = 25,      /* no room for a replay buffer, or a model that cannot have one */
    PROTOCOL_NO_THRESHOLD = 26    /* so few scores are held that none has this rank */
} protocol_status;

/* Purposes of a sample. */
enum { PROTOCOL_FOR_INFER = 0, PROTOCOL_FOR_TRAIN = 1, PROTOCOL_TARGET = 2, PROTOCOL_HELD_OUT = 3 };

/* Actions of GUARD. */
enum {
    PROTOCOL_GUARD_TELL = 0,
    PROTOCOL_GUARD_CLEAR = 1,
    PROTOCOL_GUARD_HOLD = 2,
    PROTOCOL_GUARD_BEGIN = 3,
    PROTOCOL_GUARD_FINISH = 4,
    PROTOCOL_GUARD_RESUME = 5
};

/* Actions of COLLECT. */
enum {
    PROTOCOL_COLLECT_DESCRIBE = 0,
    PROTOCOL_COLLECT_START = 1,
    PROTOCOL_COLLECT_STOP = 2,
    PROTOCOL_COLLECT_STREAM = 3,
    PROTOCOL_COLLECT_FRONT_END = 4
};

/* Actions of REPLAY. */
enum { PROTOCOL_REPLAY_TELL = 0, PROTOCOL_REPLAY_START = 1, PROTOCOL_REPLAY_STOP = 2 };

/* Actions of NORMAL. */
enum {
    PROTOCOL_NORMAL_TELL = 0,
    PROTOCOL_NORMAL_CLEAR = 1,
    PROTOCOL_NORMAL_SCORE = 2,
    PROTOCOL_NORMAL_HOLD = 3,
    PROTOCOL_NORMAL_SET = 4,
    PROTOCOL_NORMAL_RESUME = 5
};

/* Instead of the group of a code: raw bytes. */
#define PROTOCOL_RAW 0

/* Memory that READ can name, WRITE except for the output. A set of spaces has bit n for space n. */
enum {
    PROTOCOL_WEIGHTS = 1,
    PROTOCOL_STATE = 2,
    PROTOCOL_OUTPUT = 3,
    PROTOCOL_SNAPSHOT = 4,
    PROTOCOL_REPLAYED = 5
};

/* Bits of INFO's flags. */
enum {
    PROTOCOL_FLAG_TRAINS = 1,
    PROTOCOL_FLAG_HALF_WRITTEN = 2,
    PROTOCOL_FLAG_STORES = 4,
    PROTOCOL_FLAG_PAIRED = 8
};

#endif
