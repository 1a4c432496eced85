/* Start of a program on an emulated Cortex-M (QEMU's mps2-an386), with files of the host through
 * semihosting: main reads the host's standard input and writes to its standard output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern uint32_t data_from[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
extern void initialise_monitor_handles(void);
int main(void);
void reset(void);
void fault(void);

void reset(void)
{
    memcpy(data_start, data_from, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    initialise_monitor_handles();
    /* The semihosting console is for texts; these take any byte. "ab": a file is not cut off. */
    if (!freopen("/dev/stdin", "rb", stdin) || !freopen("/dev/stdout", "ab", stdout)) exit(3);
    exit(main());
}

void fault(void)
{
    exit(4);
}

/* Vectors: the stack, reset, NMI, and three faults. */
typedef void handler(void);
static const struct vectors {
    uint32_t *stack;
    handler *on[5];
} vectors __attribute__((section(".vectors"), used)) = {
    stack_top,
    { reset, fault, fault, fault, fault },
};
