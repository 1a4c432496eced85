/* SPDX-License-Identifier: Apache-2.0 */
#include "core/glob.h"

#include <string.h>

#include "tests/support/run.h"

START_TEST(matching)
{
    static const struct {
        const char *glob, *name;
        bool match;
    } cases[] = {
        { "conv1", "conv1", true },
        { "conv1", "conv10", false },
        { "conv1", "conv", false },
        { "layer3.*.conv2", "layer3.0.conv2", true },
        { "layer3.*.conv2", "layer3.0.down.conv2", true }, /* dots are crossed */
        { "layer3.*.conv2", "layer3.conv2", false },
        { "layer?.0.conv?", "layer2.0.conv1", true },
        { "layer?.0", "layer.0", false },
        { "*", "", true },
        { "*", "anything", true },
        { "", "", true },
        { "", "x", false },
        { "?", "", false },
        { "*ab*ab", "abcabxab", true },
        { "*ab*ab", "abx", false },
        { "a*b*c", "axxbxxbc", true },
        { "**x", "x", true },
        { "x.", "xy", false },
        { "[ab]", "a", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(dt_glob_match(cases[i].glob, cases[i].name) == cases[i].match, "%s %s",
                      cases[i].glob, cases[i].name);
}
END_TEST

START_TEST(many_stars_are_not_exponential)
{
    char glob[2001], name[2001];
    for (int i = 0; i < 2000; i += 2)
        memcpy(glob + i, "*a", 2);
    glob[1999] = 'b';
    memset(name, 'a', 2000);
    glob[2000] = name[2000] = '\0';
    ck_assert(!dt_glob_match(glob, name));
}
END_TEST

DT_TEST_MAIN("glob", matching, many_stars_are_not_exponential)
