/* What leaves: a session's network as exporters read it, and the names of its classes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_SOURCE_H
#define DT_TRAIN_NET_SOURCE_H

#include "exchange/exporter.h"
#include "train/net/session.h"

enum { DT_SOURCE_TEXTS = 2 };

/* Borrows from the session. `version` is the program's, `attr` has room for DT_SOURCE_TEXTS.
 * Nothing in it tells of the machine that the net was trained on. */
dt_export_source dt_session_source(const dt_session *s, const char *version,
                                   struct dt_text_attr *attr);

/* The classes of the dataset, or else those of the file that the net comes from, a line each, into
 * s->classes; NULL where neither tells, or other than the net has outputs. By dt_session_open. */
dt_status dt_session_name_classes(dt_session *s, dt_error *err) DT_MUST_CHECK;

#endif
