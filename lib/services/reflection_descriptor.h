/*
 * Reads serialised FileDescriptorProtos as reflection needs them: where they lie, without copies,
 * allocations or recursion.  The bytes come from generated code, but nothing is believed: every
 * length is checked, and a file that ends in the middle of something just has no more in it.
 */
#ifndef PGRPC__SERVICES_REFLECTION_DESCRIPTOR_H
#define PGRPC__SERVICES_REFLECTION_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a descriptor, or a name that is not terminated. */
struct descriptor_bytes {
    const char *data;
    size_t len;
};

/* One field of a message. */
struct descriptor_field {
    uint32_t number;
    bool is_counted;               /* the value is |bytes|, else |varint| (0 when it was fixed) */
    struct descriptor_bytes bytes; /* string, bytes, message */
    uint64_t varint;
};

struct descriptor_reader {
    const char *at;
    const char *end;
    bool is_bad; /* malformed: it ended early */
};

struct descriptor_reader pgrpc__descriptor_reader(struct descriptor_bytes message);
/* The next field; false at the end and when the rest is malformed. */
bool pgrpc__descriptor_next(struct descriptor_reader *reader, struct descriptor_field *field);

/* Fields of google.protobuf.FileDescriptorProto that others look for. */
enum { DESCRIPTOR_FILE_PACKAGE = 2, DESCRIPTOR_FILE_DEPENDENCY = 3 };

/* The last field of that number, as protobuf has it; empty when there is none. */
struct descriptor_bytes pgrpc__descriptor_get(struct descriptor_bytes message, uint32_t number);

enum descriptor_kind {
    DESCRIPTOR_NONE = 0,
    DESCRIPTOR_MESSAGE,
    DESCRIPTOR_OTHER /* field, oneof, enum, value of an enum, extension, service, method */
};
/*
 * What |file| declares under the full name |symbol|: "package.Message.Nested.field".  Values of an
 * enum are beside it, not in it, as in all of protobuf.
 */
enum descriptor_kind pgrpc__descriptor_find(struct descriptor_bytes file,
                                            struct descriptor_bytes symbol);

/* One extension: a field that a file adds to somebody else's message. */
struct descriptor_extension {
    struct descriptor_bytes extendee; /* full name of the message, without a leading dot */
    int32_t number;
};

enum { DESCRIPTOR_DEPTH_MAX = 64 }; /* twice what protoc takes */

/* All extensions in a file, those inside messages included. */
struct descriptor_walk {
    struct descriptor_reader levels[DESCRIPTOR_DEPTH_MAX];
    unsigned depth;
    bool is_bad; /* malformed, or nested too deeply: something was left out */
};
void pgrpc__descriptor_walk_init(struct descriptor_walk *walk, struct descriptor_bytes file);
/* False at the end. */
bool pgrpc__descriptor_walk_next(struct descriptor_walk *walk,
                                 struct descriptor_extension *extension);

#endif
