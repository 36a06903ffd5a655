/*
 * Types of codec2.proto as a file of an edition would have them that says what proto2 means to C++:
 * enum_type = CLOSED, utf8_validation = NONE.  The installed protoc need not know editions.
 */
#ifndef TESTS_FEATURES_H
#define TESTS_FEATURES_H

#include <protobuf-c/protobuf-c.h>

/* The same descriptor for the same |type|; never freed. One thread at a time. */
const ProtobufCMessageDescriptor *with_features(const ProtobufCMessageDescriptor *type);

#endif
