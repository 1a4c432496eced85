/* Verbs that read run folders and draw are Python scripts, which the program contains (view/). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_SCRIPT_H
#define DT_CLI_SCRIPT_H

/* Runs "<verb>.py" with what stands behind the verb, argv[0], by python3 of $PATH; the exit code of
 * the process. The script finds this program in $DETENT_PROGRAM. */
int cli_script(int argc, char **argv);

#endif
