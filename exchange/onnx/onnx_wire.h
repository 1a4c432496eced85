/* Protobuf messages a field at a time, for those that generated code would follow as deep as a file
 * says. Wire format: protobuf.dev/programming-guides/encoding. Groups are not read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_ONNX_WIRE_H
#define DT_EXCHANGE_ONNX_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DT_WIRE_VARINT, DT_WIRE_FIXED64, DT_WIRE_BYTES, DT_WIRE_FIXED32 = 5 }; /* types */

typedef struct dt_wire_field {
    uint64_t number, value; /* value: of a VARINT */
    const unsigned char *data;
    size_t size; /* of BYTES */
    int type;
} dt_wire_field;

/* The bytes of a message that are left. */
typedef struct dt_wire {
    const unsigned char *at, *end;
    bool damaged;
} dt_wire;

/* False at the end, or when the bytes are no field. */
bool dt_wire_next(dt_wire *w, dt_wire_field *out);
/* The message that a field of BYTES holds. */
dt_wire dt_wire_inside(const dt_wire_field *f);

#endif
