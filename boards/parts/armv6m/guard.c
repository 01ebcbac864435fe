/* The stack of an Armv6-M core without a memory protection unit has no guard but the end of its region:
 * an overflow there meets no data. The build proves that the reserve is enough. */
#include "parts/cortex_m/cortex_m.h"

void cortex_m_arm_guard(void) {}
