/*
 * protobuf-c's spelling of names.
 *
 * Stubs use the types and descriptors of x.pb-c.h, so what is written here must be what
 * protoc-gen-c writes.  A full name is split at its dots and the parts are joined by "__":
 *
 *   acme.HTTPThing.v1_beta2   type   Acme__HTTPThing__V1Beta2      '_' dropped, next letter raised
 *                             lower  acme__httpthing__v1_beta2     '_' before a capital that
 *                                                                  follows a non-capital
 *
 * Runs of capitals stay together (GetURL is get_url), and so do letters that protoc-gen-c leaves
 * together.  Results live in the pool; "" when it is out of memory.
 */
#ifndef PLUGIN_NAMES_H
#define PLUGIN_NAMES_H

#include <stdbool.h>

#include "pool.h"

/* scope.name, or the name alone when |scope| is "". */
const char *names_join(struct pool *pool, const char *scope, const char *name);

/* |full_name| (no leading dot) with the |package| it starts with replaced by |c_package|, unless
 * that is NULL. */
const char *names_in_c_package(struct pool *pool, const char *full_name, const char *package,
                               const char *c_package);

/* acme.say_it -> Acme__SayIt: messages, enums, services. */
const char *names_type(struct pool *pool, const char *full_name);

/* acme.SayIt -> acme__say_it: descriptors, rpcs. */
const char *names_lower(struct pool *pool, const char *full_name);

/* acme.SayIt -> ACME__SAY_IT: enumerators, macros. */
const char *names_upper(struct pool *pool, const char *full_name);

/* dir/a-b -> dir_2fa_2db: a path as part of an identifier; different paths stay different. */
const char *names_path(struct pool *pool, const char *path);

/* dir/x.proto -> dir/x */
const char *names_stem(struct pool *pool, const char *path);

/* May |name| be the name of something in C? */
bool names_is_identifier(const char *name);

/* fooBar -> foobar, for -> for_: a field as a member of its message's struct. */
const char *names_member(struct pool *pool, const char *field);

/* No name for a member in C++, and a good one in every C: protobuf-c leaves it as it is. */
bool names_is_cxx_keyword(const char *name);

/* Is |name|, that of an rpc, a keyword of C or C++ or a macro of a common system header? */
bool names_is_taken(const char *name);

#endif
