/* A recipe from its file, or the one that a checkpoint or an exported file holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_RECIPE_OPEN_H
#define DT_TRAIN_NET_RECIPE_OPEN_H

#include "recipes/recipe.h"

/* Whether the file at `path` is one of our checkpoints, by its first block. */
bool dt_is_checkpoint(const char *path);
/* Whether it is a network for other runtimes that can be a recipe's model. */
bool dt_is_graph(const char *path);
/* Reads the recipe at `path` with overrides "key=value"; of a checkpoint the recipe that it holds,
 * started from it (model.init); of an ONNX file that we exported its recipe with the file as its
 * model, whose quantizers are the file's. */
dt_status dt_recipe_open(const char *path, const char *const *overrides, size_t count,
                         dt_recipe **out, dt_error *err) DT_MUST_CHECK;

/* ARG: a file of weights or of a network, told by its content, where a recipe is wanted. Files that
 * cannot be read are left to the recipe's reader. */
dt_status dt_recipe_check_file(const char *path, dt_error *err) DT_MUST_CHECK;

#endif
