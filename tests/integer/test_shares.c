/* Softmax on codes: those of onnxruntime. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/shares.h"

#include "tests/support/run.h"

enum { MOST = 24 };

static const struct {
    int64_t C;
    dt_lower_grid x, y;
    uint8_t code[MOST], share[MOST];
} rows[] = {
#include "tests/integer/ort_softmax.inc"
};

START_TEST(codes_of_onnxruntime)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        uint8_t share[MOST];
        dt_shares s;
        ck_assert(dt_shares_fit(&rows[i].y, rows[i].C));
        dt_shares_init(&s, &rows[i].x, &rows[i].y, rows[i].C);
        dt_shares_row(&s, rows[i].code, rows[i].C, share);
        for (int64_t k = 0; k < rows[i].C; k++)
            ck_assert_msg(share[k] == rows[i].share[k], "row %zu, code %d: %d, not %d", i, (int)k,
                          share[k], rows[i].share[k]);
    }
}
END_TEST

START_TEST(within_the_grid_and_in_place)
{
    const dt_lower_grid x = { .1f, 128, 0, 255 }, y = { .0625F, 0, 0, 15 },
                        low = { .0625F, 0, 0, 6 };
    uint8_t code[] = { 200, 130, 255, 0 };
    dt_shares s;
    dt_shares_init(&s, &x, &y, 4);
    dt_shares_row(&s, code, 4, code);
    ck_assert(code[0] == 0 && code[1] == 0 && code[2] == 15 && code[3] == 0);
    dt_shares_init(&s, &x, &low, 4);
    dt_shares_row(&s, (const uint8_t[]){ 9, 9, 9, 90 }, 4, code);
    ck_assert(code[0] == 0 && code[3] == 6);
}
END_TEST

/* Above about 148 steps for each code of a row the products overflow. */
START_TEST(small_steps_do_not_fit)
{
    const dt_lower_grid fits = { 1.01F / 1000, 0, 0, 255 }, not = { .99F / 1000, 0, 0, 255 };
    ck_assert(dt_shares_fit(&fits, 10) && !dt_shares_fit(&not, 10) && dt_shares_fit(&not, 11));
}
END_TEST

DT_TEST_MAIN("shares", codes_of_onnxruntime, within_the_grid_and_in_place, small_steps_do_not_fit)
