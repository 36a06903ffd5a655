#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_choice.h"
#include "nghttp2_engine.h"
#include "h2/engine.h"

const bool engine_is_chosen = true;

__attribute__((constructor)) static void choose_engine(void)
{
    static const struct h2_engine_ops *const engines[] = {&nghttp2_engine, &pgrpc__h2_frame_engine};
    const char *name = getenv("H2_ENGINE");
    if (!name || *name == '\0')
        return;
    for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++) {
        if (strcmp(name, engines[i]->name) == 0) {
            pgrpc__h2_engine_default = engines[i];
            return;
        }
    }
    fprintf(stderr, "H2_ENGINE: there is no engine \"%s\"\n", name);
    exit(99);
}
