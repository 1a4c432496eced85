/* What /proc, /sys and rlimits say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE = 4200, PATH = 8600 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The number behind `key` in a file of lines "key number"; with "" the file's first number.
 * SIZE_MAX: there is none, or it is "max". */
static size_t number_in(const char *path, const char *key)
{
    char line[256];
    size_t found = SIZE_MAX, n = strlen(key);
    FILE *f = fopen(path, "r");
    while (f && found == SIZE_MAX && fgets(line, sizeof line, f)) {
        char *end;
        if (strncmp(line, key, n) != 0) continue;
        unsigned long long v = strtoull(line + n, &end, 10);
        if (end != line + n && v < SIZE_MAX) found = (size_t)v;
        if (n == 0) break;
    }
    if (f) fclose(f);
    return found;
}

/* Room in one control group. Pages of files that nobody uses count as used there, and are given up
 * when memory is wanted. */
static size_t group_room(const char *folder, const char *limit, const char *usage,
                         const char *inactive)
{
    char path[PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, limit);
    size_t most = number_in(path, "");
    if (most == SIZE_MAX) return SIZE_MAX;
    snprintf(path, sizeof path, "%s/%s", folder, usage);
    size_t used = number_in(path, "");
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    size_t idle = number_in(path, inactive);
    if (used == SIZE_MAX) used = 0;
    if (idle != SIZE_MAX) used -= least(idle, used);
    return most > used ? most - used : 0;
}

/* The least room of a group and all above it; `group` begins with a slash and is cut. In a
 * container the path may lead outside of what is mounted: then the mount itself counts. */
static size_t groups_room(const char *mount, char *group, const char *limit, const char *usage,
                          const char *inactive)
{
    char folder[PATH];
    size_t room = SIZE_MAX;
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", mount, group);
        room = least(room, group_room(folder, limit, usage, inactive));
        char *slash = strrchr(group, '/');
        if (!slash) return room;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: "4:memory:/path" or "0::/path". */
static size_t line_room(const char *root, char *line)
{
    char mount[LINE];
    line[strcspn(line, "\n")] = '\0';
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
    if (!group) return SIZE_MAX;
    *group++ = '\0';
    names++;
    if (*names == '\0') { /* version 2 */
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return groups_room(mount, group, "memory.max", "memory.current", "inactive_file ");
    }
    for (char *save = NULL, *name = strtok_r(names, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
        if (strcmp(name, "memory") != 0) continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/memory", root);
        return groups_room(mount, group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                           "total_inactive_file ");
    }
    return SIZE_MAX;
}

size_t dt_memory_available(const char *root)
{
    char line[LINE], path[LINE];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    size_t kib = number_in(path, "MemAvailable:");
    size_t room = kib > SIZE_MAX / 1024 ? SIZE_MAX : kib * 1024;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        room = least(room, line_room(root, line));
    if (f) fclose(f);
    return room;
}

/* Column 0: the address space; 1: what is resident. */
static size_t statm(int column)
{
    unsigned long long v[2] = { 0, 0 };
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%llu %llu", &v[0], &v[1]) != 2) v[0] = v[1] = 0;
    if (f) fclose(f);
    return (size_t)v[column] * (size_t)sysconf(_SC_PAGESIZE);
}

size_t dt_memory_resident(void)
{
    return statm(1);
}

size_t dt_memory_address_room(void)
{
    struct rlimit limit;
    size_t used = statm(0);
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return limit.rlim_cur > used ? (size_t)limit.rlim_cur - used : 0;
}

bool dt_memory_parse(const char *text, size_t *out_bytes)
{
    static const char units[] = "KMGT";
    char *end;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    size_t bytes = (size_t)n;
    const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
    if (*end && (!unit || end[1])) return false;
    for (const char *u = units; unit && u <= unit; u++)
        if (!dt_size_mul(bytes, 1024, &bytes)) return false;
    if (errno || n > SIZE_MAX || bytes == 0) return false;
    *out_bytes = bytes;
    return true;
}
