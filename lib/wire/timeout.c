#include "wire/timeout.h"

static const int64_t value_max = 99999999;

bool pgrpc__timeout_parse(const char *text, size_t len, int64_t *timeout_ms)
{
    if (len < 2 || len > TIMEOUT_TEXT_MAX)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < len - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = 10 * value + (text[i] - '0');
    }
    int64_t ms;
    switch (text[len - 1]) {
    case 'H':
        ms = value * 3600 * 1000;
        break;
    case 'M':
        ms = value * 60 * 1000;
        break;
    case 'S':
        ms = value * 1000;
        break;
    case 'm':
        ms = value;
        break;
    case 'u':
        ms = (value + 999) / 1000;
        break;
    case 'n':
        ms = (value + 999999) / 1000000;
        break;
    default:
        return false;
    }
    *timeout_ms = ms;
    return true;
}

size_t pgrpc__timeout_format(int64_t timeout_ms, char text[TIMEOUT_TEXT_MAX])
{
    static const struct {
        int64_t ms;
        char unit;
    } units[] = {{1, 'm'}, {1000, 'S'}, {60 * 1000, 'M'}, {3600 * 1000, 'H'}};

    int64_t value = 1;
    char unit = 'n';
    if (timeout_ms > TIMEOUT_MS_MAX)
        timeout_ms = TIMEOUT_MS_MAX;
    if (timeout_ms > 0) {
        unsigned i = 0;
        do {
            value = (timeout_ms + units[i].ms - 1) / units[i].ms;
            unit = units[i].unit;
            i++;
        } while (value > value_max);
    }

    char digits[TIMEOUT_TEXT_MAX];
    size_t count = 0;
    for (; value > 0; value /= 10)
        digits[count++] = (char)('0' + value % 10);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = unit;
    return count + 1;
}
