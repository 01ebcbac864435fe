/* Draws signs of 5 x 7 dots. */
#include "sensor.h"

#define WIDTH 5u
#define HEIGHT 7u
#define SIDE 8u /* of the sample */
#define SIGNS 10u

/* Rows from top to bottom; the leftmost dot is bit 4. */
static const uint8_t signs[SIGNS][HEIGHT] = {
    {0x04, 0x04, 0x04, 0x1F, 0x04, 0x04, 0x04}, /* plus */
    {0x11, 0x0A, 0x0A, 0x04, 0x0A, 0x0A, 0x11}, /* cross */
    {0x1F, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1F}, /* box */
    {0x04, 0x0E, 0x15, 0x04, 0x04, 0x04, 0x04}, /* arrow up */
    {0x04, 0x04, 0x04, 0x04, 0x15, 0x0E, 0x04}, /* arrow down */
    {0x01, 0x02, 0x02, 0x04, 0x08, 0x08, 0x10}, /* slash */
    {0x00, 0x1F, 0x00, 0x00, 0x00, 0x1F, 0x00}, /* equals */
    {0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}, /* T */
    {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F}, /* L */
    {0x00, 0x00, 0x0E, 0x0E, 0x0E, 0x00, 0x00}, /* dot */
};

/* Scrambles the bits of a number (the finalizer of MurmurHash3). */
static uint32_t scrambled(uint32_t bits) {
    bits = (bits ^ (bits >> 16)) * 0x85EBCA6Bu;
    bits = (bits ^ (bits >> 13)) * 0xC2B2AE35u;
    return bits ^ (bits >> 16);
}

uint32_t sensor_read(uint32_t number, uint8_t *sample) {
    const uint32_t label = scrambled(2 * number) % SIGNS;
    uint32_t bits = scrambled(2 * number + 1);
    const uint32_t left = bits % (SIDE - WIDTH + 1), top = (bits >> 8) % (SIDE - HEIGHT + 1);
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            const uint32_t row = y - top, column = x - left; /* outside: large */
            const uint32_t dot = row < HEIGHT && column < WIDTH
                                     ? (uint32_t)signs[label][row] >> (WIDTH - 1 - column) & 1u
                                     : 0;
            bits = scrambled(bits);
            *sample++ = (uint8_t)(dot * 103 + bits % 25); /* 0 to 127: real 0 to 1 */
        }
    }
    return label;
}
