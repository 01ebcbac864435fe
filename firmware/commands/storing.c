/* Commands of the store: save, load, factory. */
#include "commands/storing.h"

#include "board.h"
#include "commands/commands.h"
#include "commands/guard.h"

#ifdef BOARD_STORE_SECTORS

/* What a store holds has come from here, but it may be from before an update of the firmware, or be
 * forged: it is checked like what a host sends. */
static tiny_error load_sound(const tiny_store *store, tiny_session *session) {
    const tiny_error error = tiny_store_load(store, session);
    if (error == TINY_OK && !(restore_is_sound(session->model, session->base[TINY_WEIGHTS]) &&
                              restore_is_sound_state(session))) {
        tiny_reset(session);
        return TINY_ERROR_FLASH;
    }
    return error;
}

void device_store_start(device_store *self, tiny_session *session) {
    const tiny_flash *flash = board_flash();
    self->is_there = flash != NULL && tiny_store_open(&self->store, flash, session) == TINY_OK;
    if (self->is_there) {
        (void)load_sound(&self->store, session);
    }
}

/* Reply: number of the newest record 32, what it says 8, slots 16. */
static protocol_status report(device *self, tiny_error error) {
    const tiny_store *store = &self->store.store;
    if (error != TINY_OK) {
        return PROTOCOL_BAD_FLASH;
    }
    reply_put32(&self->link.reply, store->sequence);
    reply_put8(&self->link.reply, (uint8_t)store->stored);
    reply_put16(&self->link.reply, (uint16_t)store->slots);
    return PROTOCOL_OK;
}

protocol_status command_save(device *self, const uint8_t *body, uint32_t count) {
    (void)body, (void)count;
    if (!self->store.is_there) {
        return PROTOCOL_NO_STORE;
    }
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    return report(self, tiny_store_save(&self->store.store, &self->arena.session));
}

/* Sets weights and state to those of the last save, and forgets the run, as RESET does. */
protocol_status command_load(device *self, const uint8_t *body, uint32_t count) {
    if (!self->store.is_there) {
        return PROTOCOL_NO_STORE;
    }
    (void)command_reset(self, body, count);
    return report(self, load_sound(&self->store.store, &self->arena.session));
}

/* Voids what was saved, and does what RESET does. */
protocol_status command_factory(device *self, const uint8_t *body, uint32_t count) {
    if (!self->store.is_there) {
        return PROTOCOL_NO_STORE;
    }
    (void)command_reset(self, body, count);
    return report(self, tiny_store_factory(&self->store.store, &self->arena.session));
}

#else

void device_store_start(device_store *self, tiny_session *session) {
    (void)session;
    self->is_there = 0;
}

#endif
