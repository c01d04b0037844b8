/* What a Cortex-M needs: the tick, faults and the FPU; differences between cores are known at compile time. */
#include "machine.h"

#include "platform.h"
#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#ifndef OPC_CLOCK_HZ
#error "OPC_CLOCK_HZ: the clock of the board, target.yaml"
#endif

enum { EXCEPTION_HARD_FAULT = 3, EXCEPTION_TICK = 15 };
enum { MMFAR_VALID = 1 << 7, BFAR_VALID = 1 << 15, FRAME_LOST = 1 << 4 | 1 << 12 | 1 << 20 };

extern const uint8_t opc_task_stack_bottom[], opc_task_stack_top[];

static void start_ticks(void) {
    /* OPC_CLOCK_HZ / 10 < 2^24 for every board up to 167 MHz. */
    REGISTER(0xE000E014) = OPC_CLOCK_HZ / OPC_TICKS_PER_SECOND - 1u;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 7;
}

static void enable_core(void) {
#if __ARM_ARCH >= 7
    REGISTER(0xE000ED24) |= (7u << 16) | (1u << 19); /* SHCSR: MemManage, BusFault, UsageFault, SecureFault */
    REGISTER(0xE000ED14) |= 1u << 4;                 /* CCR.DIV_0_TRP */
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED88) |= 0xFu << 20; /* CPACR: without it the first FP or MVE instruction is a UsageFault */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED14) |= 1u << 19; /* CCR.LOB: low-overhead loops */
#endif
}

void machine_start(void) {
    enable_core();
    mpu_protect();
    start_ticks();
}

#if __ARM_ARCH >= 7
static void read_fault_status(uint32_t *words) {
    words[6] = REGISTER(0xE000ED28);
    words[7] = REGISTER(0xE000ED2C);
    words[8] = (words[6] & MMFAR_VALID) != 0 ? REGISTER(0xE000ED34) : 0; /* else that of an older fault */
    words[9] = (words[6] & BFAR_VALID) != 0 ? REGISTER(0xE000ED38) : 0;
    REGISTER(0xE000ED28) = words[6]; /* written ones clear */
    REGISTER(0xE000ED2C) = words[7];
#if __ARM_ARCH >= 8
    words[10] = REGISTER(0xE000EDE4);
    words[11] = REGISTER(0xE000EDE8);
    REGISTER(0xE000EDE4) = words[10];
#endif
    /* A fault that escalated left its first handler active or pending: the return to Thread mode would be refused. */
    if (words[0] == EXCEPTION_HARD_FAULT) {
        REGISTER(0xE000ED24) &= ~0x700Bu;
    }
#if defined(__ARM_FP)
    REGISTER(0xE000EF34) &= ~1u; /* FPCCR.LSPACT: nothing of the dead context is to be saved */
#endif
}
#else
static void read_fault_status(uint32_t *words) {
    (void)words;
}
#endif

/* The frame that the core stacked: r0-r3, r12, lr, pc, xpsr. It is missing where the stack itself was bad:
 * CFSR.MSTKERR, STKERR or STKOF, or a stack pointer outside the stack. */
static void read_frame(uint32_t *words, const uint32_t *frame) {
    const uintptr_t at = (uintptr_t)frame;
    if ((words[6] & FRAME_LOST) != 0 || at < (uintptr_t)opc_task_stack_bottom ||
        at > (uintptr_t)opc_task_stack_top - 32u || (at & 3u) != 0) {
        return;
    }
    words[1] = frame[0];
    words[2] = frame[4];
    words[3] = frame[5];
    words[4] = frame[6];
    words[5] = frame[7];
}

void platform_fault(const uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    uint32_t words[16] = {0};
    if ((exc_return & 8u) == 0) {
        semihosting_exit(OPC_EXIT_FAULT_IN_HANDLER);
    }
    words[0] = exception & 0x1FFu;
    read_fault_status(words);
    read_frame(words, frame);
    platform_abandon(words[0] == EXCEPTION_TICK ? 0 : words);
}
