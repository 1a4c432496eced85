/* The section `phases`: a list of maps, each from an epoch on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

static dt_status check(const dt_recipe *recipe, const dt_yaml_node *in, size_t i, dt_error *err)
{
    const dt_recipe_phase *p = &recipe->phase[i];
    const dt_yaml_node *epoch = dt_yaml_find(in, "epoch");
    const int bits[] = { p->weight_bits, p->activation_bits };
    static const char *const keys[] = { "weight_bits", "activation_bits" };
    for (int k = 0; k < 2; k++)
        if (bits[k] > 8 && bits[k] != 32)
            return dt_node_fail(dt_yaml_find(in, keys[k]), DT_ERR_RANGE, err,
                                "%d is neither 1..8 nor 32, which is float", bits[k]);
    if (!epoch) return dt_node_fail(in, DT_ERR_FORMAT, err, "needs an 'epoch' to begin with");
    if (p->epoch >= recipe->train.epochs)
        return dt_node_fail(epoch, DT_ERR_RANGE, err,
                            "%d is after the last epoch: epochs count from 0 and train.epochs is "
                            "%d",
                            p->epoch, recipe->train.epochs);
    if (i && p->epoch <= recipe->phase[i - 1].epoch)
        return dt_node_fail(epoch, DT_ERR_RANGE, err,
                            "%d is not after %d, where the phase before "
                            "begins",
                            p->epoch, recipe->phase[i - 1].epoch);
    return DT_OK;
}

dt_status dt_recipe_read_phases(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_section s = { .opts = dt_phase_opts };
    dt_yaml_node *list, *out;
    if (!in) return DT_OK; /* and the effective recipe has no such section */
    if (in->kind != DT_YAML_SEQ)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a list of maps");
    if (in->count > DT_RECIPE_PHASES)
        return dt_node_fail(in, DT_ERR_RANGE, err, "%zu phases; at most %d", in->count,
                            DT_RECIPE_PHASES);
    DT_TRY(dt_yaml_add(r->arena, recipe->state->effective, DT_YAML_SEQ, "phases", NULL, in, &list,
                       err));
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        size_t i = recipe->phase_count;
        DT_TRY(dt_section_map(r, list, NULL, n, &out, err));
        DT_TRY(dt_section_read(r, &s, n, out, &recipe->phase[i], NULL, err));
        DT_TRY(check(recipe, n, i, err));
        recipe->phase_count++;
    }
    return DT_OK;
}
