/* Runs an export's self-test on the target and measures the stack that net_run takes: memory below
 * the stack pointer is painted first, and searched for what is left of the paint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "net.h"

enum { PAINT = 0x5A, ROOM = 16384 };

static uint8_t input[NET_INPUT_BYTES], logits[NET_CLASSES];

/* Bytes below `from`, ROOM of them. */
static void paint(volatile uint8_t *from)
{
    int i;
    for (i = 1; i <= ROOM; i++)
        from[-i] = PAINT;
}

static int used(const volatile uint8_t *from)
{
    int i = ROOM;
    while (i > 0 && from[-i] == PAINT)
        i--;
    return i;
}

int main(void)
{
    volatile uint8_t *sp;
    int stack, wrong;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    paint(sp - 64); /* this function's own calls lie between */
    net_run(input, logits);
    stack = used(sp - 64) + 64;
    wrong = (int)net_self_test();
    printf("{\"self_test\": %d, \"stack\": %d, \"arena\": %d}\n", wrong, stack, NET_ARENA_BYTES);
    return fflush(stdout) != 0 || wrong;
}
