/* board_ticks of an Armv7-M or Armv8-M core with the mainline extension: one tick is one cycle. */
#ifndef TINYFLASH_CYCLE_COUNTER_H
#define TINYFLASH_CYCLE_COUNTER_H

void cycle_counter_start(void);

#endif
