/* A network of another program: its graph and its first weights are read from an ONNX file
 * (exchange/onnx/reader). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"

static const dt_opt opts[] = {
    { "onnx", DT_OPT_TYPE_STR, offsetof(dt_model_source, path), 0, 0, 0, "",
      "file of the network, relative to the recipe; its data may lie below its folder", NULL },
    DT_OPT_STR(dt_model_source, sha256, "",
               "of the file and the data that it names; written where it is not given"),
    DT_OPT_END,
};

static const dt_model_source *file(const void *conf)
{
    return conf;
}

const dt_model dt_model_onnx = {
    .row = { "onnx", "a network read from an ONNX file", opts, sizeof(dt_model_source) },
    .axes = -1,
    .inputs = true,
    .file = file,
};
