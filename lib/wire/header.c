#include "wire/header.h"

#include <stdint.h>
#include <string.h>

enum { NAME_MAX_LEN = 26 };

/* In order of length. */
static const struct {
    uint8_t len;
    uint8_t id;
    char name[NAME_MAX_LEN + 1];
} table[] = {
    {2, HEADER_TE, "te"},
    {4, HEADER_HOST, "host"},
    {5, HEADER_PATH, ":path"},
    {7, HEADER_METHOD, ":method"},
    {7, HEADER_SCHEME, ":scheme"},
    {7, HEADER_STATUS, ":status"},
    {7, HEADER_CONNECTION, "trailer"},
    {7, HEADER_CONNECTION, "upgrade"},
    {10, HEADER_AUTHORITY, ":authority"},
    {10, HEADER_USER_AGENT, "user-agent"},
    {10, HEADER_CONNECTION, "connection"},
    {10, HEADER_CONNECTION, "keep-alive"},
    {11, HEADER_GRPC_STATUS, "grpc-status"},
    {12, HEADER_CONTENT_TYPE, "content-type"},
    {12, HEADER_GRPC_MESSAGE, "grpc-message"},
    {12, HEADER_GRPC_TIMEOUT, "grpc-timeout"},
    {13, HEADER_GRPC_ENCODING, "grpc-encoding"},
    {14, HEADER_CONNECTION, "content-length"},
    {16, HEADER_CONNECTION, "proxy-connection"},
    {17, HEADER_CONNECTION, "transfer-encoding"},
    {17, HEADER_GRPC_MESSAGE_TYPE, "grpc-message-type"},
    {20, HEADER_GRPC_ACCEPT_ENCODING, "grpc-accept-encoding"},
    {22, HEADER_GRPC_RETRY_PUSHBACK_MS, "grpc-retry-pushback-ms"},
    {23, HEADER_GRPC_STATUS_DETAILS_BIN, "grpc-status-details-bin"},
    {26, HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS, "grpc-previous-rpc-attempts"},
    {NAME_MAX_LEN + 1, HEADER_OTHER, ""},
};

/* Index of the first entry that is as long or longer. */
static const uint8_t first_of_len[NAME_MAX_LEN + 1] = {0,  0,  0,  1,  1,  2,  3,  3,  8,
                                                       8,  8,  12, 13, 16, 17, 18, 18, 19,
                                                       21, 21, 21, 22, 22, 23, 24, 24, 24};

enum header_id pgrpc__header_find(const char *name, size_t len)
{
    /* Names of one length differ in their last character but one. */
    if (len <= NAME_MAX_LEN)
        for (unsigned i = first_of_len[len]; table[i].len == len; i++)
            if (table[i].name[len - 2] == name[len - 2] && memcmp(table[i].name, name, len) == 0)
                return (enum header_id)table[i].id;
    return len > 0 && name[0] == ':' ? HEADER_UNKNOWN_PSEUDO : HEADER_OTHER;
}
