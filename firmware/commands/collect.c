/* The command of collecting, and its ring of frames. */
#include "commands/collect.h"

#include "commands/commands.h"

#ifdef COLLECT_BYTES

#include <stddef.h>

#include "board.h"
#include "sensor.h"

#define STREAM_HEAD 24 /* bytes of a reply to STREAM before its numbers */
#define RING_NUMBERS (COLLECT_BYTES / sizeof(int16_t))

/* Frames have numbers from 0 on. Frame n is in place n % room. */
typedef struct collecting {
    const board_sensor *sensor; /* null: none was found, or none was looked for yet */
    uint32_t frame_numbers;     /* int16 numbers of a frame */
    uint32_t room;              /* frames that the ring has room for */
    uint32_t run;               /* changes at every START; 0: none since the board's start */
    uint32_t next;              /* the number of the next frame */
    uint32_t acknowledged;      /* the host has kept the frames before this one */
    uint32_t lost;              /* frames that were replaced before the host asked for them */
    uint32_t reported;          /* frames before this one are in `lost`, if they were */
    uint32_t last;              /* board_ticks() when the clock below was set */
    uint64_t clock;             /* ticks since START */
    uint64_t stamp;             /* of the frame before `next`: the clock when it came */
    uint8_t is_running;
    uint8_t has_looked;
} collecting;

static int16_t ring[RING_NUMBERS];
static collecting collected;

static uint32_t oldest(void) {
    return collected.next < collected.room ? 0 : collected.next - collected.room;
}

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static void look(void) {
    if (collected.has_looked) {
        return;
    }
    collected.has_looked = 1;
    collected.sensor = board_sensor_find();
    if (collected.sensor != NULL) {
        const uint32_t pixels = collected.sensor->rows
                                    ? (uint32_t)collected.sensor->rows * collected.sensor->columns
                                    : 1;
        collected.frame_numbers = pixels * collected.sensor->channels;
        collected.room = RING_NUMBERS / collected.frame_numbers;
    }
}

static void tell_time(void) {
    const uint32_t now = board_ticks();
    collected.clock += now - collected.last;
    collected.last = now;
}

/* Takes frames up to the end of the ring. Returns whether there may be more. */
static int take(void) {
    const uint32_t place = collected.next % collected.room;
    const uint32_t most = least(collected.room - place, UINT32_MAX - collected.next);
    const uint32_t count = board_sensor_read(ring + place * collected.frame_numbers, most);
    if (count > 0) {
        collected.next += count;
        collected.stamp = collected.clock;
    }
    return count == most && most > 0;
}

void collect_poll(void) {
    if (collected.is_running) {
        tell_time();
        while (take()) {
        }
    }
}

static void put64(reply *to, uint64_t value) {
    reply_put32(to, (uint32_t)value);
    reply_put32(to, (uint32_t)(value >> 32));
}

static protocol_status describe(reply *to, const uint8_t *body) {
    const board_sensor *sensor = collected.sensor;
    (void)body;
    reply_put8(to, collected.is_running);
    const uint32_t numbers[] = {
        collected.run,   collected.next,         collected.acknowledged, collected.lost,
        collected.room,  board_ticks_per_second, sensor->millihertz,     sensor->rows,
        sensor->columns, sensor->channels,       sensor->scale[0],       sensor->scale[1],
        sensor->length,
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        reply_put32(to, numbers[i]);
    }
    reply_put_text(to, sensor->name);
    reply_put_text(to, sensor->names);
    reply_put_text(to, sensor->units);
    return PROTOCOL_OK;
}

static uint32_t next_run(void) {
    const uint32_t run = collected.run ? collected.run + 1 : board_seed();
    return run ? run : 1;
}

static protocol_status start(reply *to, const uint8_t *body) {
    if (collected.room == 0) {
        return PROTOCOL_NO_SENSOR;
    }
    collected.run = next_run();
    collected.next = collected.acknowledged = collected.lost = collected.reported = 0;
    collected.clock = collected.stamp = 0;
    collected.last = board_ticks();
    board_sensor_start();
    collected.is_running = 1;
    return describe(to, body);
}

/* The ring keeps its frames for the host. */
static protocol_status stop(reply *to, const uint8_t *body) {
    collect_poll();
    collected.is_running = 0;
    return describe(to, body);
}

/* Counts the frames from `wanted` on that are no longer in the ring, each once. */
static void count_lost(uint32_t wanted) {
    const uint32_t from = wanted > collected.reported ? wanted : collected.reported;
    if (from < oldest()) {
        collected.lost += oldest() - from;
        collected.reported = oldest();
    }
}

/* Appends numbers of frame `first`, from number `offset` of it on: whole frames if one fits. */
static void put_frames(reply *to, uint32_t first, uint32_t offset) {
    const uint32_t room = reply_room(to) / sizeof(int16_t);
    const uint32_t each = collected.frame_numbers;
    uint32_t numbers = each <= room ? room - room % each : least(room, each - offset);
    for (uint32_t n = first; n != collected.next && numbers > 0; n++, offset = 0) {
        const int16_t *frame = ring + (n % collected.room) * each + offset;
        const uint32_t count = least(each - offset, numbers);
        for (uint32_t i = 0; i < count; i++) {
            reply_put16(to, (uint16_t)frame[i]);
        }
        numbers -= count;
    }
}

/* body: run 32, acknowledged 32, wanted 32, offset 32.
 * Reply: first 32, offset 32, next 32, lost 32, stamp 64, numbers 16 each. */
static protocol_status stream(reply *to, const uint8_t *body) {
    const uint32_t acknowledged = frame_get32(body + 4), wanted = frame_get32(body + 8);
    uint32_t offset = frame_get32(body + 12);
    if (collected.run == 0 || frame_get32(body) != collected.run) {
        return PROTOCOL_NOT_COLLECTING;
    }
    collect_poll();
    if (acknowledged > wanted || wanted > collected.next || acknowledged < collected.acknowledged ||
        offset >= collected.frame_numbers) {
        return PROTOCOL_BAD_RANGE;
    }
    count_lost(wanted);
    collected.acknowledged = acknowledged;
    const uint32_t first = wanted < oldest() ? oldest() : wanted;
    if (first != wanted || collected.frame_numbers * sizeof(int16_t) <= reply_room(to) - STREAM_HEAD) {
        offset = 0;
    }
    const uint32_t numbers[] = {first, offset, collected.next, collected.lost};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        reply_put32(to, numbers[i]);
    }
    put64(to, collected.stamp);
    put_frames(to, first, offset);
    return PROTOCOL_OK;
}

typedef struct collect_action {
    uint32_t body_bytes; /* after the action */
    protocol_status (*run)(reply *to, const uint8_t *body);
} collect_action;

static const collect_action collect_actions[] = {
    [PROTOCOL_COLLECT_DESCRIBE] = {0, describe},
    [PROTOCOL_COLLECT_START] = {0, start},
    [PROTOCOL_COLLECT_STOP] = {0, stop},
    [PROTOCOL_COLLECT_STREAM] = {16, stream},
};

/* body: action 8, then its arguments. */
protocol_status command_collect(device *self, const uint8_t *body, uint32_t count) {
    if (body[0] >= sizeof collect_actions / sizeof collect_actions[0]) {
        return PROTOCOL_BAD_RANGE;
    }
    const collect_action *action = &collect_actions[body[0]];
    if (count != 1 + action->body_bytes) {
        return PROTOCOL_BAD_LENGTH;
    }
    look();
    return collected.sensor == NULL ? PROTOCOL_NO_SENSOR : action->run(&self->link.reply, body + 1);
}

#endif
