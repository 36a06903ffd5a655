#include "rawframe.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

/* --- writing ---------------------------------------------------------------------------------- */

void raw_clear(struct raw *raw)
{
    free(raw->data);
    memset(raw, 0, sizeof(*raw));
}

void raw_bytes(struct raw *raw, const void *data, size_t len)
{
    if (raw->cap - raw->len < len) {
        raw->cap = 2 * raw->cap + len + 256;
        raw->data = realloc(raw->data, raw->cap);
        assert(raw->data);
    }
    if (len > 0)
        memcpy(raw->data + raw->len, data, len);
    raw->len += len;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
               size_t len)
{
    uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags};
    put_u32(head + 5, id);
    raw_bytes(raw, head, sizeof(head));
    raw_bytes(raw, payload, len);
}

void raw_magic(struct raw *raw)
{
    raw_bytes(raw, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
}

void raw_settings(struct raw *raw, ...)
{
    uint8_t payload[6 * 40];
    size_t len = 0;
    va_list arguments;
    unsigned id;

    va_start(arguments, raw);
    while ((id = va_arg(arguments, unsigned)) != 0 && len < sizeof(payload)) {
        payload[len] = (uint8_t)(id >> 8);
        payload[len + 1] = (uint8_t)id;
        put_u32(payload + len + 2, va_arg(arguments, unsigned));
        len += 6;
    }
    va_end(arguments);
    raw_frame(raw, RAW_SETTINGS, 0, 0, payload, len);
}

void raw_settings_ack(struct raw *raw)
{
    raw_frame(raw, RAW_SETTINGS, RAW_ACK, 0, NULL, 0);
}

static void raw_string(struct raw *block, const char *text, size_t len)
{
    uint8_t bytes[8];
    size_t count = 0;

    if (len < 127) {
        bytes[count++] = (uint8_t)len;
    } else {
        size_t rest = len - 127;
        bytes[count++] = 127;
        while (rest >= 128) {
            bytes[count++] = (uint8_t)(rest % 128 + 128);
            rest /= 128;
        }
        bytes[count++] = (uint8_t)rest;
    }
    raw_bytes(block, bytes, count);
    raw_bytes(block, text, len);
}

void raw_field(struct raw *block, const char *name, const char *value)
{
    raw_bytes(block, "\0", 1);
    raw_string(block, name, strlen(name));
    raw_string(block, value, strlen(value));
}

void raw_block(struct raw *block, const char *fields)
{
    while (*fields) {
        size_t len = strcspn(fields, "|");
        const char *equals = memchr(fields, '=', len);
        assert(equals);
        raw_bytes(block, "\0", 1);
        raw_string(block, fields, (size_t)(equals - fields));
        raw_string(block, equals + 1, len - (size_t)(equals + 1 - fields));
        fields += len;
        if (*fields == '|')
            fields++;
    }
}

void raw_headers(struct raw *raw, uint8_t flags, uint32_t id, const char *fields)
{
    struct raw block = {0};
    raw_block(&block, fields);
    raw_frame(raw, RAW_HEADERS, flags | RAW_END_HEADERS, id, block.data, block.len);
    raw_clear(&block);
}

void raw_request(struct raw *raw, uint8_t flags, uint32_t id)
{
    raw_headers(raw, flags, id, RAW_REQUEST_FIELDS);
}

void raw_data(struct raw *raw, uint8_t flags, uint32_t id, const void *data, size_t len)
{
    raw_frame(raw, RAW_DATA, flags, id, data, len);
}

void raw_u32(struct raw *raw, uint8_t type, uint32_t id, uint32_t value)
{
    uint8_t payload[4];
    put_u32(payload, value);
    raw_frame(raw, type, 0, id, payload, sizeof(payload));
}

void raw_rst(struct raw *raw, uint32_t id, uint32_t code)
{
    raw_u32(raw, RAW_RST_STREAM, id, code);
}

void raw_window_update(struct raw *raw, uint32_t id, uint32_t increment)
{
    raw_u32(raw, RAW_WINDOW_UPDATE, id, increment);
}

void raw_ping(struct raw *raw, uint8_t flags, const char payload[8])
{
    raw_frame(raw, RAW_PING, flags, 0, payload, 8);
}

void raw_goaway(struct raw *raw, uint32_t last_id, uint32_t code, const char *debug)
{
    struct raw payload = {0};
    uint8_t numbers[8];
    put_u32(numbers, last_id);
    put_u32(numbers + 4, code);
    raw_bytes(&payload, numbers, sizeof(numbers));
    raw_bytes(&payload, debug, strlen(debug));
    raw_frame(raw, RAW_GOAWAY, 0, 0, payload.data, payload.len);
    raw_clear(&payload);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct raw_reader {
    struct raw bytes;
    struct raw text;
    struct raw block;
    bool expects_magic;
    nghttp2_hd_inflater *inflater;
};

struct raw_reader *raw_reader_new(bool expects_magic)
{
    struct raw_reader *reader = calloc(1, sizeof(*reader));
    assert(reader);
    reader->expects_magic = expects_magic;
    int result = nghttp2_hd_inflate_new(&reader->inflater);
    assert(result == 0);
    (void)result;
    return reader;
}

void raw_reader_free(struct raw_reader *reader)
{
    nghttp2_hd_inflate_del(reader->inflater);
    raw_clear(&reader->bytes);
    raw_clear(&reader->text);
    raw_clear(&reader->block);
    free(reader);
}

void raw_reader_add(struct raw_reader *reader, const void *data, size_t len)
{
    raw_bytes(&reader->bytes, data, len);
}

static void say(struct raw_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct raw_reader *reader, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    raw_bytes(&reader->text, text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

static void say_block(struct raw_reader *reader)
{
    const uint8_t *in = reader->block.data;
    size_t left = reader->block.len;

    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(reader->inflater, &field, &flags, in, left, 1);
        if (used < 0) {
            say(reader, " (bad block)");
            break;
        }
        in += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            say(reader, " %s=%s%s", (char *)field.name, (char *)field.value,
                field.flags & NGHTTP2_NV_FLAG_NO_INDEX ? " (never indexed)" : "");
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(reader->inflater);
            break;
        }
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0)
            break;
    }
    reader->block.len = 0;
}

static void say_bytes(struct raw_reader *reader, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len && i < 40; i++)
        say(reader, data[i] >= 0x20 && data[i] < 0x7f ? "%c" : "\\x%02x", data[i]);
    if (len > 40)
        say(reader, "...");
}

