#include "engine_ids.h"

#include "h2/frame_engine.h"

void engine_ids_skip_frames(struct h2_engine *engine, int32_t next_id)
{
    engine->next_id = next_id;
}
