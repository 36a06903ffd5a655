/*
 * What a file's syntax or edition, and the features set in it, mean for a field.
 *
 * Features are handed down: a file has those of its edition, and what is set on a file, a message,
 * a oneof or a field counts for everything within.  proto2 and proto3 are editions here, too; but
 * in a file of proto2 strings are checked and numbers without a name are kept, as protobuf-c's
 * users are used to.
 */
#ifndef PLUGIN_FEATURE_H
#define PLUGIN_FEATURE_H

#include <stdbool.h>

#include "descriptor/descriptor.pb-c.h"

struct features {
    bool is_required;  /* field_presence LEGACY_REQUIRED */
    bool is_implicit;  /* field_presence IMPLICIT: what is zero is not sent */
    bool is_packed;    /* repeated_field_encoding PACKED */
    bool is_delimited; /* message_encoding DELIMITED: messages are sent as groups */
    bool is_closed;    /* enum_type CLOSED: a number without a name is an unknown field */
    bool is_unchecked; /* utf8_validation NONE */
};

/* The last edition whose rules are known here: up to it, all have those of 2023 by default. */
enum { FEATURES_LAST_EDITION = PB__EDITION__EDITION_2026 };

/* 998 for proto2, 999 for proto3. */
int features_edition(const Pb__FileDescriptorProto *file);

/* Of everything in |file| that says nothing else. */
struct features features_of_file(const Pb__FileDescriptorProto *file);

/* Below something that has |features| and sets |set|, which may be NULL. */
struct features features_within(struct features features, const Pb__FeatureSet *set);

/* Of a field whose message, or oneof, has |features|: with what the field itself sets, be it as a
 * feature or in the older ways (required, optional in proto3, packed, group). */
struct features features_of_field(struct features features, const Pb__FieldDescriptorProto *field,
                                  int edition);

#endif
