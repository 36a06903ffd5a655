#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const uint8_t *pattern(void)
{
    static uint8_t bytes[PATTERN_MAX];
    static int filled;

    if (!filled) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i % 251);
        filled = 1;
    }
    return bytes;
}

uint32_t sum(const uint8_t *data, size_t len)
{
    uint32_t total = 0;

    for (size_t i = 0; i < len; i++)
        total += data[i];
    return total;
}

void *must_alloc(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        die("out of memory");
    return memory;
}

char *must_copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(must_alloc(size), text, size);
}

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

void sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}
