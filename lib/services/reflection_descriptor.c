#include "services/reflection_descriptor.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, COUNTED = 2, FIXED32 = 5 }; /* wire types */
enum { VARINT_MAX = 10, TYPE_BITS = 3, TYPE_MASK = 7 };

/* Field numbers in google/protobuf/descriptor.proto. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_EXTENSION = 7,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_EXTENSION = 6,
    MESSAGE_ONEOF = 8,
    SERVICE_METHOD = 2,
    ENUM_VALUE = 2,
    ANY_NAME = 1, /* the same in all of them */
    FIELD_EXTENDEE = 2,
    FIELD_NUMBER = 3
};

/* --- reading ------------------------------------------------------------------------------------
 */

struct descriptor_reader pgrpc__descriptor_reader(struct descriptor_bytes message)
{
    struct descriptor_reader reader = {message.data, message.data, false};
    if (message.len)
        reader.end += message.len;
    return reader;
}

static bool read_varint(struct descriptor_reader *reader, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned i = 0; i < VARINT_MAX && reader->at < reader->end; i++) {
        uint8_t byte = (uint8_t)*reader->at++;
        result |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80)) {
            *value = result;
            return true;
        }
    }
    return false;
}

static bool skip(struct descriptor_reader *reader, uint64_t len)
{
    if (len > (size_t)(reader->end - reader->at))
        return false;
    reader->at += len;
    return true;
}

static bool read_value(struct descriptor_reader *reader, unsigned type,
                       struct descriptor_field *field)
{
    uint64_t len;
    switch (type) {
    case VARINT:
        return read_varint(reader, &field->varint);
    case FIXED64:
        return skip(reader, 8);
    case FIXED32:
        return skip(reader, 4);
    case COUNTED:
        if (!read_varint(reader, &len))
            return false;
        field->is_counted = true;
        field->bytes.data = reader->at;
        field->bytes.len = (size_t)len;
        return skip(reader, len);
    default: /* descriptors have no groups */
        return false;
    }
}

bool pgrpc__descriptor_next(struct descriptor_reader *reader, struct descriptor_field *field)
{
    if (reader->at == reader->end)
        return false;
    uint64_t tag;
    memset(field, 0, sizeof(*field));
    if (read_varint(reader, &tag) && tag >> TYPE_BITS != 0 && tag <= UINT32_MAX &&
        read_value(reader, (unsigned)tag & TYPE_MASK, field)) {
        field->number = (uint32_t)(tag >> TYPE_BITS);
        return true;
    }
    reader->is_bad = true;
    reader->at = reader->end;
    return false;
}

struct descriptor_bytes pgrpc__descriptor_get(struct descriptor_bytes message, uint32_t number)
{
    struct descriptor_reader reader = pgrpc__descriptor_reader(message);
    struct descriptor_field field;
    struct descriptor_bytes found = {NULL, 0};
    while (pgrpc__descriptor_next(&reader, &field))
        if (field.number == number && field.is_counted)
            found = field.bytes;
    return found;
}

/* --- symbols ------------------------------------------------------------------------------------
 */

enum scope { SCOPE_FILE, SCOPE_MESSAGE, SCOPE_SERVICE };

/* What a field of something declares. */
enum declares {
    DECLARES_NOTHING,
    DECLARES_LEAF,
    DECLARES_ENUM,
    DECLARES_MESSAGE,
    DECLARES_SERVICE
};

static enum declares declares(enum scope scope, const struct descriptor_field *field)
{
    static const uint8_t table[3][9] = {
        [SCOPE_FILE] = {[FILE_MESSAGE] = DECLARES_MESSAGE,
                        [FILE_ENUM] = DECLARES_ENUM,
                        [FILE_SERVICE] = DECLARES_SERVICE,
                        [FILE_EXTENSION] = DECLARES_LEAF},
        [SCOPE_MESSAGE] = {[MESSAGE_FIELD] = DECLARES_LEAF,
                           [MESSAGE_NESTED] = DECLARES_MESSAGE,
                           [MESSAGE_ENUM] = DECLARES_ENUM,
                           [MESSAGE_EXTENSION] = DECLARES_LEAF,
                           [MESSAGE_ONEOF] = DECLARES_LEAF},
        [SCOPE_SERVICE] = {[SERVICE_METHOD] = DECLARES_LEAF},
    };
    if (!field->is_counted || field->number >= sizeof(table[0]))
        return DECLARES_NOTHING;
    return (enum declares)table[scope][field->number];
}

