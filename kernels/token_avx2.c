/* Row kernels compiled for AVX2: the scalar source, the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#define TOKEN_FILL dt_token_avx2
#include "kernels/token_impl.h"
