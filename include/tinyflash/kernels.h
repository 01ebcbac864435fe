/* The kernels: int8 forward, int8 input gradient, in-place update. One header per file of a kernel
 * set, with the same name: conv2d.h declares what lib/kernels/ref/conv2d.c defines.
 *
 * A kernel gets a record of constants (`op`), which the compiler makes, and pointers. It cannot
 * fail: the compiler has proved its arguments (lib/SPEC.md 10). A contract cites rules of that page
 * as SPEC n.m.
 *
 * Names.   x input, w weight, b bias, y output; dx is the gradient of x. Shapes are in brackets.
 *          Maps are [height][width][channels], batch 1.
 * Overlap. No two arguments overlap, except as the contract or the rule of order below allows.
 * Stored.  An input gradient is rounded to nearest, ties to even, saturates at +-127, and its
 *          scale counts that (SPEC 1.3, 4.3). Its contract says "stored".
 * Moved.   A weight is rounded stochastically, by rate, step and seed of the state, and saturates
 *          at +-127, which the state counts (SPEC 6). Its contract says "moved".
 * Scratch. kernels/ref has none: a kernel keeps its sums on the stack, at most 32 of them. A kernel of
 *          another set may get a part of the arena for the time of a call, aligned to 4 bytes, of
 *          unknown content: buffer TINY_SCRATCH. tests/budgets.csv limits the code and the stack of
 *          each file.
 * Cost.    Counted in multiply-adds for a whole map, taps in the padding included.
 *
 * Rows. A kernel that takes a band computes those rows of the map y; the calls for a whole map may
 * cut it anywhere. Of a map that is consumed while it is being made, memory may hold a ring of its
 * last rows: row r is at r mod ring. A whole map has a ring of all its rows. Backward and update
 * kernels work on whole maps.
 *
 * Order. Every kernel, input gradients included, computes the rows of y or dx in ascending order,
 * and writes nothing outside the rows that it is called for. So y may overlap x where row r of y
 * covers no row of x that row r of y, or a later one, reads. The planner proves it.
 *
 * Exponents. A kernel reads the exponents of dy and dx and never sets them, except the losses.
 * Whoever calls it gives dx its exponent before, by tiny_follow (train.h); lib/bridge.c does so.
 */
#ifndef TINYFLASH_KERNELS_H
#define TINYFLASH_KERNELS_H

#include "tinyflash/kernels/add.h"
#include "tinyflash/kernels/arguments.h"
#include "tinyflash/kernels/bias.h"
#include "tinyflash/kernels/conv2d.h"
#include "tinyflash/kernels/depthwise.h"
#include "tinyflash/kernels/fisher.h"
#include "tinyflash/kernels/fully_connected.h"
#include "tinyflash/kernels/loss.h"
#include "tinyflash/kernels/minimum.h"
#include "tinyflash/kernels/move.h"
#include "tinyflash/kernels/mul.h"
#include "tinyflash/kernels/pool.h"
#include "tinyflash/kernels/prelu.h"
#include "tinyflash/kernels/softmax.h"
#include "tinyflash/kernels/take.h"
#include "tinyflash/kernels/train.h"

#endif
