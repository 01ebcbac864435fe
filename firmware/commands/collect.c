/* The command of collecting, and its ring of frames. */
#include "commands/collect.h"

#include "commands/commands.h"
#include "commands/features.h"

#ifdef COLLECT_BYTES

#include <stddef.h>
#include <string.h>

#include "board.h"
#include "sensor.h"

#define STREAM_HEAD 24 /* bytes of a reply to STREAM before its numbers */
#define RING_NUMBERS (COLLECT_BYTES / sizeof(int16_t))

static int16_t ring[RING_NUMBERS];

static uint32_t oldest(const collecting *self) {
    return self->next < self->room ? 0 : self->next - self->room;
}

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static void look(collecting *self) {
    if (self->has_looked) {
        return;
    }
    self->has_looked = 1;
    self->sensor = features_find();
    if (self->sensor != NULL) {
        const uint32_t pixels =
            self->sensor->rows ? (uint32_t)self->sensor->rows * self->sensor->columns : 1;
        self->frame_numbers = pixels * self->sensor->channels;
        self->room = RING_NUMBERS / self->frame_numbers;
    }
}

static void tell_time(collecting *self) {
    const uint32_t now = board_ticks();
    self->clock += now - self->last;
    self->last = now;
}

/* Takes frames up to the end of the ring. Returns whether there may be more. */
static int take(collecting *self) {
    const uint32_t place = self->next % self->room;
    const uint32_t most = least(self->room - place, UINT32_MAX - self->next);
    const uint32_t count = features_read(ring + place * self->frame_numbers, most);
    if (count > 0) {
        self->next += count;
        self->stamp = self->clock;
    }
    return count == most && most > 0;
}

static void poll(collecting *self) {
    if (self->is_running) {
        tell_time(self);
        while (take(self)) {
        }
    }
}

void collect_poll(device *self) { poll(&self->collecting); }

static void put64(reply *to, uint64_t value) {
    reply_put32(to, (uint32_t)value);
    reply_put32(to, (uint32_t)(value >> 32));
}

static protocol_status describe(collecting *self, reply *to, const uint8_t *body) {
    const board_sensor *sensor = self->sensor;
    (void)body;
    reply_put8(to, self->is_running);
    const uint32_t numbers[] = {
        self->run,          self->next,       self->acknowledged,
        self->lost,         self->room,       board_ticks_per_second,
        sensor->millihertz, sensor->rows,     sensor->columns,
        sensor->channels,   sensor->scale[0], sensor->scale[1],
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

static protocol_status tell_front_end(collecting *self, reply *to, const uint8_t *body) {
    (void)self;
    (void)body;
    const char *text = features_text(); /* which may be longer than other texts */
    const uint32_t length = (uint32_t)strlen(text);
    reply_put8(to, (uint8_t)length);
    reply_put_bytes(to, (const uint8_t *)text, length);
    return PROTOCOL_OK;
}

static uint32_t next_run(const collecting *self) {
    const uint32_t run = self->run ? self->run + 1 : board_seed();
    return run ? run : 1;
}

static protocol_status start(collecting *self, reply *to, const uint8_t *body) {
    if (self->room == 0) {
        return PROTOCOL_NO_SENSOR;
    }
    self->run = next_run(self);
    self->next = self->acknowledged = self->lost = self->reported = 0;
    self->clock = self->stamp = 0;
    self->last = board_ticks();
    features_start();
    self->is_running = 1;
    return describe(self, to, body);
}

/* The ring keeps its frames for the host. */
static protocol_status stop(collecting *self, reply *to, const uint8_t *body) {
    poll(self);
    self->is_running = 0;
    return describe(self, to, body);
}

/* Counts the frames from `wanted` on that are no longer in the ring, each once. */
static void count_lost(collecting *self, uint32_t wanted) {
    const uint32_t from = wanted > self->reported ? wanted : self->reported;
    if (from < oldest(self)) {
        self->lost += oldest(self) - from;
        self->reported = oldest(self);
    }
}

/* Appends numbers of frame `first`, from number `offset` of it on: whole frames if one fits. */
static void put_frames(const collecting *self, reply *to, uint32_t first, uint32_t offset) {
    const uint32_t room = reply_room(to) / sizeof(int16_t);
    const uint32_t each = self->frame_numbers;
    uint32_t numbers = each <= room ? room - room % each : least(room, each - offset);
    for (uint32_t n = first; n != self->next && numbers > 0; n++, offset = 0) {
        const int16_t *frame = ring + (n % self->room) * each + offset;
        const uint32_t count = least(each - offset, numbers);
        for (uint32_t i = 0; i < count; i++) {
            reply_put16(to, (uint16_t)frame[i]);
        }
        numbers -= count;
    }
}

/* body: run 32, acknowledged 32, wanted 32, offset 32.
 * Reply: first 32, offset 32, next 32, lost 32, stamp 64, numbers 16 each. */
static protocol_status stream(collecting *self, reply *to, const uint8_t *body) {
    const uint32_t acknowledged = frame_get32(body + 4), wanted = frame_get32(body + 8);
    uint32_t offset = frame_get32(body + 12);
    if (self->run == 0 || frame_get32(body) != self->run) {
        return PROTOCOL_NOT_COLLECTING;
    }
    poll(self);
    if (acknowledged > wanted || wanted > self->next || acknowledged < self->acknowledged ||
        offset >= self->frame_numbers) {
        return PROTOCOL_BAD_RANGE;
    }
    count_lost(self, wanted);
    self->acknowledged = acknowledged;
    const uint32_t first = wanted < oldest(self) ? oldest(self) : wanted;
    if (first != wanted || self->frame_numbers * sizeof(int16_t) <= reply_room(to) - STREAM_HEAD) {
        offset = 0;
    }
    const uint32_t numbers[] = {first, offset, self->next, self->lost};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        reply_put32(to, numbers[i]);
    }
    put64(to, self->stamp);
    put_frames(self, to, first, offset);
    return PROTOCOL_OK;
}

typedef struct collect_action {
    uint32_t body_bytes; /* after the action */
    protocol_status (*run)(collecting *self, reply *to, const uint8_t *body);
} collect_action;

static const collect_action collect_actions[] = {
    [PROTOCOL_COLLECT_DESCRIBE] = {0, describe},
    [PROTOCOL_COLLECT_START] = {0, start},
    [PROTOCOL_COLLECT_STOP] = {0, stop},
    [PROTOCOL_COLLECT_STREAM] = {16, stream},
    [PROTOCOL_COLLECT_FRONT_END] = {0, tell_front_end},
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
    look(&self->collecting);
    return self->collecting.sensor == NULL
               ? PROTOCOL_NO_SENSOR
               : action->run(&self->collecting, &self->link.reply, body + 1);
}

#endif
