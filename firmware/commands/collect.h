/* Collecting: the newest frames of the board's sensor, in a ring, until the host has asked for them
 * (PROTOCOL.md, "Collecting"). Firmware that was not built to collect has none of it. */
#ifndef TINYFLASH_COLLECT_H
#define TINYFLASH_COLLECT_H

#ifdef COLLECT_BYTES

/* Takes the frames that have become due. The main loop calls it whenever it has a moment. */
void collect_poll(void);

#else

static inline void collect_poll(void) {}

#endif

#endif
