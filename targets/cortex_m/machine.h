/* What entry.S, machine.c and mpu.c share. */
#ifndef OPCONFORM_MACHINE_H
#define OPCONFORM_MACHINE_H

#include <stdint.h>

/* Flash read-only and a guard below the process stack, where the core has an MPU. */
void mpu_protect(void);

/* Called by entry.S with what the core stacked. */
void platform_fault(const uint32_t *frame, uint32_t exc_return, uint32_t exception);

#endif
