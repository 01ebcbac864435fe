/* Everything a sketch needs; the Arduino builder finds the library by this name. */
#ifndef TINYFLASH_ARDUINO_H
#define TINYFLASH_ARDUINO_H

#include "tinyflash/tinyflash.h"

#endif
