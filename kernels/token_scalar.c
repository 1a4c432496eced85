/* Row kernels, baseline tier: the specification. */
/* SPDX-License-Identifier: Apache-2.0 */
#define TOKEN_FILL dt_token_scalar
#include "kernels/token_impl.h"
