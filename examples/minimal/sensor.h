/* What stands for a sensor: it draws a sign, shifted and with noise. */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdint.h>

/* Samples from here on are for tests. */
#define SENSOR_TEST 0x40000000u

/* Writes sample `number`, below 2^31, as the model reads it: int8 [8][8][1], real = stored / 128
 * (digits.h says so). Returns its label, 0 to 9. The same number gives the same sample. */
uint32_t sensor_read(uint32_t number, uint8_t *sample);

#endif
