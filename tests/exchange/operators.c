/* Operations and formats: for each operation a small net around it, in every format that has it
 * (golden.h), and what is refused:
 *
 *   operators FOLDER
 *
 * writes the nets and prints "<operation><tab><format><tab><refusal>", where the refusal is empty,
 * or the text with which the exporter declines. operators.py makes docs/operators.md of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exchange/golden.h"
#include "tests/exchange/operations.h"

static const format all[] = {
    { "onnx", "fp32" }, { "qoperator", "fp32" }, { "qonnx", "unfused" },
    { "c", "fp32" },    { "tflite", "xnnpack" }, { "tflite-ref", "double" },
};

static void write_operation(const char *folder, const operation *o, bool each, int bits, state how)
{
    char recipe[1024], name[128];
    testnet t;
    operation_current = o;
    make_recipe(recipe, sizeof recipe, each, bits, how);
    snprintf(name, sizeof name, "%s-w%d-%s", o->name, bits, state_name[how]);
    testnet_init_model(&t, recipe, &operation_model);
    make_positive(&t);
    apply(&t, how);
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++) {
        dt_error err = { .text = "" };
        if (try_format(&t, &all[i], folder, name, &err) != DT_OK) {
            const char *text = strstr(err.text, ": "); /* behind the node's name */
            printf("%s\t%s\t%s\n", o->name, all[i].name, text ? text + 2 : err.text);
        } else {
            printf("%s\t%s\t\n", o->name, all[i].name);
        }
    }
    testnet_fini(&t);
}

static const char *target_folder;

START_TEST(operators)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(operations); i++) {
        write_operation(target_folder, &operations[i], false, 4, PLAIN);
        write_operation(target_folder, &operations[i], true, 8, ODD_ZERO);
    }
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    target_folder = argv[1];
    Suite *suite = suite_create("operators");
    TCase *all_tests = tcase_create("all");
    tcase_set_timeout(all_tests, 600);
    tcase_add_test(all_tests, operators);
    suite_add_tcase(suite, all_tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    if (failed) srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return failed ? 1 : 0;
}
