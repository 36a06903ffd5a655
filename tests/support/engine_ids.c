#include "engine_ids.h"

#include "nghttp2_engine.h"

void engine_ids_skip(struct h2_connection *connection, int32_t next_id)
{
    if (connection->ops == &nghttp2_engine)
        nghttp2_session_set_next_stream_id(connection->engine->session, next_id);
    else
        engine_ids_skip_frames(connection->engine, next_id);
}
