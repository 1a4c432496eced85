/* Prefixes, wrappers and averages in names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/foreign_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const dt_import_container dt_import_containers[] = {
    { "state_dict", false },
    { "model_state_dict", false },
    { "model_state", false },
    { "model", false },
    { "net", false },
    { "net_state_dict", false },
    { "network", false },
    { "module", false },
    { "weights", false },
    { "params", false },
    { "parameters", false },
    { "model_weights", false },
    { "checkpoint", false },
    { "state_dict_ema", true },
    { "ema_state_dict", true },
    { "model_ema", true },
    { "model_ema_state_dict", true },
    { "model_state_dict_ema", true },
    { "ema_model", true },
    { "ema_model_state_dict", true },
    { "ema", true },
    { "ema_weights", true },
    { "weights_ema", true },
    { "params_ema", true },
    { "net_ema", true },
    { "net_ema_state_dict", true },
    { "averaged_model", true },
    { "swa_model", true },
    { "swa_state_dict", true },
    { NULL, false },
};

/* Of torch.compile, FullyShardedDataParallel, activation checkpoints and Lightning Fabric. */
static const char *const wrappers[] = { "_orig_mod.", "_fsdp_wrapped_module.", "_fpw_module.",
                                        "_checkpoint_wrapped_module.", "_forward_module." };
static const char parallel[] = "module.";

typedef struct names {
    dt_import_job *job;
    const dt_tensors *set;
    char **name;  /* of each tensor: a copy, behind what was stripped; NULL: left out */
    bool *beside; /* it has no say in what all have */
} names;

const dt_import_container *dt_import_container_of(const char *name, size_t length)
{
    for (const dt_import_container *c = dt_import_containers; c->name; c++)
        if (strlen(c->name) == length && memcmp(c->name, name, length) == 0) return c;
    return NULL;
}

bool dt_import_has_key(const dt_import_job *job)
{
    return job->key && job->key[0];
}

const char *dt_import_key_name(const dt_import_job *job)
{
    return job->key_name ? job->key_name : "model.init_key";
}

