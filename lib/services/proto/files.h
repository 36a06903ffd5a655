/*
 * The descriptors of the bundled services under their official names, for reflection.  Messages
 * stand in *.pb-c.[ch] under a C package of our own, so that an application may link its own
 * copies; the two versions of reflection have the same messages.  All of it is written by
 * "tests/golden/check-bundled --update" from the .proto files in this folder.
 */
#ifndef PGRPC__SERVICES_PROTO_FILES_H
#define PGRPC__SERVICES_PROTO_FILES_H

#include "picogrpc/codegen.h"

extern const struct pgrpc_file pgrpc__health_file;
extern const struct pgrpc_file pgrpc__reflection_file;
extern const struct pgrpc_file pgrpc__reflection_alpha_file;

#endif
