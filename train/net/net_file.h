/* Networks whose graph is read from a file of another program. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_FILE_H
#define DT_TRAIN_NET_NET_FILE_H

#include "exchange/onnx/reader/onnx_graph.h"
#include "train/net/net.h"

/* Opens the file, which is kept in net->file, and adds its nodes. SHAPE: it has other classes than
 * the recipe; FORMAT: it is another file than the recipe's. */
dt_status dt_net_file_build(dt_net *net, const dt_recipe *recipe, const dt_model_source *file,
                            dt_builder *b, dt_error *err) DT_MUST_CHECK;
/* Its numbers become those of the parameters of the same names, but for those that the recipe
 * starts anew; closes it. */
void dt_net_file_fill(dt_net *net, const dt_recipe *recipe);

#endif
