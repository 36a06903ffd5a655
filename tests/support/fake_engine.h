/*
 * A second engine, for tests: it speaks a toy protocol that has HTTP/2's ideas and nothing of its
 * bytes.  A connection that works on it owes nothing to nghttp2.
 *
 * A frame is type, stream id, length (4 bytes each, big-endian) and payload:
 *
 *     'S' settings: streams allowed        'H' head: flags, then "name=value" lines
 *     'D' data: flags, bytes               'R' reset: code
 *     'P' ping, 'p' answer: 8 bytes        'G' goaway: last id, code, text
 *     'W' window: increment
 */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include "h2/engine.h"

extern const struct h2_engine_ops fake_engine;

/* The id that the next client's first stream gets. */
extern int32_t fake_engine_first_id;

#endif
