/* Signals that ask for an end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <time.h>

#include "cli/cli.h"

atomic_int cli_stop_requested;
static atomic_int other; /* group of processes to be ended too */

enum { SECONDS = 1 };

/* Tools such as timeout(1) send one signal twice, to the process and to its group: a second one
 * counts only when it comes later. */
static void on_stop(int number)
{
    static atomic_llong first;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int group = atomic_load(&other);
    if (group > 0) (void)kill(-group, SIGTERM);
    if (atomic_exchange(&cli_stop_requested, 1) == 0) {
        atomic_store(&first, (long long)t.tv_sec);
    } else if (t.tv_sec - atomic_load(&first) > SECONDS) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this returns */
    }
}

void cli_stop_also(int group)
{
    atomic_store(&other, group);
    if (group > 0 && atomic_load(&cli_stop_requested)) (void)kill(-group, SIGTERM);
}

void cli_catch_stops(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < DT_ARRAY_LEN(numbers); i++) {
        struct sigaction now, catch = { .sa_handler = on_stop, .sa_flags = (int)SA_RESTART };
        if (sigaction(numbers[i], NULL, &now) != 0 || now.sa_handler == SIG_IGN) continue;
        sigemptyset(&catch.sa_mask);
        (void)sigaction(numbers[i], &catch, NULL);
    }
}

void cli_ignore_signals(void)
{
    signal(SIGXFSZ, SIG_IGN);
}

void cli_outlive_readers(void)
{
    signal(SIGPIPE, SIG_IGN);
}
