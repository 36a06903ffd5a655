/*
 * Flags of the command line, as the interop programs of all languages take them: --name=value,
 * --name value, or --name alone for a truth.  What is wrong is said in one line.
 */
#ifndef INTEROP_FLAGS_H
#define INTEROP_FLAGS_H

#include <stddef.h>

enum flag_kind {
    FLAG_TEXT = 0,   /* const char * */
    FLAG_NUMBER = 1, /* int, from 0 on */
    FLAG_TRUTH = 2   /* bool */
};

struct flag {
    const char *name; /* without dashes */
    enum flag_kind kind;
    void *value; /* of the kind's type; it holds the default */
    int max;     /* of a number */
};

/* Sets the values that |argv| gives. 0, or -1 after a line on stderr. */
int flags_parse(const struct flag *flags, size_t flag_count, int argc, char **argv);

#endif
