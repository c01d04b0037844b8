#ifndef OPCONFORM_SEMIHOSTING_TRAP_H
#define OPCONFORM_SEMIHOSTING_TRAP_H

#include <stdint.h>

/* In entry.S: the three instructions must lie in one page. */
uint32_t semihosting_trap(uint32_t call, const void *block);

#endif
