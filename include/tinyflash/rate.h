/* Learning rates as constants: the compiler converts them, so no floating point is left at run
 * time. */
#ifndef TINYFLASH_RATE_H
#define TINYFLASH_RATE_H

#include "tinyflash/model.h"

/* An initialiser of a tiny_factor, rounded as the host does it (SPEC 1.4):
 *
 *     static const tiny_factor rate = TINY_RATE(0.03);
 *
 *   rate  a constant, 0 or in [2^-32, 2^16); tiny_train refuses what another one gives
 *
 * As an argument of a function, C++ takes it as it is, and C (tiny_factor)TINY_RATE(0.03). */
#define TINY_RATE(rate) {TINY_RATE_MANTISSA_(rate), TINY_RATE_EXPONENT_(rate)}

/* ---- For TINY_RATE alone ---- */

/* Steps towards [2^15, 2^16): first to [1, 2^16), by 2^12, 2^8 or 2^4 to [2^12, 2^16), then on. */
#define TINY_RATE_FAR_(r) ((r) < 1.0 / 65536 ? 32 : (r) < 1.0 ? 16 : 0)
#define TINY_RATE_NEAR_(r) ((r) < 16.0 ? 12 : (r) < 256.0 ? 8 : (r) < 4096.0 ? 4 : 0)
#define TINY_RATE_LAST_(r) ((r) < 8192.0 ? 3 : (r) < 16384.0 ? 2 : (r) < 32768.0 ? 1 : 0)
#define TINY_RATE_TIMES_(r, power) ((r) * (1.0 * (UINT64_C(1) << (power))))
#define TINY_RATE_A_(r) TINY_RATE_TIMES_(r, TINY_RATE_FAR_(r))
#define TINY_RATE_B_(r) TINY_RATE_TIMES_(r, TINY_RATE_NEAR_(r))
#define TINY_RATE_C_(r) TINY_RATE_TIMES_(r, TINY_RATE_LAST_(r))
#define TINY_RATE_SCALED_(r) TINY_RATE_C_(TINY_RATE_B_(TINY_RATE_A_(r)))
#define TINY_RATE_SHIFT_(r)                                 \
    (TINY_RATE_FAR_(r) + TINY_RATE_NEAR_(TINY_RATE_A_(r)) + \
     TINY_RATE_LAST_(TINY_RATE_B_(TINY_RATE_A_(r))))

/* To nearest, ties to even; 2^16 is 2^15 with the next exponent. */
#define TINY_RATE_HALF_UP_(scaled) ((uint32_t)((scaled) + 0.5))
#define TINY_RATE_NEAREST_(scaled) \
    (TINY_RATE_HALF_UP_(scaled) -  \
     (TINY_RATE_HALF_UP_(scaled) == (scaled) + 0.5 ? TINY_RATE_HALF_UP_(scaled) & 1u : 0u))
#define TINY_RATE_ROUNDED_(r) TINY_RATE_NEAREST_(TINY_RATE_SCALED_(r))
#define TINY_RATE_IS_IN_RANGE_(r) ((r) >= 1.0 / 4294967296.0 && (r) < 65536.0)

/* Beyond the range, a mantissa of 1, which is not normalised. */
#define TINY_RATE_MANTISSA_(r)                                                          \
    (TINY_RATE_IS_IN_RANGE_(r) ? TINY_RATE_ROUNDED_(r) >> (TINY_RATE_ROUNDED_(r) >> 16) \
                               : ((r) == 0.0 ? 0u : 1u))
#define TINY_RATE_EXPONENT_(r) \
    (TINY_RATE_IS_IN_RANGE_(r) ? (int)(TINY_RATE_ROUNDED_(r) >> 16) - TINY_RATE_SHIFT_(r) : 0)

#endif