static bool is_equal(struct descriptor_bytes a, struct descriptor_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool is_named(struct descriptor_bytes declaration, struct descriptor_bytes name)
{
    return is_equal(pgrpc__descriptor_get(declaration, ANY_NAME), name);
}

static bool has_value(struct descriptor_bytes declared_enum, struct descriptor_bytes name)
{
    struct descriptor_reader reader = pgrpc__descriptor_reader(declared_enum);
    struct descriptor_field field;
    while (pgrpc__descriptor_next(&reader, &field))
        if (field.number == ENUM_VALUE && field.is_counted && is_named(field.bytes, name))
            return true;
    return false;
}

static struct descriptor_bytes without_start(struct descriptor_bytes bytes, size_t len)
{
    return (struct descriptor_bytes){bytes.data + len, bytes.len - len};
}

/* Takes the part before the first dot off |name|. */
static struct descriptor_bytes take_part(struct descriptor_bytes *name)
{
    const char *dot = name->len ? memchr(name->data, '.', name->len) : NULL;
    struct descriptor_bytes part = {name->data, dot ? (size_t)(dot - name->data) : name->len};
    *name = dot ? without_start(*name, part.len + 1) : (struct descriptor_bytes){NULL, 0};
    return part;
}

/* Looks one part of a name up in a scope: what it is, and its declaration. */
static enum declares find_part(enum scope scope, struct descriptor_bytes in,
                               struct descriptor_bytes part, struct descriptor_bytes *declaration)
{
    struct descriptor_reader reader = pgrpc__descriptor_reader(in);
    struct descriptor_field field;
    while (pgrpc__descriptor_next(&reader, &field)) {
        enum declares what = declares(scope, &field);
        if (what == DECLARES_NOTHING)
            continue;
        if (is_named(field.bytes, part)) {
            *declaration = field.bytes;
            return what;
        }
        if (what == DECLARES_ENUM && has_value(field.bytes, part))
            return DECLARES_LEAF;
    }
    return DECLARES_NOTHING;
}

/* Takes the package and its dot off |symbol|; false when it is in another. */
static bool take_package(struct descriptor_bytes file, struct descriptor_bytes *symbol)
{
    struct descriptor_bytes package = pgrpc__descriptor_get(file, DESCRIPTOR_FILE_PACKAGE);
    if (package.len == 0)
        return true;
    if (symbol->len <= package.len || symbol->data[package.len] != '.' ||
        memcmp(symbol->data, package.data, package.len) != 0)
        return false;
    *symbol = without_start(*symbol, package.len + 1);
    return true;
}

enum descriptor_kind pgrpc__descriptor_find(struct descriptor_bytes file,
                                            struct descriptor_bytes symbol)
{
    struct descriptor_bytes in = file;
    enum scope scope = SCOPE_FILE;
    if (!take_package(file, &symbol))
        return DESCRIPTOR_NONE;
    while (true) {
        bool is_last = !symbol.len || !memchr(symbol.data, '.', symbol.len);
        struct descriptor_bytes part = take_part(&symbol);
        if (part.len == 0)
            return DESCRIPTOR_NONE;
        enum declares what = find_part(scope, in, part, &in);
        if (what == DECLARES_NOTHING)
            return DESCRIPTOR_NONE;
        if (is_last)
            return what == DECLARES_MESSAGE ? DESCRIPTOR_MESSAGE : DESCRIPTOR_OTHER;
        if (what != DECLARES_MESSAGE && what != DECLARES_SERVICE)
            return DESCRIPTOR_NONE;
        scope = what == DECLARES_MESSAGE ? SCOPE_MESSAGE : SCOPE_SERVICE;
    }
}

/* --- extensions ---------------------------------------------------------------------------------
 */

void pgrpc__descriptor_walk_init(struct descriptor_walk *walk, struct descriptor_bytes file)
{
    walk->levels[0] = pgrpc__descriptor_reader(file);
    walk->depth = 1;
    walk->is_bad = false;
}

static struct descriptor_extension read_extension(struct descriptor_bytes declaration)
{
    struct descriptor_reader reader = pgrpc__descriptor_reader(declaration);
    struct descriptor_extension extension = {{NULL, 0}, 0};
    struct descriptor_field field;
    while (pgrpc__descriptor_next(&reader, &field)) {
        if (field.number == FIELD_EXTENDEE && field.is_counted)
            extension.extendee = field.bytes;
        else if (field.number == FIELD_NUMBER && !field.is_counted)
            extension.number = (int32_t)field.varint;
    }
    if (extension.extendee.len && extension.extendee.data[0] == '.')
        extension.extendee = without_start(extension.extendee, 1);
    return extension;
}

bool pgrpc__descriptor_walk_next(struct descriptor_walk *walk,
                                 struct descriptor_extension *extension)
{
    struct descriptor_field field;
    while (walk->depth) {
        struct descriptor_reader *reader = &walk->levels[walk->depth - 1];
        bool is_file = walk->depth == 1;
        if (!pgrpc__descriptor_next(reader, &field)) {
            walk->is_bad |= reader->is_bad;
            walk->depth--;
        } else if (!field.is_counted) {
            continue;
        } else if (field.number == (is_file ? FILE_EXTENSION : MESSAGE_EXTENSION)) {
            *extension = read_extension(field.bytes);
            return true;
        } else if (field.number == (is_file ? FILE_MESSAGE : MESSAGE_NESTED)) {
            if (walk->depth == DESCRIPTOR_DEPTH_MAX)
                walk->is_bad = true;
            else
                walk->levels[walk->depth++] = pgrpc__descriptor_reader(field.bytes);
        }
    }
    return false;
}
