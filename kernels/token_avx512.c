/* Row kernels compiled for AVX-512: the scalar source, the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#define TOKEN_FILL dt_token_avx512
#include "kernels/token_impl.h"
