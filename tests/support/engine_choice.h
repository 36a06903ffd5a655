/*
 * Every test program that includes this runs on the HTTP/2 engine that H2_ENGINE names in its
 * environment ("nghttp2", "frames"), without it on the default one.
 */
#ifndef TESTS_ENGINE_CHOICE_H
#define TESTS_ENGINE_CHOICE_H

#include <stdbool.h>

extern const bool engine_is_chosen;
/* Makes the linker take the file that chooses before main. */
__attribute__((used)) static const bool *const engine_choice = &engine_is_chosen;

#endif
