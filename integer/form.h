/* The forms of an operation: what it is in the integer model, and in every format that is written.
 * One file a form (`forms/form_<file>.c`), one row in autograd/ops.def. This is the interface; who
 * writes a format defines the type that its cells take. A cell that is NULL is refused where it is
 * asked for, with the layer's name and the text of `refusal`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_FORM_H
#define DT_INTEGER_FORM_H

#include "integer/run.h"

struct dt_c_cell;
struct dt_int_builder;
struct dt_int_job;
struct dt_int_state;
struct dt_onnx_walker;
struct dt_prover;
struct dt_qonnx_walk;
struct dt_qoperator_walk;
struct dt_tflite_walker;

struct dt_form {
    const char *name;
    /* Why there are formats without it; NULL: no reason beyond that. */
    const char *refusal;

    /* ---- from a node of the graph ---- */

    /* What its outputs are in the integer model (integer/builder.h). */
    dt_status (*lower)(struct dt_int_builder *b, const dt_node *n);
    /* Values that wait for the grid of a quantizer, `site`, end on it. */
    dt_status (*end)(struct dt_int_builder *b, const dt_node *site, const struct dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value);
    /* Float operators between QuantizeLinear and DequantizeLinear (exchange/onnx/onnx_walker.h). */
    dt_status (*onnx)(struct dt_onnx_walker *w, const dt_node *n);
    /* What `onnx` left for later (dt_onnx_defer): the codes of a quantizer `site` on that grid,
     * or floats where `site` is NULL. */
    dt_status (*onnx_deferred)(struct dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                               const dt_lower_grid *grid);

    /* ---- a node of the integer model ---- */

    void (*round)(const dt_int_model *m, dt_int_node *n); /* makes what the contract decides */
    /* One picture, by the definition: plain loops on integers (integer/job.h). */
    void (*reference)(const struct dt_int_job *j, int64_t picture);
    void (*engine)(dt_int_run *r, const dt_int_node *n); /* all pictures; NULL: as the reference */
    size_t (*work)(const dt_int_run *r, const dt_int_node *n); /* bytes of the engine; NULL: 0 */
    /* Proves the node over all that can occur (integer/prover.h). NULL: it computes nothing
     * that a contract decides, codes only move. */
    void (*prove)(struct dt_prover *p, int node);

    /* Formats that are made of the integer model. Where a node ends on sums, QOperator, TFLite and
     * C write it together with the requantisation `end` that reads it; otherwise that is the node
     * itself. */
    dt_status (*qoperator)(struct dt_qoperator_walk *w, const dt_int_node *n,
                           const dt_int_node *end);
    dt_status (*qonnx)(struct dt_qonnx_walk *w, const dt_int_node *n);
    dt_status (*tflite)(struct dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end);
    const struct dt_c_cell *c; /* exchange/c99/c_cell.h */
    /* The operator of onnxruntime that computes the node on codes, as dt_onnx_node takes it, and
     * that of rows [N,C] (NULL: the same one). `verify --prove` drives them. */
    const char *ort, *ort_rows;
};

/* Ends with NULL. */
extern const dt_form *const dt_forms[];
const dt_form *dt_form_find(const char *name); /* NULL: there is none */
/* The form of an operation: the one that it names, or that of what it is. NULL: it has none. */
const dt_form *dt_form_of(const dt_op *op);
/* "'<form>' has no <format> form", and why. */
dt_status dt_form_refuse(const dt_form *f, const char *layer, const char *format, dt_error *err);

#endif
