/* Kernels on codes, baseline tier: the specification. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/code_impl.h"

void dt_code_scalar(dt_code_kernels *k)
{
    *k = CODE_KERNELS;
}
