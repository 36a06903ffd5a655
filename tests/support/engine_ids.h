/* Moves a client's engine on to a stream id that takes too long to reach. */
#ifndef TESTS_ENGINE_IDS_H
#define TESTS_ENGINE_IDS_H

#include "h2/connection_private.h"

void engine_ids_skip(struct h2_connection *connection, int32_t next_id);
/* Of the engine whose files know how: each has a struct h2_engine of its own. */
void engine_ids_skip_frames(struct h2_engine *engine, int32_t next_id);

#endif
