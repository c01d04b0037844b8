/* Start-up, the time budget of the firmware and the way out of a fault; what the core is, machine.c knows. */
#include "platform.h"

#include "semihosting.h"
#include "worker/transport.h"

enum { DEFAULT_BUDGET = 100, MODEL_STEP = 16384, EXIT_TORN_ANSWER = 71 };
enum { ERROR_FAULT = 6, ERROR_BUDGET = 7 };

extern uint32_t opc_data_image[], opc_data_start[], opc_data_end[], opc_bss_start[], opc_bss_end[];

/* Counted up by entry.S around each invocation: odd inside one. */
volatile uint32_t opc_invocation;

static uint32_t budget_centiseconds; /* of QEMU's CPU time; from the command line */
static uint32_t ticked_invocation;   /* the invocation that the last tick interrupted */
static uint32_t tick_start;          /* CPU time at the first tick in it */
static uint32_t served;              /* not the first entry of platform_serve */

void platform_init(void) {
    const uint32_t *from = opc_data_image;
    for (volatile uint32_t *to = opc_data_start; to != opc_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = opc_bss_start; to != opc_bss_end; to++) {
        *to = 0;
    }
    machine_start();
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

void platform_abandon(const uint32_t *words) {
    opc_invocation = (opc_invocation + 1u) & ~1u;
    if (transport_abandon() != 0) {
        semihosting_exit(EXIT_TORN_ANSWER);
    }
    if (words == 0) {
        worker_fault(ERROR_BUDGET, "the invocation used up its time", 0);
    } else {
        worker_fault(ERROR_FAULT, "fault", words);
    }
}
