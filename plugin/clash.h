/*
 * Names that would meet in C although they differ in the .proto.
 *
 * Stubs keep out of the way of protoc-gen-c by construction (a capitalised service, "__", a lower
 * case rpc).  What is left: rpcs, services or enum values that differ only in what C names drop.
 */
#ifndef PLUGIN_CLASH_H
#define PLUGIN_CLASH_H

#include "model.h"

/* Adds an error for every name that the stubs of |file| define a second time. */
void clash_check(struct model *model, const struct model_file *file);

#endif
