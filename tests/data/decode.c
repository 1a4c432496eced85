/* Decodes a picture and applies transforms, for pillow.py: decode PICTURE OUT [NAME
 * KEY=VALUE,...]... [upright]; OUT gets "<H> <W>\n" and the bytes. Exit status 3, with the text,
 * when the library refuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/transform.h"

static int refused(const dt_error *err)
{
    printf("%s\n", err->text);
    return 3;
}

static dt_status set_options(const dt_row *row, char *text, void *conf, dt_error *err)
{
    dt_opt_defaults(row->opts, conf);
    for (char *pair = strtok(text, ","); pair; pair = strtok(NULL, ",")) {
        char *equals = strchr(pair, '=');
        if (!equals) return DT_ERR_ARG;
        *equals = '\0';
        DT_TRY(dt_opt_set(dt_opt_find(row->opts, pair), conf, equals + 1, NULL, err));
    }
    return DT_OK;
}

static dt_status transform(dt_sample *s, int argc, char **argv, dt_error *err)
{
    _Alignas(16) unsigned char conf[1024];
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 3; i + 1 < argc; i += 2) {
        const dt_row *row = dt_table_find(&dt_transforms, argv[i]);
        if (!row)
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = argv[i] }, "no such transform");
        DT_TRY(set_options(row, argv[i + 1], conf, err));
        const dt_transform_step step = { (const dt_transform *)(const void *)row, conf };
        DT_TRY(dt_transform_apply(&step, 1, &rng, s, err));
    }
    return DT_OK;
}

static int save(const char *path, const dt_sample *s)
{
    FILE *f = fopen(path, "wb");
    if (!f) return 2;
    fprintf(f, "%d %d\n", (int)s->picture.H, (int)s->picture.W);
    size_t n = (size_t)(3 * s->picture.H * s->picture.W);
    int bad = fwrite(s->picture.rgb.data, 1, n, f) != n;
    bad |= fclose(f) != 0;
    return bad ? 2 : 0;
}

int main(int argc, char **argv)
{
    dt_sample s;
    dt_error err = { 0 };
    if (argc < 3) return 2;
    dt_sample_init(&s, NULL);
    if (strcmp(argv[argc - 1], "upright") == 0) {
        s.orient = DT_ORIENT_APPLY;
        argc--;
    }
    dt_status st = dt_picture_read(argv[1], &s, &err);
    if (st == DT_OK) st = transform(&s, argc, argv, &err);
    int code = st == DT_OK ? save(argv[2], &s) : refused(&err);
    dt_sample_fini(&s);
    return code;
}
