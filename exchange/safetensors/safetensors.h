/* The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_SAFETENSORS_SAFETENSORS_H
#define DT_EXCHANGE_SAFETENSORS_SAFETENSORS_H

#include "core/tensorfile.h"

/* True when the bytes start like such a file: a header length that fits, then '{'. */
bool dt_safetensors_probe(const unsigned char *bytes, size_t size);

/* Adds the tensors, in the order of their bytes, and the entries of `__metadata__`, as texts, to
 * the empty set `out`, which owns copies afterwards. Strict: gaps, overlaps, bytes behind the last
 * tensor, wrong sizes, repeated keys and unknown fields are DT_ERR_FORMAT; element types that
 * Detent does not have (u16, f8, ...) and ranks over DT_MAX_RANK are DT_ERR_UNSUPPORTED. Tensors
 * without elements are left out. `path` is for messages. On failure `out` may be half filled. */
dt_status dt_safetensors_read(const char *path, const unsigned char *bytes, size_t size,
                              const dt_alloc *a, dt_tensors *out, dt_error *err) DT_MUST_CHECK;

/* Writes a set, atomically: tensors by element size, largest first, then by name; texts become
 * `__metadata__`. The same set gives the same bytes. Errors: ARG (a name or text that is no UTF-8,
 * or a tensor called `__metadata__`), IO, NOMEM. */
dt_status dt_safetensors_write(const char *path, const dt_tensors *set, const dt_alloc *a,
                               dt_error *err) DT_MUST_CHECK;

#endif