void dt_import_tell(dt_import_job *job, const char *fmt, ...)
{
    size_t used = strlen(job->note);
    if (used && used + 2 < sizeof job->note) {
        memcpy(job->note + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(job->note + used, sizeof job->note - used, fmt, args);
    va_end(args);
}

void dt_import_list(char *text, size_t size, const char *name, const char *remark)
{
    char item[128];
    size_t used = strlen(text);
    snprintf(item, sizeof item, "%s'%.60s'%s", used ? ", " : "", name, remark);
    for (char *c = item; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    if (used + strlen(item) < size) snprintf(text + used, size - used, "%s", item);
}

/* Takes wrappers out, wherever one is a part of the name. */
static void unwrap(char *name)
{
    for (char *at = name; at;) {
        size_t length = 0;
        for (size_t i = 0; i < DT_ARRAY_LEN(wrappers) && !length; i++)
            if (strncmp(at, wrappers[i], strlen(wrappers[i])) == 0) length = strlen(wrappers[i]);
        if (length && at[length]) {
            memmove(at, at + length, strlen(at + length) + 1);
            continue;
        }
        at = strchr(at, '.');
        if (at) at++;
    }
}

const char *dt_import_plain(const char *name)
{
    size_t length = sizeof parallel - 1;
    while (strncmp(name, parallel, length) == 0 && name[length])
        name += length;
    return name;
}

static void strip_parallel(names *n)
{
    for (size_t i = 0; i < n->set->count; i++)
        if (n->name[i]) n->name[i] += dt_import_plain(n->name[i]) - n->name[i];
}

/* The tensors of a group: `of` tells each one's, NULL for one group of all. */
static bool is_in(const names *n, const uint8_t *of, uint8_t group, size_t i)
{
    return n->name[i] && (!of || of[i] == group);
}

/* One word in front of all names of a group; false: they have none that wrappers put there. */
static bool strip_word(names *n, const uint8_t *of, uint8_t group)
{
    const char *first = NULL;
    size_t length = 0;
    for (size_t i = 0; i < n->set->count; i++) {
        if (!is_in(n, of, group, i) || n->beside[i]) continue;
        if (!first) {
            first = n->name[i];
            length = strcspn(first, ".");
            if (first[length] != '.' || !dt_import_container_of(first, length)) return false;
            length++;
        }
        if (strncmp(n->name[i], first, length) != 0 || !n->name[i][length]) return false;
    }
    for (size_t i = 0; first && i < n->set->count; i++)
        if (is_in(n, of, group, i) && strncmp(n->name[i], first, length) == 0 && n->name[i][length])
            n->name[i] += length;
    return first != NULL;
}

static void strip(names *n, const uint8_t *of, uint8_t group)
{
    do
        strip_parallel(n);
    while (strip_word(n, of, group));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether every tensor of a group is one of the sorted names. */
static bool is_copy(const names *n, const uint8_t *of, uint8_t group, const char *const *sorted,
                    size_t count)
{
    bool any = false;
    for (size_t i = 0; i < n->set->count; i++) {
        if (!is_in(n, of, group, i) || n->beside[i]) continue;
        const char *name = n->name[i];
        if (!bsearch(&name, sorted, count, sizeof *sorted, by_name)) return false;
        any = true;
    }
    return any;
}

/* Row of the averages that a name is of, counted from 1; 0: none. */
static uint8_t group_of(const char *name)
{
    size_t length = strcspn(name, ".");
    const dt_import_container *c = NULL;
    if (name[length] == '.' && name[length + 1]) c = dt_import_container_of(name, length);
    return c && c->average ? (uint8_t)(c - dt_import_containers + 1) : 0;
}

/* Leaves out averages of weights that are there. `of`, `sorted` and `before` have room for all. */
static void part_averages(names *n, uint8_t *of, const char **sorted, char **before)
{
    size_t weights = 0, count = n->set->count;
    char list[200] = "";
    bool seen[256] = { false }, other = false;
    for (size_t i = 0; i < count; i++) {
        before[i] = n->name[i];
        of[i] = n->name[i] ? group_of(n->name[i]) : 0;
        seen[of[i]] = true;
    }
    strip(n, of, 0);
    for (size_t i = 0; i < count; i++)
        if (is_in(n, of, 0, i) && !n->beside[i]) sorted[weights++] = n->name[i];
    if (weights) qsort(sorted, weights, sizeof *sorted, by_name);
    for (uint8_t g = 1; g < UINT8_MAX && weights; g++) {
        if (!seen[g]) continue;
        strip(n, of, g);
        bool copy = is_copy(n, of, g, sorted, weights);
        other = other || !copy;
        for (size_t i = 0; copy && i < count; i++)
            if (of[i] == g) n->name[i] = NULL;
        if (copy) dt_import_list(list, sizeof list, dt_import_containers[g - 1].name, "");
    }
    for (size_t i = 0; i < count && (other || !weights); i++)
        if (n->name[i]) n->name[i] = before[i]; /* words that are no averages: as they were */
    if (*list)
        dt_import_tell(n->job,
                       "took the weights; the file has averages of them, %s; %s names those", list,
                       dt_import_key_name(n->job));
}

/* Only what has the job's key in front stays; false: nothing has. */
static bool keep_key(names *n)
{
    size_t length = strlen(n->job->key), found = 0, count = n->set->count;
    while (length && n->job->key[length - 1] == '.')
        length--;
    for (int pass = 0; length && pass < 2 && (pass == 0 || found); pass++)
        for (size_t i = 0; i < count; i++) {
            const char *name = n->name[i];
            bool has = name && strncmp(name, n->job->key, length) == 0 && name[length] == '.' &&
                       name[length + 1];
            if (pass == 0)
                found += has;
            else
                n->name[i] = has ? n->name[i] + length + 1 : NULL;
        }
    if (found && found < count)
        dt_import_tell(n->job, "took the %zu tensors of '%.100s', left out %zu", found, n->job->key,
                       count - found);
    return found > 0;
}

static dt_status no_key(const names *n, const char *dictionaries, dt_error *err)
{
    enum { WORDS = 8 };
    const dt_where where = { .file = n->job->path, .key = dt_import_key_name(n->job) };
    char words[WORDS][64], list[300] = "";
    size_t count = 0;
    for (size_t i = 0; i < n->set->count && count < WORDS; i++) {
        bool told = false;
        const char *name = n->set->item[i].name;
        size_t length = strcspn(name, ".");
        if (!name[length] || length >= sizeof words[0]) continue;
        snprintf(words[count], sizeof words[0], "%.*s", (int)length, name);
        for (size_t k = 0; k < count; k++)
            told = told || strcmp(words[k], words[count]) == 0;
        if (!told) dt_import_list(list, sizeof list, words[count++], "");
    }
    return dt_fail(
        err, DT_ERR_NOT_FOUND, &where,
        "'%s' is neither a dictionary of the file nor in front of names; there %s%s, and "
        "names begin with %s",
        n->job->key, *dictionaries ? "are the dictionaries " : "is no dictionary", dictionaries,
        *list ? list : "nothing common");
}

static dt_status clean(names *n, const dt_importer *importer, const char *dictionaries, bool keyed,
                       dt_error *err)
{
    bool found = !keyed || keep_key(n);
    for (size_t i = 0; i < n->set->count; i++)
        if (n->name[i]) unwrap(n->name[i]);
    strip_parallel(n);
    if (!found && !keep_key(n)) return no_key(n, dictionaries, err);
    for (size_t i = 0; i < n->set->count; i++)
        n->beside[i] = n->name[i] && dt_import_is_beside(importer, n->name[i]);
    return DT_OK;
}

dt_status dt_import_names(dt_import_job *job, const dt_importer *importer, const char *dictionaries,
                          dt_tensors *set, dt_error *err)
{
    const dt_where where = { .file = job->path };
    size_t count = set->count;
    if (!count) return DT_OK;
    /* What is kept here goes with the set. */
    names n = { .job = job, .set = set };
    n.name = dt_arena_get(set->arena, count * sizeof *n.name);
    n.beside = dt_arena_get(set->arena, count * sizeof *n.beside);
    uint8_t *of = dt_arena_get(set->arena, count * sizeof *of);
    const char **sorted = dt_arena_get(set->arena, count * sizeof *sorted);
    char **before = dt_arena_get(set->arena, count * sizeof *before);
    bool enough = n.name && n.beside && of && sorted && before;
    for (size_t i = 0; enough && i < count; i++)
        enough = (n.name[i] = dt_arena_strdup(set->arena, set->item[i].name)) != NULL;
    if (!enough) return dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
    DT_TRY(clean(&n, importer, dictionaries, dt_import_has_key(job), err));
    part_averages(&n, of, sorted, before);
    strip(&n, NULL, 0);
    return dt_tensors_rename(set, (const char *const *)n.name, job->path, err);
}
