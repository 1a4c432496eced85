/* Random numbers of dropout: the share that is dropped, the same for any number of threads and on
 * every call of a step, others at another step, node or seed; nothing is dropped outside training.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_dropout.h"

#include <math.h>
#include <string.h>

#include "autograd/op.h"
#include "tests/support/run.h"

enum { SAMPLES = 130, FEATURES = 97, N = SAMPLES * FEATURES };

typedef struct dropped {
    real y[N];
} dropped;

static dropped apply(const dt_dropout_conf *conf, dt_mode mode, int threads, uint64_t seed,
                     int64_t step, uint32_t stream)
{
    static real ones[N];
    const dt_shape shape = DT_SHAPE(SAMPLES, FEATURES);
    dropped d;
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    const dt_op_run run = { .conf = conf,
                            .mode = mode,
                            .threads = threads,
                            .in_shape = &shape,
                            .out_shape = &shape,
                            .seed = seed,
                            .step = step,
                            .stream = stream,
                            .in = { ones },
                            .out = { d.y } };
    dt_op_find("dropout")->forward(&run);
    return d;
}

static bool same(const dropped *a, const dropped *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

START_TEST(numbers_depend_on_their_names_only)
{
    static dropped a, b;
    for (int by_sample = 0; by_sample < 2; by_sample++) {
        const dt_dropout_conf conf = { 0.25, by_sample };
        a = apply(&conf, DT_MODE_TRAIN, 1, 1, 2, 3);
        for (int threads = 1; threads < 5; threads++) {
            b = apply(&conf, DT_MODE_TRAIN, threads, 1, 2, 3);
            ck_assert(same(&a, &b));
        }
        b = apply(&conf, DT_MODE_TRAIN, 1, 2, 2, 3);
        ck_assert(!same(&a, &b));
        b = apply(&conf, DT_MODE_TRAIN, 1, 1, 3, 3);
        ck_assert(!same(&a, &b));
        b = apply(&conf, DT_MODE_TRAIN, 1, 1, 2, 4);
        ck_assert(!same(&a, &b));
        b = apply(&conf, DT_MODE_EVAL, 1, 1, 2, 3);
        for (int i = 0; i < N; i++)
            ck_assert(b.y[i] == 1);
    }
}
END_TEST

START_TEST(shares)
{
    const dt_dropout_conf elements = { 0.25, false }, samples = { 0.25, true };
    dropped d = apply(&elements, DT_MODE_TRAIN, 2, 1, 0, 1);
    int zeros = 0;
    for (int i = 0; i < N; i++) {
        ck_assert(d.y[i] == 0 || d.y[i] == (real)(1 / 0.75));
        zeros += d.y[i] == 0;
    }
    ck_assert(fabs(zeros / (double)N - 0.25) < 0.02);
    d = apply(&samples, DT_MODE_TRAIN, 2, 1, 0, 1);
    zeros = 0;
    for (int n = 0; n < SAMPLES; n++) {
        for (int i = 1; i < FEATURES; i++)
            ck_assert(d.y[n * FEATURES + i] == d.y[n * FEATURES]);
        zeros += d.y[n * FEATURES] == 0;
    }
    ck_assert(fabs(zeros / (double)SAMPLES - 0.25) < 0.12);
}
END_TEST

DT_TEST_MAIN("op_dropout", numbers_depend_on_their_names_only, shares)
