/* A network in YAML, layer by layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_INSPECT_INSPECT_YAML_H
#define DT_TRAIN_INSPECT_INSPECT_YAML_H

#include "core/alloc.h"
#include "core/shape.h"
#include "core/status.h"

typedef struct dt_inspect_layer_row {
    const char *name, *op; /* borrowed until the callback returns */
    dt_shape shape;        /* of its output, for pictures of 32x32 */
    int64_t params;        /* numbers of its parameters and buffers */
} dt_inspect_layer_row;

/* Is it a file of such a network, by its name? */
bool dt_inspect_is_yaml(const char *path);
/* Calls fn for every layer, up to the first that does not fit. Errors: those of dt_yaml_net_open
 * and dt_yaml_net_build. */
dt_status dt_inspect_yaml(const char *path, void (*fn)(void *arg, const dt_inspect_layer_row *row),
                          void *arg, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
