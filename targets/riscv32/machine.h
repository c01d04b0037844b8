/* What entry.S and machine.c share. */
#ifndef OPCONFORM_MACHINE_H
#define OPCONFORM_MACHINE_H

#include <stdint.h>

/* `frame`: ra, a0 and sp where the exception happened. */
void machine_fault(const uint32_t *frame);

/* Ten times a second; non-zero when the invocation has used up its time. */
uint32_t machine_tick(void);

/* End QEMU. */
void machine_exit(uint32_t status);

#endif
