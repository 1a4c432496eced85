/* Range initialisers: scale and offset of an even grid from data. A table (ranges.def, one file a
 * row), named by the option `init` of quantizers; and the rules as functions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_RANGE_H
#define DT_FAKEQUANT_RANGE_H

#include <stdint.h>

#include "autograd/quantizer.h"

/* Embedded in a quantizer's options; DT_RANGE_OPTS are their rows. */
typedef struct dt_range_conf {
    int rule; /* 0: the quantizer's own; otherwise 1 + index in dt_ranges */
    double percentile, momentum, norm;
} dt_range_conf;

extern const char dt_range_choices[]; /* "auto|minmax|..." */

#define DT_RANGE_OPTS(conf, member, help)                                                          \
    { "init", DT_OPT_TYPE_ENUM, offsetof(conf, member.rule), 0, 0, 0, dt_range_choices, help },    \
        { "percentile",                                                                            \
          DT_OPT_TYPE_FLOAT,                                                                       \
          offsetof(conf, member.percentile),                                                       \
          0.9999,                                                                                  \
          0.5,                                                                                     \
          1,                                                                                       \
          NULL,                                                                                    \
          "share of values below the upper end (and above the lower one), for init percentile" },  \
        { "momentum",                                                                              \
          DT_OPT_TYPE_FLOAT,                                                                       \
          offsetof(conf, member.momentum),                                                         \
          0.1,                                                                                     \
          0.0001,                                                                                  \
          1,                                                                                       \
          NULL,                                                                                    \
          "weight of the next sample's ends, for init ema" },                                      \
    {                                                                                              \
        "norm", DT_OPT_TYPE_FLOAT, offsetof(conf, member.norm), 2.4, 0.5, 8, NULL,                 \
            "power of the error, for init pnorm"                                                   \
    }

typedef struct dt_range_call {
    const dt_range_conf *conf;
    int64_t n, sample; /* values, and how many of them are one sample of the batch */
    const real *x;
    int qmin, qmax;
    bool offset; /* both ends are free; otherwise 0 is a code and only the scale is wanted */
} dt_range_call;

typedef struct dt_range {
    dt_row row;
    bool scale_only; /* knows no offset */
    /* Scale 0 for data without extent. */
    dt_status (*fit)(const dt_range_call *call, double *out_scale, double *out_offset,
                     dt_error *err);
} dt_range;

extern const dt_table dt_ranges; /* kind "range initialiser" */

/* First scale and offset of a group, by the rule of `call->conf` or by `own`; of sites with a known
 * range from that. A scale is positive; values that are not finite are refused. */
dt_status dt_range_start(const dt_range_call *call, const char *own, const dt_quant_site *site,
                         double *out_scale, double *out_offset, dt_error *err) DT_MUST_CHECK;
/* Refuses a rule that cannot give what a quantizer wants. */
dt_status dt_range_check(const dt_range_conf *conf, bool offset, dt_error *err) DT_MUST_CHECK;

/* Scale and offset from ends low <= high; without an offset the smallest scale that clips nothing
 * of low..0..high. */
void dt_range_from_ends(const dt_range_call *call, double low, double high, double *out_scale,
                        double *out_offset);
void dt_range_ends(int64_t n, const real *x, double *out_low, double *out_high);

/* Smallest scale that clips nothing; 0 for all-zero data. */
double dt_range_minmax(int64_t n, const real *x, int qmin, int qmax);
/* Scale of least mean square error: 100 candidates up to the min-max scale, then golden section
 * around the best (algorithms: "MSE grid"). Over an even sample of at most 65536 values. */
double dt_range_mse(int64_t n, const real *x, int qmin, int qmax);
/* The same for sum |error|^norm; `refine` false: the best candidate as it is. */
double dt_range_least_error(int64_t n, const real *x, int qmin, int qmax, double norm, bool refine);
/* Both ends: a grid of pairs, refined by golden section in turns. At most 8192 values. */
void dt_range_least_error_ends(const dt_range_call *call, double norm, bool refine,
                               double *out_scale, double *out_offset);
/* 2 mean|x| / sqrt(qmax) (LSQ, Esser 2020, section 2.1). */
double dt_range_lsq(int64_t n, const real *x, int qmax);

#endif
