/* Decodes a picture and applies transforms, for pillow.py: decode PICTURE OUT [NAME
 * KEY=VALUE,...]... OUT gets "<H> <W>\n" and the bytes. Exit status 3, with the text, when the
 * library refuses. */
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

int main(int argc, char **argv)
{
    dt_sample s;
    dt_error err = { 0 };
    dt_rng rng;
    _Alignas(16) unsigned char conf[1024];
    if (argc < 3) return 2;
    dt_sample_init(&s, NULL);
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    if (dt_picture_read(argv[1], &s, &err) != DT_OK) return refused(&err);
    for (int i = 3; i + 1 < argc; i += 2) {
        const dt_row *row = dt_table_find(&dt_transforms, argv[i]);
        if (!row || set_options(row, argv[i + 1], conf, &err) != DT_OK) return 2;
        const dt_transform_step step = { (const dt_transform *)(const void *)row, conf };
        if (dt_transform_apply(&step, 1, &rng, &s, &err) != DT_OK) return refused(&err);
    }
    FILE *f = fopen(argv[2], "wb");
    if (!f) return 2;
    fprintf(f, "%d %d\n", (int)s.picture.H, (int)s.picture.W);
    size_t n = (size_t)(3 * s.picture.H * s.picture.W);
    int bad = fwrite(s.picture.rgb.data, 1, n, f) != n;
    bad |= fclose(f) != 0;
    dt_sample_fini(&s);
    return bad ? 2 : 0;
}
