/* The forms that a side of the section `quant` may have. Inside recipes/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_RECIPES_QUANT_H
#define DT_RECIPES_QUANT_H

#include "recipes/section.h"

/* Where a side is: decides its short forms and what an absent key means. */
typedef enum dt_quant_form {
    DT_QUANT_EDGE,     /* first, last; absent bits: 8 */
    DT_QUANT_SHORTCUT, /* absent: body */
    DT_QUANT_RULE,     /* absent: nothing */
} dt_quant_form;

/* Adds `in` (NULL: absent) to the effective tree as `key` of `parent`, in the canonical form: the
 * word none or body, or a map of the given keys in one order. `body`: the method of quant.weights
 * or quant.activations, whose options the side has when it names no method. */
dt_status dt_quant_emit_side(dt_reader *r, const dt_yaml_node *in, dt_quant_form f,
                             const dt_row *body, dt_yaml_node *parent, const char *key,
                             dt_error *err) DT_MUST_CHECK;
/* The same for quant.weights and quant.activations, with all defaults; tells the method. */
dt_status dt_quant_emit_body(dt_reader *r, const dt_yaml_node *in, dt_section_id id,
                             dt_yaml_node *parent, const char *key, const dt_row **out_row,
                             dt_error *err) DT_MUST_CHECK;

/* Row that a `method` node names. */
dt_status dt_quant_find_method(const dt_reader *r, const dt_yaml_node *node, const dt_row **out,
                               dt_error *err) DT_MUST_CHECK;
const dt_row *dt_quant_none(const dt_reader *r); /* the row "none" */
/* Whether a node (may be NULL) is this scalar. */
bool dt_is_word(const dt_yaml_node *node, const char *word);

#endif
