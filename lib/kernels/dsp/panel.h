/* Updates of conv2d and of fully connected layers: sums over positions, for TINY_ROWS output channels at
 * a time.
 *
 * What one tap reads of four input channels at all positions, in pairs, is a *tile*. Tiles serve all
 * output channels, so they stay in scratch where there is room. The last place in scratch is shared by
 * those that have none of their own; these are paired anew for each group of output channels.
 */
#ifndef TINYFLASH_KERNELS_DSP_PANEL_H
#define TINYFLASH_KERNELS_DSP_PANEL_H

#include "gradient.h"
#include "steps.h"

/* Bytes of scratch, unless one tile needs more. The same as in compiler/kernels/dsp.py. */
#define TINY_PANEL_BYTES 4864u

/* A call of an update. */
typedef struct tiny_panel {
    const tiny_descent *descent;
    const int8_t *dy; /* [positions][out] */
    uint32_t positions, out, taps, kept;
    tiny_update update;
    int32_t spare;   /* bits of a sum */
    uint32_t pairs;  /* of positions */
    uint32_t tiles;  /* of a tap */
    uint32_t places; /* for tiles */
    uint32_t *rows;  /* [TINY_ROWS][pairs]: of dy */
    int32_t *sums;   /* [TINY_ROWS][taps][tiles][TINY_TILE] */
    uint32_t *x;     /* [places][pairs][TINY_TILE] */
} tiny_panel;

/* The shape of y, and of the trained weights. buffers: of an update. */
tiny_panel tiny_panel_begin(const tiny_descent *descent, uint32_t positions, uint32_t out,
                            uint32_t taps, uint32_t kept, void *const *buffers);

/* Pairs the gradients of the output channels from o on. Returns how many they are. */
uint32_t tiny_panel_pair(const tiny_panel *panel, uint32_t o);

/* Where a tile is; `paired`: whether it still is, for the output channels from o on. */
uint32_t *tiny_panel_tile(const tiny_panel *panel, uint32_t tile, uint32_t o, int *paired);

/* The sums of `count` output channels with tile number `tile`, which is at t. */
void tiny_panel_sum(const tiny_panel *panel, uint32_t tile, const uint32_t *t, uint32_t count);

/* Moves the weights of `count` output channels from o on, whose sums are complete. */
void tiny_panel_move(const tiny_panel *panel, uint32_t o, uint32_t count);

#endif
