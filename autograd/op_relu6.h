/* The rectifier with a ceiling. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_RELU6_H
#define DT_AUTOGRAD_OP_RELU6_H

enum { DT_RELU6_HIGH = 6 };

#endif
