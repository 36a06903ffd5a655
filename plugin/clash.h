/*
 * Names that would meet in C although they differ in the .proto, and names that C does not allow.
 *
 * Stubs keep out of the way of messages by construction (a capitalised service, "__", a lower case
 * rpc), and within a struct names give way.  What is left: types, rpcs, services or enum values
 * that differ only in what C names drop.
 */
#ifndef PLUGIN_CLASH_H
#define PLUGIN_CLASH_H

#include "message.h"

/* Adds an error for every name that |file| defines a second time.  |messages| are those of |file|,
 * NULL when another generator writes them: then only the stubs are ours to check. */
void clash_check(struct model *model, const struct model_file *file,
                 const struct message_file *messages);

#endif
