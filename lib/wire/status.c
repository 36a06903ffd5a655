#include "wire/status.h"

#include <string.h>

enum { CODE_COUNT = PGRPC_UNAUTHENTICATED + 1 };

const char *pgrpc_code_name(enum pgrpc_code code)
{
    static const char *const names[CODE_COUNT] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    return (unsigned)code < CODE_COUNT ? names[(unsigned)code] : "UNKNOWN_CODE";
}

enum pgrpc_code pgrpc__status_parse(const char *text, size_t len)
{
    if (len == 1 && text[0] >= '0' && text[0] <= '9')
        return (enum pgrpc_code)(text[0] - '0');
    if (len == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '6')
        return (enum pgrpc_code)(10 + text[1] - '0');
    return PGRPC_UNKNOWN;
}

size_t pgrpc__status_format(enum pgrpc_code code, char text[STATUS_TEXT_MAX])
{
    if ((unsigned)code >= CODE_COUNT)
        code = PGRPC_UNKNOWN;
    if (code < 10) {
        text[0] = (char)('0' + (int)code);
        return 1;
    }
    text[0] = '1';
    text[1] = (char)('0' + (int)code - 10);
    return 2;
}

enum pgrpc_code pgrpc__status_from_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return PGRPC_INTERNAL;
    case 401:
        return PGRPC_UNAUTHENTICATED;
    case 403:
        return PGRPC_PERMISSION_DENIED;
    case 404:
        return PGRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return PGRPC_UNAVAILABLE;
    default:
        return PGRPC_UNKNOWN;
    }
}

enum pgrpc_code pgrpc__status_from_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case 7: /* REFUSED_STREAM */
        return PGRPC_UNAVAILABLE;
    case 8: /* CANCEL */
        return PGRPC_CANCELLED;
    case 11: /* ENHANCE_YOUR_CALM */
        return PGRPC_RESOURCE_EXHAUSTED;
    case 12: /* INADEQUATE_SECURITY */
        return PGRPC_PERMISSION_DENIED;
    default:
        /* STREAM_CLOSED and HTTP_1_1_REQUIRED have no mapping; unknown ones count as
         * INTERNAL_ERROR (RFC 9113 section 7). */
        return PGRPC_INTERNAL;
    }
}

/* |lower_case| has |len| characters in lower case. */
static bool is_same_but_for_case(const char *text, const char *lower_case, size_t len)
{
    if (memcmp(text, lower_case, len) == 0)
        return true;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower_case[i])
            return false;
    }
    return true;
}

bool pgrpc__content_type_parse(const char *text, size_t len, const char **subtype,
                               size_t *subtype_len)
{
    static const char prefix[] = "application/grpc";
    const size_t prefix_len = sizeof(prefix) - 1;

    if (len < prefix_len || !is_same_but_for_case(text, prefix, prefix_len))
        return false;

    size_t start = prefix_len;
    if (start < len && text[start] == '+')
        start++;
    size_t end = start;
    while (end < len && text[end] != ';' && text[end] != ' ' && text[end] != '\t')
        end++;
    /* Without '+', something else goes on: application/grpc-web. */
    if (start == prefix_len && end > start)
        return false;
    size_t rest = end;
    while (rest < len && (text[rest] == ' ' || text[rest] == '\t'))
        rest++;
    if (rest < len && text[rest] != ';')
        return false;
    *subtype = text + start;
    *subtype_len = end - start;
    return true;
}
