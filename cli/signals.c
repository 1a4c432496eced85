/* Signals that ask for an end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "cli/cli.h"

atomic_int cli_stop_requested;

static void on_stop(int number)
{
    (void)number; /* its default comes back with the first: SA_RESETHAND */
    atomic_store(&cli_stop_requested, 1);
}

void cli_catch_stops(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < DT_ARRAY_LEN(numbers); i++) {
        struct sigaction now,
            catch = { .sa_handler = on_stop, .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };
        if (sigaction(numbers[i], NULL, &now) != 0 || now.sa_handler == SIG_IGN) continue;
        sigemptyset(&catch.sa_mask);
        (void)sigaction(numbers[i], &catch, NULL);
    }
}

void cli_ignore_signals(void)
{
    signal(SIGXFSZ, SIG_IGN);
}
