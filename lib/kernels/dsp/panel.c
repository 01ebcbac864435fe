/* Updates of conv2d and of fully connected layers; see panel.h. */
#include "panel.h"
#include "../../buffers.h"

#include "tinyflash/ops.h"

/* How many of `all` tiles, each of so many words, have a place behind `used` words. */
static uint32_t places_behind(uint32_t used, uint32_t words, uint32_t all) {
    const uint32_t limit = TINY_PANEL_BYTES / 4, fit = used < limit ? (limit - used) / words : 0;
    return fit == 0 ? 1 : (fit < all ? fit : all);
}

tiny_panel tiny_panel_begin(const tiny_descent *descent, uint32_t positions, uint32_t out,
                            uint32_t taps, uint32_t kept, void *const *buffers) {
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    const uint32_t pairs = (positions + 1) / 2, tiles = tiny_quads(kept), all = taps * tiles;
    const uint32_t used = TINY_ROWS * (pairs + all * TINY_TILE);
    uint32_t *scratch = buffers[TINY_SCRATCH];
    const tiny_panel panel = {
        .descent = descent,
        .dy = dy.d,
        .positions = positions,
        .out = out,
        .taps = taps,
        .kept = kept,
        .update = tiny_begin_update(descent, &dy, &w, buffers[4]),
        .spare = tiny_spare_bits(positions),
        .pairs = pairs,
        .tiles = tiles,
        .places = places_behind(used, pairs * TINY_TILE, all),
        .rows = scratch,
        .sums = (int32_t *)scratch + TINY_ROWS * pairs,
        .x = scratch + used,
    };
    return panel;
}

uint32_t tiny_panel_pair(const tiny_panel *panel, uint32_t o) {
    const uint32_t left = panel->out - o, count = left < TINY_ROWS ? left : TINY_ROWS;
    const tiny_places places = {panel->pairs, 1};
    for (uint32_t i = 0; i < count; i += TINY_COLUMNS) {
        tiny_pair_rows(panel->dy + o + i, panel->positions, panel->out, left - i, 0,
                       panel->rows + i * panel->pairs, places);
    }
    return count;
}

uint32_t *tiny_panel_tile(const tiny_panel *panel, uint32_t tile, uint32_t o, int *paired) {
    const uint32_t last = panel->places - 1, place = tile < last ? tile : last;
    *paired = o && (tile < last || panel->places == panel->taps * panel->tiles);
    return panel->x + place * panel->pairs * TINY_TILE;
}

void tiny_panel_sum(const tiny_panel *panel, uint32_t tile, const uint32_t *t, uint32_t count) {
    tiny_gradient_sums(t, panel->rows, panel->pairs, count, panel->sums + tile * TINY_TILE,
                       panel->taps * panel->tiles * TINY_TILE);
}

/* Output channel o. */
static void move_row(const tiny_panel *panel, uint32_t o, const int32_t *sums) {
    const uint32_t kept = panel->kept;
    tiny_row row = tiny_begin_row(&panel->update, &panel->descent->rate[o], o);
    uint32_t next = o * panel->taps * kept;
    for (uint32_t tap = 0; tap < panel->taps && row.moves; tap++, next += kept) {
        const tiny_sums own = {sums, 1, panel->spare};
        tiny_update_row(&panel->update, &row, next, &own, kept);
        sums += panel->tiles * TINY_TILE;
    }
}

void tiny_panel_move(const tiny_panel *panel, uint32_t o, uint32_t count) {
    const int32_t *sums = panel->sums;
    for (uint32_t i = 0; i < count; i++) {
        move_row(panel, o + i, sums);
        sums += panel->taps * panel->tiles * TINY_TILE;
    }
}
