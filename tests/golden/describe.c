/*
 * Prints all that descriptors say, and what a message has after init, as text: equal text from two
 * generators means that their code can be exchanged.  "compare" builds it with a list of the
 * descriptors of some files.
 */
#include <inttypes.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const ProtobufCMessageDescriptor *const described_messages[];
extern const ProtobufCEnumDescriptor *const described_enums[];

static const char *text(const char *string)
{
    return string ? string : "NULL";
}

static void print_ranges(unsigned count, const ProtobufCIntRange *ranges)
{
    for (unsigned i = 0; ranges && i <= count; i++) /* the last one tells the end */
        printf("  range %d at %u\n", ranges[i].start_value, ranges[i].orig_index);
}

static void print_bytes(const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;
    putchar('"');
    for (size_t i = 0; i < len; i++)
        printf(byte[i] >= ' ' && byte[i] <= '~' ? "%c" : "\\%03o", byte[i]);
    putchar('"');
}

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
    if (!field->descriptor)
        return "none";
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return text(((const ProtobufCEnumDescriptor *)field->descriptor)->c_name);
    return text(((const ProtobufCMessageDescriptor *)field->descriptor)->c_name);
}

/* protoc-gen-c writes floating defaults with 6 and 15 digits. */
static void print_value(const ProtobufCFieldDescriptor *field, const void *value)
{
    ProtobufCBinaryData bytes;
    uint64_t eight;
    uint32_t four;
    double real;
    float single;
    const void *pointer;
    switch (field->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(&real, value, sizeof(real));
        printf("%.15g", real);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        memcpy(&single, value, sizeof(single));
        printf("%.6g", (double)single);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&eight, value, sizeof(eight));
        printf("%" PRIu64, eight);
        break;
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&pointer, value, sizeof(pointer));
        if (pointer)
            print_bytes(pointer, strlen(pointer));
        else
            printf("NULL");
        break;
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&bytes, value, sizeof(bytes));
        print_bytes(bytes.data, bytes.len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(&pointer, value, sizeof(pointer));
        printf(pointer ? "set" : "NULL");
        break;
    default:
        memcpy(&four, value, sizeof(four));
        printf("%" PRIu32, four);
    }
}

/* Two defaults of protoc-gen-c make the runtime crash, so ours are not there: an empty string that
 * is read as ProtobufCBinaryData, and one that is copied into a union. */
static bool is_harmful(const ProtobufCMessageDescriptor *message,
                       const ProtobufCFieldDescriptor *field)
{
    return field->default_value == &protobuf_c_empty_string &&
           (field->type == PROTOBUF_C_TYPE_BYTES ||
            (!message->message_init && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)));
}

static void print_default(const ProtobufCMessageDescriptor *message,
                          const ProtobufCFieldDescriptor *field)
{
    printf("    default ");
    if (!field->default_value || is_harmful(message, field))
        printf("none\n");
    else if (field->default_value == &protobuf_c_empty_string)
        printf("empty string\n");
    else if (field->type == PROTOBUF_C_TYPE_STRING)
        print_value(field, &field->default_value), putchar('\n');
    else
        print_value(field, field->default_value), putchar('\n');
}

static void print_field(const ProtobufCMessageDescriptor *message,
                        const ProtobufCFieldDescriptor *field)
{
    printf("  field %" PRIu32 " %s: label %d, type %d, quantifier at %u, at %u, flags %" PRIu32
           ", %s\n",
           field->id, text(field->name), (int)field->label, (int)field->type,
           field->quantifier_offset, field->offset, field->flags, type_name(field));
    printf("    reserved %u %d %d\n", field->reserved_flags, field->reserved2 != NULL,
           field->reserved3 != NULL);
    print_default(message, field);
}

static void print_initial(const ProtobufCMessageDescriptor *descriptor)
{
    if (!descriptor->message_init) {
        printf("  no init\n");
        return;
    }
    char *memory = malloc(descriptor->sizeof_message);
    if (!memory)
        exit(1);
    memset(memory, 0xaa, descriptor->sizeof_message);
    descriptor->message_init((ProtobufCMessage *)memory);
    printf("  init: descriptor %s, unknown fields %u\n",
           ((ProtobufCMessage *)memory)->descriptor == descriptor ? "own" : "other",
           ((ProtobufCMessage *)memory)->n_unknown_fields);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        uint32_t quantifier = 0;
        if (field->quantifier_offset)
            memcpy(&quantifier, memory + field->quantifier_offset, sizeof(quantifier));
        printf("    %" PRIu32 ": %" PRIu32 ", ", field->id, quantifier);
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            printf(*(void **)(void *)(memory + field->offset) ? "set" : "NULL");
        else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            printf("in a oneof");
        else
            print_value(field, memory + field->offset);
        putchar('\n');
    }
    free(memory);
}

static void print_message(const ProtobufCMessageDescriptor *descriptor)
{
    printf("message %s, %s, %s, of %s: magic %" PRIx32 ", size %zu, fields %u, ranges %u\n",
           text(descriptor->name), text(descriptor->short_name), text(descriptor->c_name),
           text(descriptor->package_name), descriptor->magic, descriptor->sizeof_message,
           descriptor->n_fields, descriptor->n_field_ranges);
    printf("  reserved %d %d %d\n", descriptor->reserved1 != NULL, descriptor->reserved2 != NULL,
           descriptor->reserved3 != NULL);
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        print_field(descriptor, &descriptor->fields[i]);
    for (unsigned i = 0; descriptor->fields_sorted_by_name && i < descriptor->n_fields; i++)
        printf("  by name: %u\n", descriptor->fields_sorted_by_name[i]);
    print_ranges(descriptor->n_field_ranges, descriptor->field_ranges);
    print_initial(descriptor);
}

static void print_enum(const ProtobufCEnumDescriptor *descriptor)
{
    printf("enum %s, %s, %s, of %s: magic %" PRIx32 ", values %u, names %u, ranges %u\n",
           text(descriptor->name), text(descriptor->short_name), text(descriptor->c_name),
           text(descriptor->package_name), descriptor->magic, descriptor->n_values,
           descriptor->n_value_names, descriptor->n_value_ranges);
    for (unsigned i = 0; i < descriptor->n_values; i++)
        printf("  value %d %s, %s\n", descriptor->values[i].value, text(descriptor->values[i].name),
               text(descriptor->values[i].c_name));
    for (unsigned i = 0; i < descriptor->n_value_names; i++)
        printf("  by name: %s, %u\n", descriptor->values_by_name[i].name,
               descriptor->values_by_name[i].index);
    print_ranges(descriptor->n_value_ranges, descriptor->value_ranges);
}

int main(void)
{
    for (size_t i = 0; described_enums[i]; i++)
        print_enum(described_enums[i]);
    for (size_t i = 0; described_messages[i]; i++)
        print_message(described_messages[i]);
    return 0;
}
