#include "h2/head_check.h"

#include <string.h>

#include "h2/hpack.h"

enum { AUTHORITY = 1, METHOD = 2, PATH = 4, SCHEME = 8, STATUS = 16, HOST = 32 };

static bool is_text(const char *text, size_t len, const char *expected)
{
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static bool is_text_in_any_case(const char *text, size_t len, const char *expected)
{
    if (len != strlen(expected))
        return false;
    for (size_t i = 0; i < len; i++) {
        char byte = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (byte != expected[i])
            return false;
    }
    return true;
}

/* RFC 3986 section 3.1 */
static bool is_scheme(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_other = (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' || byte == '.';
        if (!is_letter && (i == 0 || !is_other))
            return false;
    }
    return len > 0;
}

/* Decimal digits and nothing else; LENGTH_UNKNOWN otherwise. */
static int64_t parse_length(const char *text, size_t len)
{
    int64_t value = 0;

    if (len == 0)
        return LENGTH_UNKNOWN;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || value > (INT64_MAX - (text[i] - '0')) / 10)
            return LENGTH_UNKNOWN;
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

/* Three digits; 101 does not exist in HTTP/2. 0 otherwise. */
static int parse_status(const char *text, size_t len)
{
    int64_t value = parse_length(text, len);
    return len == 3 && value >= 100 && value != 101 ? (int)value : 0;
}

void pgrpc__head_check_init(struct head_check *check, bool is_request, enum h2_head_kind kind,
                            int64_t content_length)
{
    memset(check, 0, sizeof(*check));
    check->is_request = is_request;
    check->is_trailers = kind == H2_HEAD_TRAILERS;
    check->content_length = content_length;
}

static bool mark(struct head_check *check, unsigned bit)
{
    if (check->seen & bit)
        return false;
    check->seen |= bit;
    return true;
}

static void look_at_path(struct head_check *check, const struct header_field *field)
{
    check->path_start = field->value[0];
    check->is_path_asterisk = is_text(field->value, field->value_len, "*");
}

static void look_at_method(struct head_check *check, const struct header_field *field)
{
    check->is_connect = is_text(field->value, field->value_len, "CONNECT");
    check->is_options = is_text(field->value, field->value_len, "OPTIONS");
}

static bool check_pseudo(struct head_check *check, const struct header_field *field)
{
    const char *value = field->value;
    size_t len = field->value_len;
    enum header_id id = pgrpc__header_find(field->name, field->name_len);

    if (check->is_trailers || check->is_regular_seen || len == 0)
        return false;
    if (!check->is_request) {
        if (id != HEADER_STATUS || !mark(check, STATUS))
            return false;
        check->status = parse_status(value, len);
        return check->status != 0;
    }
    switch (id) {
    case HEADER_AUTHORITY:
        return mark(check, AUTHORITY) && pgrpc__hpack_is_authority(value, len);
    case HEADER_METHOD:
        look_at_method(check, field);
        return mark(check, METHOD) && pgrpc__hpack_is_method(value, len);
    case HEADER_PATH:
        look_at_path(check, field);
        return mark(check, PATH) && pgrpc__hpack_is_path(value, len);
    case HEADER_SCHEME:
        check->is_http =
            is_text_in_any_case(value, len, "http") || is_text_in_any_case(value, len, "https");
        return mark(check, SCHEME) && is_scheme(value, len);
    default:
        return false;
    }
}

static enum head_verdict check_length(struct head_check *check, const struct header_field *field)
{
    if (check->content_length != LENGTH_UNKNOWN)
        return HEAD_BAD;
    if (!check->is_request && check->status == 204) {
        /* It must not be there, and some servers send it all the same. */
        check->content_length = 0;
        return is_text(field->value, field->value_len, "0") ? HEAD_DROP : HEAD_BAD;
    }
    if (!check->is_request && check->status / 100 == 1)
        return HEAD_BAD;
    check->content_length = parse_length(field->value, field->value_len);
    return check->content_length == LENGTH_UNKNOWN ? HEAD_BAD : HEAD_KEEP;
}

/* A field that HTTP/2 has no use for (RFC 9113 section 8.2.2). */
static bool is_of_connections(const struct header_field *field)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (is_text(field->name, field->name_len, names[i]))
            return true;
    }
    return false;
}

enum head_verdict pgrpc__head_check_field(struct head_check *check,
                                          const struct header_field *field)
{
    if (field->name_len > 0 && field->name[0] == ':')
        return check_pseudo(check, field) ? HEAD_KEEP : HEAD_BAD;
    check->is_regular_seen = true;
    if (!pgrpc__hpack_is_name(field->name, field->name_len)) {
        for (size_t i = 0; i < field->name_len; i++) {
            if (field->name[i] >= 'A' && field->name[i] <= 'Z')
                return HEAD_BAD;
        }
        return HEAD_DROP;
    }
    switch (pgrpc__header_find(field->name, field->name_len)) {
    case HEADER_HOST:
        if (!check->is_request)
            break;
        if (!pgrpc__hpack_is_authority(field->value, field->value_len))
            return HEAD_DROP;
        return mark(check, HOST) && field->value_len > 0 ? HEAD_KEEP : HEAD_BAD;
    case HEADER_TE:
        return is_text_in_any_case(field->value, field->value_len, "trailers") ? HEAD_KEEP
                                                                               : HEAD_BAD;
    case HEADER_CONNECTION:
        if (is_text(field->name, field->name_len, "content-length"))
            return check_length(check, field);
        if (is_of_connections(field))
            return HEAD_BAD;
        break;
    default:
        break;
    }
    return pgrpc__hpack_is_value(field->value, field->value_len) ? HEAD_KEEP : HEAD_DROP;
}

static bool end_request(struct head_check *check)
{
    enum { REQUIRED = METHOD | PATH | SCHEME };

    if (check->is_connect) {
        check->content_length = LENGTH_UNKNOWN;
        return (check->seen & (SCHEME | PATH | AUTHORITY)) == AUTHORITY;
    }
    if ((check->seen & REQUIRED) != REQUIRED || !(check->seen & (AUTHORITY | HOST)))
        return false;
    return !check->is_http || check->path_start == '/' ||
           (check->is_options && check->is_path_asterisk);
}

bool pgrpc__head_check_end(struct head_check *check)
{
    if (check->is_trailers)
        return true;
    if (check->is_request)
        return end_request(check);
    if (check->status == 204 || check->status == 304)
        check->content_length = 0;
    return check->status != 0;
}

bool pgrpc__head_check_is_informational(const struct head_check *check)
{
    return check->status / 100 == 1;
}
