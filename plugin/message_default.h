/*
 * What a field has before anybody sets it, in C.
 */
#ifndef PLUGIN_MESSAGE_DEFAULT_H
#define PLUGIN_MESSAGE_DEFAULT_H

#include "message.h"

/* Sets default_name, default_value, default_len and initial of |field|, whose other members are
 * set.  |lower| is the message's, |has_const_strings| the file's. */
void message_set_default(struct model *model, const char *lower, bool has_const_strings,
                         const Pb__FieldDescriptorProto *proto, struct message_field *field);

#endif
