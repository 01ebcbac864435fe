/* A spectrogram of sound or vibration, in whole numbers: what a network reads in place of samples
 * (SPEC 14). The caller supplies all memory. Firmware that does not call it links none of it.
 *
 * spectrogram_header of tinyflash/write/spectrogram.py writes the tables, as a header. The same numbers
 * come out on every computer and board.
 */
#ifndef TINYFLASH_SPECTROGRAM_H
#define TINYFLASH_SPECTROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tables of one kind of spectrogram. */
typedef struct tiny_spectrogram {
    uint16_t window, hop;    /* samples: that a frame is of, and from one frame to the next */
    uint16_t bands;          /* features of a frame */
    uint16_t transform_log2; /* p of SPEC 14, 5 to 11 */
    const int16_t *taper;    /* h of 14.1: [window] */
    const int32_t *cosines;  /* c of 14.2: [2^p / 4 + 1] */
    const uint16_t *edges;   /* 14.4: [bands + 2] */
    const uint16_t *shares;  /* 14.4, from bin edges[0] on: [edges[bands + 1] - edges[0]] */
} tiny_spectrogram;

/* int32 numbers that tiny_spectrogram_run works in: 2^p. */
uint32_t tiny_spectrogram_work(const tiny_spectrogram *self);

/* Makes a frame, `features` [bands], of `samples` [window] (SPEC 14.1 to 14.5). work: [2^p]. */
void tiny_spectrogram_run(const tiny_spectrogram *self, const int16_t *samples, int32_t *work,
                          int16_t *features);

/* Turns features into the int8 input of a network (SPEC 14.6). */
void tiny_spectrogram_encode(const int16_t *features, uint32_t count, int32_t multiplier,
                             int32_t shift, int32_t zero, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
