/* Start-up, faults and the time budget of the firmware. Runs on every board; the differences are the core's. */
#include "platform.h"

#include "semihosting.h"
#include "worker/transport.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#ifndef OPC_CLOCK_HZ
#error "OPC_CLOCK_HZ: the clock of the board, target.yaml"
#endif

enum {
    TICKS_PER_SECOND = 10,
    DEFAULT_BUDGET = 100,
    MODEL_STEP = 16384,
    EXIT_FAULT_IN_HANDLER = 70,
    EXIT_TORN_ANSWER = 71
};
enum { ERROR_FAULT = 6, ERROR_BUDGET = 7, EXCEPTION_HARD_FAULT = 3, EXCEPTION_TICK = 15 };
enum { MMFAR_VALID = 1 << 7, BFAR_VALID = 1 << 15, FRAME_LOST = 1 << 4 | 1 << 12 | 1 << 20 };

extern uint32_t opc_data_image[], opc_data_start[], opc_data_end[], opc_bss_start[], opc_bss_end[];
extern const uint8_t opc_task_stack_bottom[], opc_task_stack_top[];

/* Counted up by entry.S around each invocation: odd inside one. */
volatile uint32_t opc_invocation;

static uint32_t budget_centiseconds; /* of QEMU's CPU time; from the command line */
static uint32_t ticked_invocation;   /* the invocation that the last tick interrupted */
static uint32_t tick_start;          /* CPU time at the first tick in it */
static uint32_t served;              /* not the first entry of platform_serve */

static void start_ticks(void) {
    /* OPC_CLOCK_HZ / 10 < 2^24 for every board up to 167 MHz. */
    REGISTER(0xE000E014) = OPC_CLOCK_HZ / TICKS_PER_SECOND - 1u;
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

void platform_init(void) {
    const uint32_t *from = opc_data_image;
    for (volatile uint32_t *to = opc_data_start; to != opc_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = opc_bss_start; to != opc_bss_end; to++) {
        *to = 0;
    }
    enable_core();
    mpu_protect();
    start_ticks();
}

/* The command line is the budget in centiseconds, in decimal; nothing else is ever passed. */
static uint32_t read_budget(void) {
    char text[16];
    uint32_t block[2] = {(uint32_t)(uintptr_t)text, sizeof text};
    uint32_t value = 0;
    if (semihosting(SYS_GET_CMDLINE, block) != 0) {
        return DEFAULT_BUDGET;
    }
    /* At most 8 digits: value < 10^8. */
    for (uint32_t i = 0; i < 8 && text[i] >= '0' && text[i] <= '9'; i++) {
        value = value * 10u + (uint32_t)(text[i] - '0');
    }
    return value != 0 ? value : DEFAULT_BUDGET;
}

void platform_serve(void) {
    if (!served) {
        served = 1;
        budget_centiseconds = read_budget();
        transport_open();
    }
    semihosting_exit((uint32_t)worker_main());
}

/* A whole network takes longer than one op: the time allowed grows with the model.
 * At most budget * (1 + 4 MiB / 16 KiB): below 2^32 for every budget up to 46 hours. */
static uint32_t allowed(void) {
    return budget_centiseconds * (1u + transport_model_bytes() / MODEL_STEP);
}

/* SYS_CLOCK is the CPU time of the QEMU process, so a busy host does not end an honest kernel. */
uint32_t platform_tick(void) {
    const uint32_t invocation = opc_invocation;
    if ((invocation & 1u) == 0) {
        return 0;
    }
    const uint32_t now = semihosting(SYS_CLOCK, 0);
    if (invocation != ticked_invocation) {
        ticked_invocation = invocation;
        tick_start = now;
    }
    return now - tick_start >= allowed();
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
        semihosting_exit(EXIT_FAULT_IN_HANDLER);
    }
    words[0] = exception & 0x1FFu;
    read_fault_status(words);
    read_frame(words, frame);
    opc_invocation = (opc_invocation + 1u) & ~1u;
    if (transport_abandon() != 0) {
        semihosting_exit(EXIT_TORN_ANSWER);
    }
    if (words[0] == EXCEPTION_TICK) {
        worker_fault(ERROR_BUDGET, "the invocation used up its time", 0);
    } else {
        worker_fault(ERROR_FAULT, "fault", words);
    }
}
