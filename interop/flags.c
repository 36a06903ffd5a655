#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags.h"

static const struct flag *find(const struct flag *flags, size_t flag_count, const char *name,
                               size_t len)
{
    for (size_t i = 0; i < flag_count; i++) {
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    }
    return NULL;
}

static int set_truth(const struct flag *flag, const char *text)
{
    bool yes = !strcmp(text, "true") || !strcmp(text, "1");
    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return -1;
    *(bool *)flag->value = yes;
    return 0;
}

static int set_number(const struct flag *flag, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > flag->max)
        return -1;
    *(int *)flag->value = (int)number;
    return 0;
}

static int set(const char *program, const struct flag *flag, const char *text)
{
    if (flag->kind == FLAG_TEXT)
        *(const char **)flag->value = text;
    else if (flag->kind == FLAG_TRUTH && set_truth(flag, text)) {
        fprintf(stderr, "%s: --%s is true or false, not \"%s\"\n", program, flag->name, text);
        return -1;
    } else if (flag->kind == FLAG_NUMBER && set_number(flag, text)) {
        fprintf(stderr, "%s: --%s is a number from 0 to %d, not \"%s\"\n", program, flag->name,
                flag->max, text);
        return -1;
    }
    return 0;
}

int flags_parse(const struct flag *flags, size_t flag_count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i] + strspn(argv[i], "-");
        size_t len = strcspn(name, "=");
        const struct flag *flag = find(flags, flag_count, name, len);
        if (name == argv[i] || !flag) {
            fprintf(stderr, "%s: there is no flag \"%s\"\n", argv[0], argv[i]);
            return -1;
        }
        const char *text = name[len] ? name + len + 1 : NULL;
        if (!text && flag->kind == FLAG_TRUTH)
            text = "true";
        else if (!text)
            text = argv[++i]; /* NULL at the end */
        if (!text) {
            fprintf(stderr, "%s: --%s needs a value\n", argv[0], flag->name);
            return -1;
        }
        if (set(argv[0], flag, text))
            return -1;
    }
    return 0;
}
