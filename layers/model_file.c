/* A network that a YAML file describes, layer by layer (train/net/net_yaml.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"

static const dt_opt opts[] = {
    { "file", DT_OPT_TYPE_STR, offsetof(dt_model_source, path), 0, 0, 0, "",
      "list of layers in YAML, relative to the recipe", NULL },
    DT_OPT_STR(dt_model_source, sha256, "", "of the file; written where it is not given"),
    DT_OPT_END,
};

static const dt_model_source *file(const void *conf)
{
    return conf;
}

const dt_model dt_model_file = {
    .row = { "file", "a list of layers in a YAML file", opts, sizeof(dt_model_source) },
    .describes = true,
    .axes = -1,
    .inputs = true,
    .file = file,
};
