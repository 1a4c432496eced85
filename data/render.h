/* Pictures that the program draws itself: ten shapes at random place, size, angle and colour on a
 * cluttered background, partly hidden and noisy. Classes differ in shape only. The bytes are the
 * same on every machine: own elementary functions, no libm, no contraction. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_RENDER_H
#define DT_DATA_RENDER_H

#include <stdint.h>

enum { DT_RENDER_CLASSES = 10, DT_RENDER_SIDE = 32, DT_RENDER_BYTES = 3 * 32 * 32 };

extern const char *const dt_render_class_names[DT_RENDER_CLASSES];

/* Draws sample `index` of a split (any number that names it): RGB bytes [32,32,3]. Its class is
 * index % 10, which is returned. */
int dt_render(uint32_t split, uint64_t index, uint8_t *picture);

#endif