static void say_frame(struct raw_reader *reader, uint8_t type, uint8_t flags, uint32_t id,
                      const uint8_t *payload, size_t len)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    if (type != RAW_CONTINUATION) {
        if (type < 10)
            say(reader, "%s", names[type]);
        else
            say(reader, "TYPE_%u", type);
    }
    switch (type) {
    case RAW_DATA:
        say(reader, " %u%s %zu \"", id, flags & RAW_END_STREAM ? " END_STREAM" : "", len);
        say_bytes(reader, payload, len);
        say(reader, "\"");
        break;
    case RAW_HEADERS:
        say(reader, " %u%s", id, flags & RAW_END_STREAM ? " END_STREAM" : "");
        /* fallthrough */
    case RAW_CONTINUATION:
        raw_bytes(&reader->block, payload, len);
        if (!(flags & RAW_END_HEADERS))
            return;
        say_block(reader);
        break;
    case RAW_RST_STREAM:
        say(reader, " %u %u", id, get_u32(payload));
        break;
    case RAW_SETTINGS:
        if (flags & RAW_ACK)
            say(reader, " ACK");
        for (size_t i = 0; i + 6 <= len; i += 6)
            say(reader, " %u=%u", payload[i] << 8 | payload[i + 1], get_u32(payload + i + 2));
        break;
    case RAW_PING:
        if (flags & RAW_ACK)
            say(reader, " ACK");
        say(reader, " ");
        say_bytes(reader, payload, len);
        break;
    case RAW_GOAWAY:
        say(reader, " last=%u code=%u \"", get_u32(payload), get_u32(payload + 4));
        say_bytes(reader, payload + 8, len - 8);
        say(reader, "\"");
        break;
    case RAW_WINDOW_UPDATE:
        say(reader, " %u +%u", id, get_u32(payload));
        break;
    default:
        say(reader, " %u %zu", id, len);
        break;
    }
    say(reader, "\n");
}

const char *raw_reader_take(struct raw_reader *reader)
{
    const uint8_t *data = reader->bytes.data;
    size_t left = reader->bytes.len;

    reader->text.len = 0;
    if (reader->expects_magic && left >= 24) {
        reader->expects_magic = false;
        say(reader,
            memcmp(data, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) ? "BAD MAGIC\n" : "MAGIC\n");
        data += 24;
        left -= 24;
    }
    while (!reader->expects_magic && left >= 9) {
        size_t len = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
        if (left < 9 + len)
            break;
        say_frame(reader, data[3], data[4], get_u32(data + 5) & 0x7fffffff, data + 9, len);
        data += 9 + len;
        left -= 9 + len;
    }
    if (left > 0)
        memmove(reader->bytes.data, data, left);
    reader->bytes.len = left;
    raw_bytes(&reader->text, "", 1);
    return (const char *)reader->text.data;
}
