/* Walking protobuf messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_wire.h"

static bool varint(dt_wire *w, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        unsigned byte = *w->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool skip(dt_wire *w, size_t n)
{
    if ((size_t)(w->end - w->at) < n) return false;
    w->at += n;
    return true;
}

bool dt_wire_next(dt_wire *w, dt_wire_field *f)
{
    uint64_t key;
    if (w->at == w->end) return false;
    bool good = varint(w, &key);
    *f = (dt_wire_field){ .number = key >> 3, .type = (int)(key & 7), .data = w->at };
    if (f->type == DT_WIRE_VARINT) good = good && varint(w, &f->value);
    if (f->type == DT_WIRE_FIXED64) good = good && skip(w, 8);
    if (f->type == DT_WIRE_FIXED32) good = good && skip(w, 4);
    if (f->type == DT_WIRE_BYTES) {
        uint64_t size = 0;
        good = good && varint(w, &size) && size <= (uint64_t)(w->end - w->at);
        f->data = w->at;
        f->size = (size_t)size;
        good = good && skip(w, f->size);
    }
    w->damaged = !good || f->type == 3 || f->type == 4 || f->type > DT_WIRE_FIXED32;
    return !w->damaged;
}

dt_wire dt_wire_inside(const dt_wire_field *f)
{
    return (dt_wire){ f->data, f->data + f->size, false };
}
