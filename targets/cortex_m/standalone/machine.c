/* What the smallest firmware needs of a Cortex-M: the FPU, and handlers that never come back. */
#include "machine.h"

#include "platform.h"
#include "report.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

void machine_start(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED88) |= 0xFu << 20; /* CPACR */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED14) |= 1u << 19; /* CCR.LOB: low-overhead loops */
#endif
}

uint32_t platform_tick(void) {
    return 0;
}

void platform_fault(const uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    report_end(OPC_INTERNAL, 0);
    report_done();
}
