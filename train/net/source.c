/* A session's network as exporters read it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/source.h"

#include <string.h>

#include "core/text.h"

enum { NAMES_MAX = 32768 }; /* HDF5 takes attributes of 64 KB */

dt_export_source dt_session_source(const dt_session *s, const char *version,
                                   struct dt_text_attr *attr)
{
    bool is_picture = s->net.H != 0; /* of arrays nothing is told */
    const dt_goal_part *labels = dt_goal_labels(&s->net.goal);
    attr[0] = (struct dt_text_attr){ "recipe.hash", s->recipe->hash };
    attr[1] = (struct dt_text_attr){ "recipe", s->recipe->hashed };
    return (dt_export_source){ .name = s->recipe->name,
                               .graph = &s->net.graph,
                               .state = &s->net.state,
                               .input = s->net.input,
                               .logits = s->net.logits,
                               .mean = is_picture ? s->normalize->mean : NULL,
                               .std = is_picture ? s->normalize->std : NULL,
                               .levels = s->normalize->levels,
                               .classes = s->classes,
                               .class_output = s->classes && labels && s->net.goal.count > 1
                                                   ? labels->output
                                                   : NULL,
                               .attr = attr,
                               .attr_count = DT_SOURCE_TEXTS,
                               .version = version,
                               .alloc = s->alloc };
}

/* Names of the dataset; nothing where one of them has a line's end in it, or all are too long. */
static void say_names(const dt_data_info *info, dt_text *text)
{
    for (int i = 0; i < info->classes; i++) {
        if (strchr(info->class_names[i], '\n') || text->size >= NAMES_MAX) {
            dt_text_fini(text);
            return;
        }
        dt_text_say(text, "%s%s", i ? "\n" : "", info->class_names[i]);
    }
}

static int64_t lines(const char *text)
{
    int64_t n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* What the model's own file tells, if it is one that we exported; else nothing is missed. */
static void say_file_names(const dt_session *s, dt_text *text)
{
    dt_tensors set;
    if (!dt_net_brings_weights(s->recipe)) return;
    const char *path = dt_net_model_file(s->recipe)->path;
    if (dt_import_file(path, s->alloc, &set, NULL) != DT_OK) return;
    const char *names = dt_tensors_attr(&set, "detent.class.names");
    if (names) dt_text_say(text, "%s", names);
    dt_tensors_fini(&set);
}

dt_status dt_session_name_classes(dt_session *s, dt_error *err)
{
    const dt_data_info *info = s->data ? dt_data_info_of(s->data) : NULL;
    const char *kept = dt_tensors_attr(&s->init, "class.names");
    const dt_goal_part *part = dt_goal_labels(&s->net.goal);
    dt_text text = { .alloc = s->alloc };
    if (!part) return DT_OK;
    if (info && info->class_names && !info->unlabelled)
        say_names(info, &text);
    else if (kept)
        dt_text_say(&text, "%s", kept);
    else
        say_file_names(s, &text);
    if (text.failed) {
        dt_text_fini(&text);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the names of classes");
    }
    if (text.bytes && text.size < NAMES_MAX && lines(text.bytes) == part->K)
        s->classes = text.bytes;
    else
        dt_text_fini(&text);
    return DT_OK;
}
