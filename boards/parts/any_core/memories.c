/* Memories that are all on after a reset. */
#include "linker.h"

__attribute__((weak)) void board_start_memories(void) {}
