/* Reconstruction, unit by unit in the order of the net. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

#define CONF dt_ptq_recon_conf

static const dt_opt opts[] = {
    DT_OPT_STR(CONF, unit, "block", "what is reconstructed at a time: block, joint, layer or net"),
    DT_OPT_WORDS(CONF, variables, "what is moved: round, step, weight, bias"),
    DT_OPT_ENUM(
        CONF, input, DT_PTQ_QUANT, "quant|float|mix",
        "a unit's input: of the net quantized so far, of the float net, or elements of both"),
    DT_OPT_FLOAT(CONF, share, 0.5, 0, 1, "of the float net's elements, for input mix"),
    DT_OPT_FLOAT(CONF, drop, 0, 0, 1,
                 "probability that a value inside the unit is not quantized, while it is moved"),
    DT_OPT_WORDS(CONF, loss,
                 "what outputs are compared by, added up: pnorm (the default), fisher, kl_logits"),
    DT_OPT_FLOAT(CONF, power, 2, 1, 8, "of the errors in pnorm and fisher"),
    DT_OPT_FLOAT(CONF, kl, 10, 0, 1e6, "factor of kl_logits"),
    DT_OPT_FLOAT(CONF, temperature, 4, 1e-3, 1e3, "by which it divides logits"),
    DT_OPT_INT(CONF, iterations, 2000, 1, 10000000, "updates of a unit"),
    DT_OPT_INT(CONF, batch, 32, 1, 8192, "pictures of an update"),
    DT_OPT_STR(CONF, optimizer, "adamw", "a row of the optimizers, without decay"),
    DT_OPT_FLOAT(CONF, lr, 1e-2, 0, 100, "rate of rounding"),
    DT_OPT_FLOAT(CONF, lr_step, 4e-4, 0, 100, "rate of quantizers' parameters, falls as a cosine"),
    DT_OPT_FLOAT(CONF, lr_bias, 1e-3, 0, 100, "rate of biases, falls as a cosine"),
    DT_OPT_FLOAT(CONF, lr_weight, 1e-4, 0, 100, "rate of weights, falls as a cosine"),
    DT_OPT_FLOAT(CONF, regularize, 0.01, 0, 1000,
                 "factor of the term that draws soft rounding to 0 and 1"),
    DT_OPT_FLOAT(CONF, warmup, 0.2, 0, 0.9, "share of the iterations before it begins"),
    DT_OPT_FLOAT(CONF, beta_start, 20, 1, 100, "its exponent then"),
    DT_OPT_FLOAT(CONF, beta_end, 2, 1, 100, "and at the end"),
    DT_OPT_END,
};

static dt_status check_losses(const dt_opt_words *loss, dt_error *err)
{
    const dt_where at = { .key = "reconstruct.loss" };
    const dt_row *row;
    for (int i = 0; i < loss->count; i++)
        DT_TRY(dt_table_get(&dt_ptq_losses, loss->value[i], &at, &row, err));
    if (loss->count <= DT_PTQ_LOSSES) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &at, "%d losses; name at most %d", loss->count,
                   DT_PTQ_LOSSES);
}

static dt_status check(dt_ptq *q, const void *options, dt_error *err)
{
    const CONF *c = options;
    const dt_row *row;
    const dt_where at = { .key = "reconstruct.variables" };
    int weights = 0;
    (void)q;
    DT_TRY(check_losses(&c->loss, err));
    DT_TRY(dt_table_get(&dt_ptq_cutters, c->unit, &(dt_where){ .key = "reconstruct.unit" }, &row,
                        err));
    DT_TRY(dt_table_get(&dt_optimizers, c->optimizer, &(dt_where){ .key = "reconstruct.optimizer" },
                        &row, err));
    for (int i = 0; i < c->variables.count; i++) {
        DT_TRY(dt_table_get(&dt_ptq_variables, c->variables.value[i], &at, &row, err));
        weights += ((const dt_ptq_variable *)(const void *)row)->weights;
    }
    if (c->variables.count == 0 || c->variables.count > DT_PTQ_VARIABLES)
        return dt_fail(err, DT_ERR_RANGE, &at, "%d variables; name 1 to %d of them",
                       c->variables.count, DT_PTQ_VARIABLES);
    if (weights > 1) return dt_fail(err, DT_ERR_ARG, &at, "two of them move weights; name one");
    return DT_OK;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    const CONF *c = options;
    dt_ptq_units units;
    DT_TRY(dt_ptq_cut(q, c->unit, &units, err));
    dt_ptq_begin(q, units.count);
    DT_TRY(dt_ptq_advance(q, q->start, err));
    for (int i = 0; i < units.count; i++) {
        dt_ptq_result result;
        if (dt_ptq_skips(q, i)) {
            q->unit++;
            continue;
        }
        DT_TRY(dt_ptq_recon_unit(q, &units.unit[i], c, &result, err));
        DT_TRY(dt_ptq_finish_unit(q, &result, err));
    }
    return DT_OK;
}

const dt_ptq_stage dt_ptq_stage_reconstruct = {
    .row = { "reconstruct", "units' outputs drawn to those of the float net by gradients", opts,
             sizeof(CONF) },
    .check = check,
    .reads_quantized = true,
    .run = run,
};
