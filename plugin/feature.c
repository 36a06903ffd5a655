#include "feature.h"

#include <string.h>

int features_edition(const Pb__FileDescriptorProto *file)
{
    if (file->has_edition)
        return (int)file->edition;
    if (file->syntax && strcmp(file->syntax, "proto3") == 0)
        return PB__EDITION__EDITION_PROTO3;
    return PB__EDITION__EDITION_PROTO2;
}

struct features features_of_file(const Pb__FileDescriptorProto *file)
{
    int edition = features_edition(file);
    const struct features features = {
        .is_implicit = edition == PB__EDITION__EDITION_PROTO3,
        .is_packed = edition > PB__EDITION__EDITION_PROTO2,
        .is_closed = edition <= PB__EDITION__EDITION_PROTO2,
    };
    return features_within(features, file->options ? file->options->features : NULL);
}

struct features features_within(struct features features, const Pb__FeatureSet *set)
{
    if (!set)
        return features;
    if (set->has_field_presence) {
        features.is_required =
            set->field_presence == PB__FEATURE_SET__FIELD_PRESENCE__LEGACY_REQUIRED;
        features.is_implicit = set->field_presence == PB__FEATURE_SET__FIELD_PRESENCE__IMPLICIT;
    }
    if (set->has_repeated_field_encoding)
        features.is_packed =
            set->repeated_field_encoding == PB__FEATURE_SET__REPEATED_FIELD_ENCODING__PACKED;
    if (set->has_message_encoding)
        features.is_delimited =
            set->message_encoding == PB__FEATURE_SET__MESSAGE_ENCODING__DELIMITED;
    if (set->has_enum_type)
        features.is_closed = set->enum_type == PB__FEATURE_SET__ENUM_TYPE__CLOSED;
    if (set->has_utf8_validation)
        features.is_unchecked = set->utf8_validation == PB__FEATURE_SET__UTF8_VALIDATION__NONE;
    return features;
}

struct features features_of_field(struct features features, const Pb__FieldDescriptorProto *field,
                                  int edition)
{
    const Pb__FieldOptions *options = field->options;
    features = features_within(features, options ? options->features : NULL);
    if (edition <= PB__EDITION__EDITION_PROTO3) {
        if (field->label == PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED)
            features.is_required = true;
        if (field->proto3_optional)
            features.is_implicit = false;
        if (options && options->has_packed)
            features.is_packed = options->packed;
    }
    if (field->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP)
        features.is_delimited = true;
    return features;
}
