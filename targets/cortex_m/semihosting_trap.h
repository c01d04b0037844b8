#ifndef OPCONFORM_SEMIHOSTING_TRAP_H
#define OPCONFORM_SEMIHOSTING_TRAP_H

#include <stdint.h>

static inline uint32_t semihosting_trap(uint32_t call, const void *block) {
    register uint32_t r0 __asm("r0") = call;
    register const void *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

#endif
