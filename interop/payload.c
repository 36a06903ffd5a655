#include <string.h>

#include "payload.h"

static uint8_t zeros[PAYLOAD_MAX];

Grpc__Testing__Payload payload_zeros(size_t len)
{
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    payload.body.data = zeros;
    payload.body.len = len;
    return payload;
}

bool payload_is_zeros(const Grpc__Testing__Payload *payload, size_t len)
{
    if (!payload)
        return len == 0;
    return payload->type == GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE && payload->body.len == len &&
           len <= PAYLOAD_MAX && (len == 0 || memcmp(payload->body.data, zeros, len) == 0);
}
