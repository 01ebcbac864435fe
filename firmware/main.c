/* The firmware: a model in its memory, reached over the serial line. */
#include "board.h"
#include "commands/commands.h"
#include "model.h"

#ifndef MODEL /* boards/named.py defines it for a model of another name */
#define MODEL model
#endif

/* Units of 8 bytes align every type. One unit more, since a model may need 0 bytes of a space. */
#define UNITS(bytes) ((bytes) / 8 + 1)

/* The state has at least its head. */
typedef char state_is_large_enough[MODEL_STATE_BYTES >= sizeof(tiny_state) ? 1 : -1];

static uint64_t weights[UNITS(MODEL_WEIGHTS_BYTES)];
static uint64_t state[UNITS(MODEL_STATE_BYTES)];
static uint64_t arena[UNITS(MODEL_ARENA_BYTES)];
static device self;

#define EXIT_REFUSED 71

/* Tells the host before the board exits: exception, status, address, pc, stack broken; each 32. */
void board_on_fault(const board_fault *fault) {
    uint8_t frame[FRAME_HEADER_BYTES + 20 + FRAME_CRC_BYTES] = {PROTOCOL_FAULT, 0};
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    frame_put32(body, fault->exception);
    frame_put32(body + 4, fault->status);
    frame_put32(body + 8, fault->address);
    frame_put32(body + 12, fault->pc);
    frame_put32(body + 16, fault->stack_broken);
    frame_send(frame, FRAME_HEADER_BYTES + 20);
}

/* Refuses to run on a stack that is too small or with missing memory: tells the host, and ends.
 * needed, there: bytes of stack; both 0: the model's memory is missing. */
static void refuse(uint32_t needed, uint32_t there) {
    uint8_t frame[FRAME_HEADER_BYTES + 8 + FRAME_CRC_BYTES] = {PROTOCOL_REFUSAL, 0};
    frame_put32(frame + FRAME_HEADER_BYTES, needed);
    frame_put32(frame + FRAME_HEADER_BYTES + 4, there);
    frame_send(frame, FRAME_HEADER_BYTES + 8);
    board_exit(EXIT_REFUSED);
}

int main(void) {
    const tiny_memory memory = {
        .weights = (uint8_t *)weights,
        .state = (uint8_t *)state,
        .arena = (uint8_t *)arena,
        .weights_bytes = sizeof weights,
        .state_bytes = sizeof state,
        .arena_bytes = sizeof arena,
    };
    board_init();
    if (board_stack_bytes() < board_stack_needed()) {
        refuse(board_stack_needed(), board_stack_bytes());
    }
    if (device_start(&self, &MODEL, MODEL_NAME, &memory) != TINY_OK) {
        refuse(0, 0);
    }
    for (;;) {
        collect_poll(&self);
        const int byte = board_uart_read();
        commands_feed(&self, byte);
        if (byte < 0) {
            board_idle();
        }
    }
}
