/* A store of what was learned, in flash (SPEC 11). */
#include "tinyflash/store.h"

#include <string.h>

#include "tinyflash/crc32.h"

#define HEAD_BYTES 32
#define MAGIC 0x31465354u /* "TSF1" */

/* The head of a record (SPEC 11), as numbers. */
typedef struct head {
    uint32_t stored; /* TINY_STORED_LEARNED or TINY_STORED_FACTORY */
    uint32_t sequence;
    uint32_t model_hash;
    uint32_t bytes; /* of the data */
    uint32_t crc;   /* of the data */
} head;

/* Collects bytes, and programs them page by page. */
typedef struct writer {
    const tiny_flash *flash;
    uint32_t at; /* of the page */
    uint32_t count;
    uint8_t page[TINY_FLASH_PAGE_MAX];
} writer;

/* ---- Heads ----------------------------------------------------------------------------------- */

static void put32(uint8_t *bytes, uint32_t value) {
    for (uint32_t i = 0; i < 4u; i++) {
        bytes[i] = (uint8_t)(value >> (8u * i));
    }
}

static uint32_t get32(const uint8_t *bytes) {
    return bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

static void pack(const head *from, uint8_t *bytes) {
    const uint32_t numbers[] = {MAGIC,       from->stored, from->sequence, from->model_hash,
                                from->bytes, from->crc,    0xFFFFFFFFu};
    for (uint32_t i = 0; i < 7u; i++) {
        put32(bytes + 4u * i, numbers[i]);
    }
    put32(bytes + 28, tiny_crc32(0, bytes, 28));
}

/* Returns 0 if the bytes are not a whole head. */
static int unpack(const uint8_t *bytes, head *to) {
    to->stored = get32(bytes + 4);
    to->sequence = get32(bytes + 8);
    to->model_hash = get32(bytes + 12);
    to->bytes = get32(bytes + 16);
    to->crc = get32(bytes + 20);
    return get32(bytes) == MAGIC && get32(bytes + 28) == tiny_crc32(0, bytes, 28);
}

/* Whether record a was written after b: numbers wrap. */
static int is_newer(uint32_t a, uint32_t b) { return a != b && a - b < 0x80000000u; }

/* ---- Places ---------------------------------------------------------------------------------- */

static uint32_t data_bytes(const tiny_session *session) {
    return session->model->weights_bytes + session->model->state_bytes;
}

/* The head fills whole pages, so that it is programmed after the data. */
static uint32_t head_bytes(const tiny_flash *flash) {
    return flash->page_bytes > HEAD_BYTES ? flash->page_bytes : HEAD_BYTES;
}

static uint32_t start_of(const tiny_store *store, uint32_t slot) {
    return slot * store->slot_sectors * store->flash->sector_bytes;
}

static int is_possible(const tiny_flash *flash) {
    const uint32_t page = flash->page_bytes, sector = flash->sector_bytes;
    return page >= 4u && page <= TINY_FLASH_PAGE_MAX && (page & (page - 1u)) == 0u &&
           sector >= head_bytes(flash) && sector % page == 0u &&
           flash->sectors <= 0xFFFFFFFFu / sector;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Adds `count` bytes of flash to a CRC. Returns what the driver does. */
static int add_to_crc(const tiny_flash *flash, uint32_t at, uint32_t count, uint32_t *crc) {
    uint8_t page[TINY_FLASH_PAGE_MAX];
    int failed = 0;
    for (uint32_t done = 0; done < count && !failed;) {
        const uint32_t rest = count - done;
        const uint32_t piece = rest < sizeof page ? rest : (uint32_t)sizeof page;
        failed = flash->read(flash->context, at + done, page, piece);
        *crc = tiny_crc32(*crc, page, piece);
        done += piece;
    }
    return failed;
}

static int holds(const tiny_store *store, uint32_t slot, const head *record) {
    const tiny_flash *flash = store->flash;
    uint32_t crc = 0;
    return !add_to_crc(flash, start_of(store, slot) + head_bytes(flash), record->bytes, &crc) &&
           crc == record->crc;
}

/* Whether a record can be one of this model: a head that is whole may still come from elsewhere. */
static int belongs(const head *record, const tiny_session *session) {
    const uint32_t bytes = record->stored == TINY_STORED_LEARNED ? data_bytes(session) : 0u;
    return record->model_hash == session->model->hash && record->bytes == bytes &&
           (record->stored == TINY_STORED_LEARNED || record->stored == TINY_STORED_FACTORY);
}

static tiny_error read_head(const tiny_store *store, uint32_t slot, head *to, int *is_whole) {
    uint8_t bytes[HEAD_BYTES];
    const tiny_flash *flash = store->flash;
    if (flash->read(flash->context, start_of(store, slot), bytes, HEAD_BYTES) != 0) {
        return TINY_ERROR_FLASH;
    }
    *is_whole = unpack(bytes, to);
    return TINY_OK;
}

/* Finds the newest record of the model, and the highest number of any. Without one of the model,
 * `slot` is where the newest of another is: that one is overwritten last. */
static tiny_error scan(tiny_store *store, const tiny_session *session) {
    uint32_t mine = 0;
    int any = 0;
    for (uint32_t slot = 0; slot < store->slots; slot++) {
        head record;
        int is_whole;
        if (read_head(store, slot, &record, &is_whole) != TINY_OK) {
            return TINY_ERROR_FLASH;
        }
        if (!is_whole) {
            continue;
        }
        const int is_first = store->stored == TINY_STORED_NOTHING;
        if (belongs(&record, session) && (is_first || is_newer(record.sequence, mine)) &&
            holds(store, slot, &record)) {
            mine = record.sequence;
            store->slot = slot;
            store->stored = (tiny_stored)record.stored;
        }
        if (!any || is_newer(record.sequence, store->sequence)) {
            store->sequence = record.sequence;
            store->slot = store->stored == TINY_STORED_NOTHING ? slot : store->slot;
            any = 1;
        }
    }
    return TINY_OK;
}

tiny_error tiny_store_open(tiny_store *store, const tiny_flash *flash,
                           const tiny_session *session) {
    if (!is_possible(flash)) {
        return TINY_ERROR_STORE;
    }
    const uint32_t bytes = head_bytes(flash) + data_bytes(session);
    store->flash = flash;
    store->slot_sectors = (bytes - 1u) / flash->sector_bytes + 1u;
    store->slots = flash->sectors / store->slot_sectors;
    store->slot = store->slots - 1u;
    store->sequence = 0;
    store->stored = TINY_STORED_NOTHING;
    return store->slots < 2u ? TINY_ERROR_STORE : scan(store, session);
}

/* Reads `count` bytes of a record's data into a space. Returns what the driver does. */
static int read_space(const tiny_store *store, uint32_t *at, uint8_t *space, uint32_t count) {
    const int failed = store->flash->read(store->flash->context, *at, space, count);
    *at += count;
    return failed;
}

tiny_error tiny_store_load(const tiny_store *store, tiny_session *session) {
    const tiny_model *model = session->model;
    uint32_t at = start_of(store, store->slot) + head_bytes(store->flash);
    head record;
    int is_whole = 0;
    if (store->stored != TINY_STORED_LEARNED) {
        tiny_reset(session);
        return TINY_OK;
    }
    if (read_head(store, store->slot, &record, &is_whole) == TINY_OK && is_whole &&
        !read_space(store, &at, session->base[TINY_WEIGHTS], model->weights_bytes) &&
        !read_space(store, &at, session->base[TINY_STATE], model->state_bytes)) {
        const uint32_t crc = tiny_crc32(0, session->base[TINY_WEIGHTS], model->weights_bytes);
        if (tiny_crc32(crc, session->base[TINY_STATE], model->state_bytes) == record.crc) {
            return TINY_OK;
        }
    }
    tiny_reset(session);
    return TINY_ERROR_FLASH;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int program_page(writer *to) {
    const tiny_flash *flash = to->flash;
    const int failed = flash->program(flash->context, to->at, to->page);
    to->at += flash->page_bytes;
    to->count = 0;
    memset(to->page, 0xFF, sizeof to->page);
    return failed;
}

static int write_bytes(writer *to, const uint8_t *bytes, uint32_t count) {
    int failed = 0;
    for (uint32_t i = 0; i < count && !failed; i++) {
        to->page[to->count++] = bytes[i];
        if (to->count == to->flash->page_bytes) {
            failed = program_page(to);
        }
    }
    return failed;
}

/* Begins to write at `at`. The rest of a last page is all ones, as after an erase. */
static void begin_writing(writer *to, const tiny_flash *flash, uint32_t at) {
    to->flash = flash;
    to->at = at;
    to->count = 0;
    memset(to->page, 0xFF, sizeof to->page);
}

static int end_writing(writer *to) { return to->count == 0u ? 0 : program_page(to); }

static int write_data(const tiny_flash *flash, uint32_t at, const tiny_session *session) {
    const tiny_model *model = session->model;
    writer to;
    begin_writing(&to, flash, at);
    return write_bytes(&to, session->base[TINY_WEIGHTS], model->weights_bytes) ||
           write_bytes(&to, session->base[TINY_STATE], model->state_bytes) || end_writing(&to);
}

/* Writes the head, and checks that it can be read. */
static int write_head(const tiny_flash *flash, uint32_t at, const head *record) {
    uint8_t wanted[HEAD_BYTES], found[HEAD_BYTES];
    writer to;
    pack(record, wanted);
    begin_writing(&to, flash, at);
    return write_bytes(&to, wanted, HEAD_BYTES) || end_writing(&to) ||
           flash->read(flash->context, at, found, HEAD_BYTES) != 0 ||
           tiny_crc32(0, found, HEAD_BYTES) != tiny_crc32(0, wanted, HEAD_BYTES);
}

static int erase_slot(const tiny_store *store, uint32_t slot) {
    int failed = 0;
    for (uint32_t i = 0; i < store->slot_sectors && !failed; i++) {
        failed = store->flash->erase(store->flash->context, slot * store->slot_sectors + i);
    }
    return failed;
}

/* Writes a record into a slot: the head last, and only if the flash keeps the data. */
static int write_slot(const tiny_store *store, uint32_t slot, const head *record,
                      const tiny_session *session) {
    const uint32_t at = start_of(store, slot);
    if (erase_slot(store, slot)) {
        return 1;
    }
    if (record->bytes != 0u && (write_data(store->flash, at + head_bytes(store->flash), session) ||
                                !holds(store, slot, record))) {
        return 1;
    }
    return write_head(store->flash, at, record);
}

/* Erases every other record that a start could take for a newer one than the one just written: its
 * number is none that a store gave, and no number is above both of two that are 2^31 apart. */
static int erase_newer(const tiny_store *store) {
    int failed = 0;
    for (uint32_t slot = 0; slot < store->slots && !failed; slot++) {
        head other;
        int is_whole = 0;
        if (slot != store->slot && read_head(store, slot, &other, &is_whole) == TINY_OK) {
            failed =
                is_whole && !is_newer(store->sequence, other.sequence) && erase_slot(store, slot);
        }
    }
    return failed;
}

/* Writes a record into the next slot that keeps it; never into that of the newest record. */
static tiny_error write_record(tiny_store *store, head *record, const tiny_session *session) {
    const uint32_t places = store->stored == TINY_STORED_NOTHING ? store->slots : store->slots - 1u;
    for (uint32_t i = 1; i <= places; i++) {
        const uint32_t slot = (store->slot + i) % store->slots;
        record->sequence = ++store->sequence;
        if (!write_slot(store, slot, record, session)) {
            store->slot = slot;
            store->stored = (tiny_stored)record->stored;
            return erase_newer(store) ? TINY_ERROR_FLASH : TINY_OK;
        }
    }
    return TINY_ERROR_FLASH;
}

tiny_error tiny_store_save(tiny_store *store, const tiny_session *session) {
    const tiny_model *model = session->model;
    head record = {TINY_STORED_LEARNED, 0, model->hash, data_bytes(session), 0};
    record.crc = tiny_crc32(0, session->base[TINY_WEIGHTS], model->weights_bytes);
    record.crc = tiny_crc32(record.crc, session->base[TINY_STATE], model->state_bytes);
    return write_record(store, &record, session);
}

tiny_error tiny_store_factory(tiny_store *store, const tiny_session *session) {
    head record = {TINY_STORED_FACTORY, 0, session->model->hash, 0, 0};
    const tiny_error error = write_record(store, &record, session);
    int failed = error != TINY_OK;
    for (uint32_t slot = 0; slot < store->slots && !failed; slot++) {
        failed = slot != store->slot && erase_slot(store, slot);
    }
    return failed ? TINY_ERROR_FLASH : TINY_OK;
}
