/* Grids of 2^b levels without a zero: scale times the odd integers -(2^b - 1) .. 2^b - 1. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_MIDRISE_H
#define DT_FAKEQUANT_MIDRISE_H

#include "autograd/quantizer.h"

/* `scale` is half the distance between levels; bits 1..8. */
dt_grid dt_midrise_grid(int bits, double scale);

#endif
