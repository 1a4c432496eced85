/* What a site's parameters mean, in words that files keep: scales belong to the bits, sign, groups
 * and codes that they were learned for. A text "quantizer.<site>" for each. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_KIND_H
#define DT_FAKEQUANT_KIND_H

#include "autograd/graph.h"
#include "autograd/quantizer.h"
#include "core/tensorfile.h"

enum { DT_KIND_TEXT = 160 };
#define DT_KIND_PREFIX "quantizer."

/* "lsq, 4 bits unsigned, 1 group, codes 0..15" */
void dt_kind_print(const dt_fakequant_conf *c, char text[DT_KIND_TEXT]);
/* Of every site of a graph, also of those without parameters, into the texts of `set`. */
dt_status dt_kind_tell(const dt_graph *g, dt_tensors *set, dt_error *err) DT_MUST_CHECK;
/* Does `set` say of any site what it was? */
bool dt_kind_is_told(const dt_tensors *set);
/* Whether what `set` says of a site is what it is here; `converted`: parameters of another method
 * are read into its own, which must agree in bits, sign and groups alone. False: `why` tells both.
 */
bool dt_kind_fits(const dt_node *site, const dt_tensors *set, bool converted, char *why,
                  size_t size);

#endif
