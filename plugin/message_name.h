/*
 * Names within a message: its struct's members, and the types and enumerators of its oneofs.
 *
 * What is taken already gets '_' appended until it is free.  Members come in the .proto's order, so
 * that a field added at the end changes no other's name.
 */
#ifndef PLUGIN_MESSAGE_NAME_H
#define PLUGIN_MESSAGE_NAME_H

#include "message.h"

/* Names the fields and oneofs of |message|, which know one another.  False when out of memory. */
bool message_name(struct pool *pool, struct message *message);

#endif
