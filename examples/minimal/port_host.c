/* A computer: standard output, and the file learned.bin in the current folder. */
#include <stdio.h>

#include "port.h"

#define SAVED "learned.bin"
#define UNFINISHED "learned.tmp" /* becomes SAVED when it is complete */

static FILE *file;
static port_mode opened_to;
static int failed; /* to write */

void port_print(const char *text) { (void)fputs(text, stdout); }

void port_print_number(const char *text, uint32_t number) {
    (void)printf("%s%lu\n", text, (unsigned long)number);
}

int port_open(port_mode mode) {
    opened_to = mode;
    failed = 0;
    file = mode == PORT_READ ? fopen(SAVED, "rb") : fopen(UNFINISHED, "wb");
    return file != NULL;
}

int port_read(void *to, uint32_t count) { return fread(to, 1, count, file) == count; }

int port_write(const void *from, uint32_t count) {
    failed = failed || fwrite(from, 1, count, file) != count;
    return !failed;
}

int port_close(void) {
    const int closed = fclose(file) == 0 && !failed;
    return closed && (opened_to == PORT_READ || rename(UNFINISHED, SAVED) == 0);
}
