/* What ../minimal needs of a machine: text, and a file of littlefs for what is saved.
 *
 * A new file is written beside the old one, and renamed over it when it is complete. littlefs does
 * each of the two whole or not at all, so a power cut leaves the old bytes or the new ones. */
#include <stdio.h>

#include "flash.h"
#include "lfs.h" /* compiled with LFS_NO_MALLOC */
#include "port.h"

#define SAVED "learned"
#define UNFINISHED "learned.new"
#define CACHE 64u /* bytes */

static uint32_t reading[CACHE / 4], programming[CACHE / 4], of_file[CACHE / 4], free_blocks[2];
static lfs_t disk;
static lfs_file_t file;
static const struct lfs_file_config buffers = {.buffer = of_file};
static port_mode opened_to;
static int mounted, failed;

static int read_block(const struct lfs_config *config, lfs_block_t block, lfs_off_t at, void *to,
                      lfs_size_t count) {
    return flash_read(block * config->block_size + at, to, count) ? LFS_ERR_OK : LFS_ERR_IO;
}

static int program_block(const struct lfs_config *config, lfs_block_t block, lfs_off_t at,
                         const void *from, lfs_size_t count) {
    return flash_program(block * config->block_size + at, from, count) ? LFS_ERR_OK : LFS_ERR_IO;
}

static int erase_block(const struct lfs_config *config, lfs_block_t block) {
    return flash_erase(block * config->block_size) ? LFS_ERR_OK : LFS_ERR_IO;
}

/* Nothing waits in the driver. */
static int sync_blocks(const struct lfs_config *config) {
    (void)config;
    return LFS_ERR_OK;
}

static const struct lfs_config settings = {
    .read = read_block,
    .prog = program_block,
    .erase = erase_block,
    .sync = sync_blocks,
    .read_size = FLASH_PAGE,
    .prog_size = FLASH_PAGE,
    .block_size = FLASH_BLOCK,
    .block_count = FLASH_BLOCKS,
    .block_cycles = 500,
    .cache_size = CACHE,
    .lookahead_size = sizeof free_blocks,
    .read_buffer = reading,
    .prog_buffer = programming,
    .lookahead_buffer = free_blocks,
};

/* A flash that holds no littlefs gets one. */
static int is_mounted(void) {
    if (!mounted) {
        int error = lfs_mount(&disk, &settings);
        if (error == LFS_ERR_CORRUPT && lfs_format(&disk, &settings) == LFS_ERR_OK) {
            error = lfs_mount(&disk, &settings);
        }
        mounted = error == LFS_ERR_OK;
    }
    return mounted;
}

void port_print(const char *text) { (void)fputs(text, stdout); }

void port_print_number(const char *text, uint32_t number) {
    (void)printf("%s%lu\n", text, (unsigned long)number);
}

int port_open(port_mode mode) {
    const int flags = mode == PORT_READ ? LFS_O_RDONLY : LFS_O_WRONLY | LFS_O_CREAT | LFS_O_TRUNC;
    opened_to = mode;
    failed = 0;
    return is_mounted() && lfs_file_opencfg(&disk, &file, mode == PORT_READ ? SAVED : UNFINISHED,
                                            flags, &buffers) == LFS_ERR_OK;
}

int port_read(void *to, uint32_t count) {
    return lfs_file_read(&disk, &file, to, count) == (lfs_ssize_t)count;
}

int port_write(const void *from, uint32_t count) {
    failed = failed || lfs_file_write(&disk, &file, from, count) != (lfs_ssize_t)count;
    return !failed;
}

int port_close(void) {
    const int closed = lfs_file_close(&disk, &file) == LFS_ERR_OK && !failed;
    return closed && (opened_to == PORT_READ || lfs_rename(&disk, UNFINISHED, SAVED) == LFS_ERR_OK);
}
