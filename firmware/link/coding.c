/* Lossless coding of samples on the line: Rice codes of prediction errors. */
#include "link/coding.h"

#include <string.h>

#include "protocol.h"

#define BLOCK_VALUES 64
#define LARGEST_PARAMETER 6

typedef struct bit_reader {
    const uint8_t *bytes;
    uint32_t bit, bits;
} bit_reader;

/* Returns zeros past the end; `bit` continues, so the caller can compare it with `bits`. */
static uint32_t read_bit(bit_reader *reader) {
    const uint32_t at = reader->bit++;
    return at < reader->bits ? (reader->bytes[at / 8] >> (at % 8)) & 1u : 0;
}

static uint32_t read_bits(bit_reader *reader, uint32_t count) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        value |= read_bit(reader) << i;
    }
    return value;
}

/* One bit for zero; any other value v is the Rice code of v - 1. Ends: read_bit is zero at last. */
static uint32_t read_value(bit_reader *reader, uint32_t parameter) {
    if (!read_bit(reader)) {
        return 0;
    }
    uint32_t quotient = 0;
    while (read_bit(reader)) {
        quotient++;
    }
    return (quotient << parameter) + read_bits(reader, parameter) + 1;
}

/* 0, 1, 2, 3, ... mean 0, -1, 1, -2, ... */
static uint8_t signed_error(uint32_t value) { return (uint8_t)((value >> 1) ^ (0u - (value & 1))); }

static uint8_t before(const uint8_t *sample, uint32_t at, uint32_t distance) {
    return at >= distance ? sample[at - distance] : 0;
}

static uint8_t predict(const uint8_t *sample, uint32_t at, uint32_t stride) {
    const uint8_t left = before(sample, at, 1);
    if (stride == 0) {
        return left;
    }
    return (uint8_t)(left + before(sample, at, stride) - before(sample, at, stride + 1));
}

int coding_decode(uint8_t *sample, const coding_range *range, const uint8_t *code, uint32_t size) {
    bit_reader reader = {code, 0, size * 8};
    uint32_t parameter = 0, sparse = 0;
    for (uint32_t i = 0; i < range->count; i++) {
        const uint32_t at = range->first + i;
        if (i % BLOCK_VALUES == 0) {
            parameter = read_bits(&reader, 3);
            sparse = read_bit(&reader);
        }
        const uint32_t value =
            sparse && at % range->group != 0 ? 0 : read_value(&reader, parameter);
        if (parameter > LARGEST_PARAMETER || value > UINT8_MAX || reader.bit > reader.bits) {
            return 0;
        }
        sample[at] = (uint8_t)(predict(sample, at, range->stride) + signed_error(value));
    }
    return reader.bits - reader.bit < 8;
}

int coding_place(uint8_t *sample, const coding_range *range, const uint8_t *data, uint32_t size) {
    if (range->group != PROTOCOL_RAW) {
        return coding_decode(sample, range, data, size);
    }
    if (range->count != size) {
        return 0;
    }
    memcpy(sample + range->first, data, size);
    return 1;
}
