/* The table of forms: every operation has at most one, and every row is somebody's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/form.h"

#include "autograd/quantizer.h"
#include "tests/support/run.h"

START_TEST(rows_are_found_by_their_names)
{
    for (const dt_form *const *f = dt_forms; *f; f++)
        ck_assert_msg(dt_form_find((*f)->name) == *f, "%s", (*f)->name);
    ck_assert_ptr_null(dt_form_find("no such form"));
}
END_TEST

/* A form that a descriptor names is there; a node of the integer model can be executed. */
START_TEST(rows_are_whole)
{
    for (const dt_op *const *op = dt_ops; *op; op++)
        ck_assert_msg(!(*op)->form || dt_form_of(*op), "%s names the form '%s'", (*op)->name,
                      (*op)->form);
    for (const dt_form *const *f = dt_forms; *f; f++) {
        bool formats = (*f)->qoperator || (*f)->qonnx || (*f)->tflite || (*f)->c;
        bool executes = (*f)->reference != NULL;
        ck_assert_msg(!formats || executes, "%s is written but not executed", (*f)->name);
        ck_assert_msg(executes || !((*f)->engine || (*f)->work || (*f)->round || (*f)->prove),
                      "%s has no reference", (*f)->name);
        ck_assert_msg((*f)->lower || (*f)->end || (*f)->onnx, "%s is reached by nothing",
                      (*f)->name);
    }
}
END_TEST

DT_TEST_MAIN("forms", rows_are_found_by_their_names, rows_are_whole)
