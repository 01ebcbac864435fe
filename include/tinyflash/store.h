/* A store: what was learned survives a power cut, in flash (SPEC 11).
 *
 * A record holds WEIGHTS and STATE. A save writes a new one beside those that are there, and only its
 * last page makes it valid, so at any instant the flash has the old or the new record, whole. The
 * model's own images, in the program, are the factory state, which no save touches. The caller
 * supplies the driver of the flash. Firmware that calls no tiny_store function links none of it.
 *
 *     tiny_store_open(&store, &my_flash, &session);
 *     tiny_store_load(&store, &session);      at start-up: goes on where the last save was
 *     tiny_train(...) ...
 *     tiny_store_save(&store, &session);
 */
#ifndef TINYFLASH_STORE_H
#define TINYFLASH_STORE_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TINY_FLASH_PAGE_MAX 256

/* The functions of a flash's driver. They return 0 on success; `context` is theirs. Bytes are addressed
 * from the first one of sector 0. */
typedef int tiny_flash_erase(void *context, uint32_t sector); /* to all ones */
typedef int tiny_flash_program(void *context, uint32_t at, const uint8_t *page);
typedef int tiny_flash_read(void *context, uint32_t at, uint8_t *bytes, uint32_t count);

/* The flash memory that a store has for itself. */
typedef struct tiny_flash {
    void *context;
    uint32_t sectors;      /* numbered from 0 */
    uint32_t sector_bytes; /* erased together; a multiple of page_bytes */
    uint32_t page_bytes;   /* programmed together, once after an erase: 4, 8, ... 256 */
    tiny_flash_erase *erase;
    tiny_flash_program *program;
    tiny_flash_read *read;
} tiny_flash;

/* What the newest record says. */
typedef enum tiny_stored {
    TINY_STORED_NOTHING = 0, /* there is none of this model */
    TINY_STORED_LEARNED = 1, /* WEIGHTS and STATE of a save */
    TINY_STORED_FACTORY = 2  /* that what was learned is void */
} tiny_stored;

/* No field is for the caller to change. */
typedef struct tiny_store {
    const tiny_flash *flash;
    uint32_t slots;        /* places for a record, at least 2 */
    uint32_t slot_sectors; /* sectors of each */
    uint32_t slot;         /* of the newest record of this model */
    uint32_t sequence;     /* the highest number of any record */
    tiny_stored stored;
} tiny_store;

/* Looks for the newest whole record of the session's model. Records of another model count as free
 * space, but are overwritten last.
 *
 * TINY_ERROR_STORE: the flash has no room for two records, or sizes that this header forbids.
 * TINY_ERROR_FLASH: it cannot be read. Cost: reads each slot at most once. */
tiny_error tiny_store_open(tiny_store *store, const tiny_flash *flash, const tiny_session *session);

/* Sets WEIGHTS and STATE to those of the newest record; without one, or if it says `factory`, to the
 * model's initial images, as tiny_reset. TINY_ERROR_FLASH: the record cannot be read any more; the
 * session then has the initial images, too. */
tiny_error tiny_store_load(const tiny_store *store, tiny_session *session);

/* Writes a record of the session's WEIGHTS and STATE. Slots are used in turn, which spreads wear; one
 * that does not keep what is written is passed over.
 *
 * TINY_ERROR_FLASH: no slot keeps it; the newest record is still the one of before. (Or there is a
 * record of a number that no store gives, which a start could take for the newest, and which cannot be
 * erased.) Cost: erases and programs a slot, and reads it and each head once. */
tiny_error tiny_store_save(tiny_store *store, const tiny_session *session);

/* Writes a record that says `factory`, then erases all others, so that what was learned cannot be read
 * any more. The session is not changed. Errors are those of tiny_store_save; after one, old records
 * may still be there. */
tiny_error tiny_store_factory(tiny_store *store, const tiny_session *session);

#ifdef __cplusplus
}
#endif

#endif
