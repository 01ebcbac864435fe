/* Stands in for Arduino: a serial line that is standard output, and what calls a sketch. */
#include <stdint.h>
#include <stdio.h>

#define HEX 16
void setup();
void loop();

static struct {
    void begin(long rate) { (void)rate; }
    void println(const char *text) { printf("%s\n", text); }
    void println(unsigned long value, int base) { printf(base == HEX ? "%lX\n" : "%lu\n", value); }
} Serial;

int main() {
    setup();
    loop();
}
