/* What the parts of the decoder share: protobuf_decode.c reads, protobuf_finish.c completes. */
#ifndef PGRPC__CODEC_PROTOBUF_DECODE_H
#define PGRPC__CODEC_PROTOBUF_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "codec/protobuf.h"
#include "codec/protobuf_field.h"

#define LIKELY(condition) __builtin_expect((condition) != 0, 1)
#define UNLIKELY(condition) __builtin_expect((condition) != 0, 0)

/* What is due when a message ends, by bits; nothing in most, and then nothing else is asked. */
enum {
    DECODE_DUE_REQUIRED = 1, /* fields that must be there */
    DECODE_DUE_NAMED = 2,    /* a name for the value, in an entry of a map to a closed enum */
    DECODE_DUE_END_TAG = 4   /* of a group */
};

/* A message that is left for the one in |field|. */
struct decode_level {
    char *message;
    const ProtobufCMessageDescriptor *type;
    const ProtobufCFieldDescriptor *field;
    const uint8_t *end;
    unsigned due;
};

/* What a descriptor does not say at a glance. */
struct decode_type {
    const ProtobufCMessageDescriptor *type;
    unsigned due;
};

enum { DECODE_TYPES = 8 };

struct decoder {
    struct arena *arena;
    const uint8_t *limit; /* end of all bytes: words may be read up to here */
    const char *problem;
    unsigned depth;
    bool lacks_required; /* some message did when it ended; a later part may have brought it */
    struct decode_type types[DECODE_TYPES]; /* met lately, by address */
    struct decode_level levels[PROTOBUF_DEPTH_MAX + 1];
};

static inline size_t decode_round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static inline bool decode_fail(struct decoder *decoder, const char *problem)
{
    decoder->problem = problem;
    return false;
}

/*
 * A message with its defaults, NULL when the arena refuses.  In front of one of a type with
 * required fields there is a bit for each field, set when it was read: see decode_seen.
 */
char *pgrpc__decode_new_message(struct decoder *decoder, const ProtobufCMessageDescriptor *type);
/* What a message without an initialiser of its own begins as. */
void pgrpc__decode_init(const ProtobufCMessageDescriptor *type, char *message);
unsigned pgrpc__decode_due(const ProtobufCMessageDescriptor *type);
/* The word with the bit of the |index|-th field. */
static inline uint64_t *decode_seen(char *message, unsigned index)
{
    return (uint64_t *)(void *)message - 1 - index / 64;
}

/* protobuf-c takes a default for a field that is not there, even if it is required. */
static inline bool decode_is_required(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REQUIRED && !field->default_value;
}

/* Whether every required field of a message was read; only for types that have such. */
bool pgrpc__decode_has_required(const ProtobufCMessageDescriptor *type, char *message);
/* Sees to what is due when the message in |level| ends.  False when its end tag is missing, or the
 * arena refuses. */
bool pgrpc__decode_settle(struct decoder *decoder, struct decode_level *level);
/* Puts the first required field that is missing anywhere in a message into decoder->levels; false
 * when all are there. */
bool pgrpc__decode_find_missing(struct decoder *decoder, const ProtobufCMessageDescriptor *type,
                                char *message, unsigned depth);
/*
 * A map's entry without key or value has the default of its type; nobody who reads a map expects
 * NULL.  False when the arena refuses, or a message is missing where none |may_nest|.  |field| of
 * |parent| holds the entries.
 */
bool pgrpc__decode_complete_entry(struct decoder *decoder, const ProtobufCMessageDescriptor *parent,
                                  const ProtobufCFieldDescriptor *field, char *entry,
                                  bool may_nest);
/* The problem and where it is; in the arena, if that has room. */
const char *pgrpc__decode_describe(const struct decoder *decoder);

/* Whether an |entry| of two fields lacks something that complete_entry might bring. */
static inline bool decode_may_be_short(const ProtobufCMessageDescriptor *type, const char *entry)
{
    for (unsigned i = 0; i < 2; i++) {
        const ProtobufCFieldDescriptor *part = &type->fields[i];
        if ((part->type == PROTOBUF_C_TYPE_STRING || part->type == PROTOBUF_C_TYPE_MESSAGE) &&
            !field_pointer(entry + part->offset))
            return true;
    }
    return false;
}

#endif
