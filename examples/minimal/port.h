/* What the example needs of a machine: a line of text, and a place that outlasts a reset.
 *
 * port_host.c is for a computer, bare/port.c for an emulated microcontroller. On a board of your own,
 * print to a serial line, and save to a page of flash. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

typedef enum port_mode { PORT_READ = 0, PORT_WRITE = 1 } port_mode;

void port_print(const char *text);
void port_print_number(const char *text, uint32_t number);

/* The saved bytes, from their beginning to their end. All return 0 if they fail. */
int port_open(port_mode mode);
int port_read(void *to, uint32_t count);
int port_write(const void *from, uint32_t count);
int port_close(void);

#endif
