/* A free-running clock from a CMSDK timer. */
#include "parts/cmsdk/cmsdk.h"

void cmsdk_start_timer(cmsdk_timer *timer) {
    timer->reload = 0xFFFFFFFFu;
    timer->value = 0xFFFFFFFFu;
    timer->control = 1;
}

uint32_t cmsdk_timer_ticks(const cmsdk_timer *timer) { return ~timer->value; }
