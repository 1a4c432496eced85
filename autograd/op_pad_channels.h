/* Configuration of the pad_channels op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_PAD_CHANNELS_H
#define DT_AUTOGRAD_OP_PAD_CHANNELS_H

typedef struct dt_pad_channels_conf {
    int stride;        /* keeps every stride-th row and column, the first included */
    int before, after; /* zero channels added */
} dt_pad_channels_conf;

#endif
