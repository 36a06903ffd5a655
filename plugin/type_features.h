/* What features mean for types, also for those that other files bring. */
#ifndef PLUGIN_TYPE_FEATURES_H
#define PLUGIN_TYPE_FEATURES_H

#include "feature.h"
#include "model.h"

/* Sets |is_closed| and |has_groups| of all types; false when the descriptors contradict themselves.
 */
bool type_features_resolve(struct model *model);

/* Whether |field| of |message|, whose features are |features|, is sent as a group. */
bool type_features_is_group(const struct model *model, const struct model_type *message,
                            const Pb__FieldDescriptorProto *field, struct features features);

#endif
