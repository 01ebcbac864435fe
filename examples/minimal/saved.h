/* Keeps what a session learned: weights and state, with what tells whether they are whole. */
#ifndef SAVED_H
#define SAVED_H

#include "tinyflash/tinyflash.h"

/* Restores what was saved. Returns 0 if nothing was saved, or if it is damaged or of another model;
 * then the session is as after tiny_init. */
int saved_load(tiny_session *session, const tiny_memory *memory);

/* Saves the session. Returns 0 if that failed. */
int saved_store(const tiny_session *session, const tiny_memory *memory);

#endif
