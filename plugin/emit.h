/*
 * Writing the files of a .proto.
 *
 * Generated code is tables and one-line wrappers.  A wrapper of a service is described once, by a
 * struct emit_function; from it come its prototype, its definition and the check that its name is
 * free. Code is written as templates in which a letter after '$' stands for a name:
 *
 *   $S  service, Helloworld__Greeter         $N  the same in the .proto, helloworld.Greeter
 *   $M  method, Helloworld__Greeter__chat    $P  the same in the .proto, Chat
 *   $H  the method's member in handlers      $I  the method's number
 *   $Q  request type    $q  its descriptor   $F  file, dir_2fx_2eproto
 *   $R  reply type      $r  its descriptor
 *   $T  message, Acme__Foo    $L  acme__foo    $U  ACME__FOO    $B  its base member
 *   $X  what dllexport_decl asks for, with a space; mostly empty
 */
#ifndef PLUGIN_EMIT_H
#define PLUGIN_EMIT_H

#include "message.h"

/* What the letters of a template stand for; what no letter needs may be NULL. */
struct emit_scope {
    const struct model_file *file;
    const struct model_service *service;
    const struct model_method *method;
    const struct message *message;
};

struct emit_function {
    unsigned kinds;      /* enum model_kind: the rpcs that have this function */
    const char *verb;    /* "__start"; "" for the blocking call, which is the rpc itself */
    const char *comment; /* for the header */
    const char *returns; /* templates from here on */
    const char *parameters;
    const char *body;
};

/* emit_client.c, emit_server.c; a function without parameters ends the array. */
extern const struct emit_function emit_client_functions[];
extern const struct emit_function emit_server_functions[];

enum { EMIT_COLUMNS = 100 };

/* Appends the template |form|.  Lines over EMIT_COLUMNS are broken where arguments begin. */
void emit(struct text *out, const struct emit_scope *scope, const char *form);

/* Appends words for a comment: they cannot end it, begin another, hold a trigraph, or show a reader
 * something else than they say. */
void emit_harmless(struct text *out, const char *words, size_t len);

/* Appends a comment: |title| unless that is NULL, then the words of the .proto, made harmless for
 * C. Nothing when there is nothing to say. */
void emit_comment(struct text *out, const char *title, const char *words, bool is_deprecated);

/* Appends a C string.  Octal escapes, as they have an end; no question mark, so no trigraph. */
void emit_quoted(struct text *out, const char *bytes, size_t len);

/* Appends a file's first line, and "--- title ---..." over the whole width. */
void emit_top(struct text *out, const struct model_file *file);
void emit_banner(struct text *out, const char *title);

/* Appends prototypes, or definitions, of those |functions| that the method in |scope| has. */
void emit_prototypes(struct text *out, const struct emit_scope *scope,
                     const struct emit_function *functions);
void emit_definitions(struct text *out, const struct emit_scope *scope,
                      const struct emit_function *functions);

/* emit_server.c: the handlers of a service and how they are registered. */
void emit_server_header(struct text *out, const struct emit_scope *scope);
void emit_server_source(struct text *out, const struct emit_scope *scope);

/*
 * emit_message.c: the whole of x.pb-c.h; emit_table.c: that of x.pb-c.c.
 *
 * The functions of a message only call protobuf-c with the message's table.  A codec made for one
 * message alone would take the place of their bodies, and of a reserved word of the table for those
 * who have only that; programs would not see it.
 */
void emit_message_header(struct text *out, const struct message_file *file);
void emit_message_source(struct text *out, const struct message_file *file);

/* emit_file.c: the whole of x.pgrpc.h and x.pgrpc.c. */
void emit_header(struct text *out, const struct model_file *file);
void emit_source(struct text *out, const struct model_file *file);

#endif
