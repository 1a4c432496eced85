/* What a user of the installed library writes first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "train/detent.h"

int main(int argc, char **argv)
{
    dt_error err;
    dt_recipe *recipe;
    const dt_recipe_params p = { .tables = &dt_tables, .path = argc > 1 ? argv[1] : "" };
    if (dt_recipe_read(&p, &recipe, &err) != DT_OK) return fprintf(stderr, "%s\n", err.text), 1;
    printf("%s: %d classes\n", recipe->name, recipe->model.classes);
    dt_recipe_free(recipe);
    return 0;
}
