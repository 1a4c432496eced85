/* The table of forms: rows DT_FORM of autograd/ops.def. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "integer/builder.h"

const dt_form *const dt_forms[] = {
#define DT_FORM(name, file) &dt_form_##name,
#include "autograd/ops.def"
    NULL,
};

const dt_form *dt_form_find(const char *name)
{
    for (const dt_form *const *f = dt_forms; *f; f++)
        if (strcmp((*f)->name, name) == 0) return *f;
    return NULL;
}

const dt_form *dt_form_of(const dt_op *op)
{
    const struct {
        bool fact;
        const char *form;
    } by_fact[] = {
        { op->quantizes, "site" },    { op->limits, "limit" },
        { op->function, "function" }, { op->identity_in_eval, "identity" },
        { op->product, "product" },
    };
    if (op->form) return dt_form_find(op->form);
    for (size_t i = 0; i < DT_ARRAY_LEN(by_fact); i++)
        if (by_fact[i].fact) return dt_form_find(by_fact[i].form);
    return NULL;
}

dt_status dt_form_refuse(const dt_form *f, const char *layer, const char *format, dt_error *err)
{
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = layer },
                   "'%s' has no %s form here%s%s; --format onnx has", f->name, format,
                   f->refusal ? ": " : "", f->refusal ? f->refusal : "");
}
