/*
 * HTTP/2 frames by hand: what a test sends as a peer of its own making, and what it got back as
 * text, one line for each frame:
 *
 *     SETTINGS 3=100 4=65536 6=16384        SETTINGS ACK
 *     HEADERS 1 END_STREAM :status=200 a=b  DATA 1 END_STREAM 5 "hello"
 *     RST_STREAM 1 8                        GOAWAY last=1 code=0 "max_age"
 *     PING ACK 6b65657070696e67             WINDOW_UPDATE 0 +1048576
 *
 * Heads go out as literals without indexing, so a script of frames means the same anywhere.
 */
#ifndef TESTS_RAWFRAME_H
#define TESTS_RAWFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAW_DATA = 0,
    RAW_HEADERS = 1,
    RAW_PRIORITY = 2,
    RAW_RST_STREAM = 3,
    RAW_SETTINGS = 4,
    RAW_PUSH_PROMISE = 5,
    RAW_PING = 6,
    RAW_GOAWAY = 7,
    RAW_WINDOW_UPDATE = 8,
    RAW_CONTINUATION = 9
};
enum { RAW_ACK = 1, RAW_END_STREAM = 1, RAW_END_HEADERS = 4, RAW_PADDED = 8, RAW_PRIORITIZED = 32 };

/* Bytes to send; zero before use. */
struct raw {
    uint8_t *data;
    size_t len;
    size_t cap;
};

void raw_clear(struct raw *raw);
void raw_bytes(struct raw *raw, const void *data, size_t len);
void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
               size_t len);
/* The client's 24 bytes. */
void raw_magic(struct raw *raw);
/* Pairs of id and value, ended by 0. */
void raw_settings(struct raw *raw, ...);
void raw_settings_ack(struct raw *raw);
/* One field of a block, literal without indexing. */
void raw_field(struct raw *block, const char *name, const char *value);
/* |fields|: "name=value" separated by '|', as in ":method=POST|te=trailers". */
void raw_block(struct raw *block, const char *fields);
/* A HEADERS frame with END_HEADERS. */
void raw_headers(struct raw *raw, uint8_t flags, uint32_t id, const char *fields);
/* The usual gRPC request head. */
void raw_request(struct raw *raw, uint8_t flags, uint32_t id);
void raw_data(struct raw *raw, uint8_t flags, uint32_t id, const void *data, size_t len);
void raw_u32(struct raw *raw, uint8_t type, uint32_t id, uint32_t value);
void raw_rst(struct raw *raw, uint32_t id, uint32_t code);
void raw_window_update(struct raw *raw, uint32_t id, uint32_t increment);
void raw_ping(struct raw *raw, uint8_t flags, const char payload[8]);
void raw_goaway(struct raw *raw, uint32_t last_id, uint32_t code, const char *debug);

/* Reads frames of the other side; keeps its HPACK table. */
struct raw_reader;
struct raw_reader *raw_reader_new(bool expects_magic);
void raw_reader_free(struct raw_reader *reader);
/* Adds bytes as they came, cut anywhere. */
void raw_reader_add(struct raw_reader *reader, const void *data, size_t len);
/* The lines of the complete frames since the last call; lives until the next one. */
const char *raw_reader_take(struct raw_reader *reader);

#define RAW_REQUEST_FIELDS                                                             \
    ":method=POST|:scheme=http|:path=/test.Echo/Say|:authority=localhost|te=trailers|" \
    "content-type=application/grpc"

#endif
