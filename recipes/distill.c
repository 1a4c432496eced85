/* The section `distill`: who teaches, and how much that counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/quant.h"
#include "recipes/section.h"

dt_status dt_recipe_read_distill(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    static const char *const named[] = { "model", NULL }; /* the nearest of wrong keys */
    dt_reader *r = &recipe->state->reader;
    dt_section s = r->section[DT_SECTION_DISTILL];
    dt_recipe_distill *d = &recipe->distill;
    dt_yaml_node *out;
    if (!in || dt_is_word(in, "none")) return DT_OK; /* the effective recipe has no such section */
    if (!dt_yaml_find(in, s.name_key)) {
        s.name_key = NULL;
        s.others = named;
    }
    DT_TRY(dt_section_map(r, recipe->state->effective, "distill", in, &out, err));
    d->model = recipe->model.choice;
    DT_TRY(dt_section_read(r, &s, in, out, d, &d->model, err));
    if (!d->teacher[0])
        return dt_node_fail(in, DT_ERR_NOT_FOUND, err,
                            "needs a 'teacher': the checkpoint of a float net of '%s' or of the "
                            "'model' that it names",
                            recipe->model.choice.row->name);
    d->enabled = true;
    return DT_OK;
}
