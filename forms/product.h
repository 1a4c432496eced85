/* The parts of the form `product` that lie in product_onnx.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FORMS_PRODUCT_H
#define DT_FORMS_PRODUCT_H

#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"

dt_status dt_product_onnx(dt_onnx_walker *w, const dt_node *n);
dt_status dt_product_qoperator(dt_qoperator_walk *w, const dt_int_node *product,
                               const dt_int_node *n);
dt_status dt_product_qonnx(dt_qonnx_walk *w, const dt_int_node *n);

#endif
