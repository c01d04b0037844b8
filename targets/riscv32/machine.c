/* What a RISC-V core in machine mode needs: memory protection, the tick and faults. */
#include "machine.h"

#include "platform.h"
#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
/* The timer of the SiFive CLINT, which most RISC-V machines of QEMU have. */
#define MTIMECMP_LOW REGISTER(0x02004000)
#define MTIMECMP_HIGH REGISTER(0x02004004)
#define MTIME_LOW REGISTER(0x0200BFF8)
#define MTIME_HIGH REGISTER(0x0200BFFC)

#ifndef OPC_CLOCK_HZ
#error "OPC_CLOCK_HZ: the clock of the board, target.yaml"
#endif

/* Of a PMP entry: a region whose size is a power of two, locked, so that machine mode obeys as well. */
enum { PMP_READ = 1, PMP_EXECUTE = 4, PMP_POWER_OF_TWO = 3 << 3, PMP_LOCKED = 1 << 7 };

enum { MIE_TIMER = 1 << 7 };

extern const uint8_t opc_flash_start[], opc_flash_bytes[], opc_guard_start[], opc_task_stack_bottom[];

/* `bytes` is a power of two, at least 8, and divides `base`. */
static uint32_t region(const uint8_t *base, uint32_t bytes) {
    return ((uint32_t)(uintptr_t)base >> 2) | ((bytes >> 3) - 1u);
}

/* Regions of whole pages: QEMU takes a slow path for every access to a page that a region cuts. */
static void protect(void) {
    const uint32_t guard = (uint32_t)(opc_task_stack_bottom - opc_guard_start);
    const uint32_t flash_rights = PMP_READ | PMP_EXECUTE | PMP_POWER_OF_TWO | PMP_LOCKED;
    const uint32_t guard_rights = PMP_POWER_OF_TWO | PMP_LOCKED;
    __asm volatile("csrw pmpaddr0, %0" ::"r"(region(opc_flash_start, (uint32_t)(uintptr_t)opc_flash_bytes)));
    __asm volatile("csrw pmpaddr1, %0" ::"r"(region(opc_guard_start, guard)));
    __asm volatile("csrw pmpcfg0, %0" ::"r"(flash_rights | guard_rights << 8));
}

/* 32-bit halves: the comparison must not meet a time in between. At 10 MHz, 2^64 ticks are 58,000 years. */
static void tick_again(void) {
    uint32_t high = MTIME_HIGH;
    uint32_t low = MTIME_LOW;
    while (high != MTIME_HIGH) {
        high = MTIME_HIGH;
        low = MTIME_LOW;
    }
    const uint64_t next = ((uint64_t)high << 32 | low) + OPC_CLOCK_HZ / OPC_TICKS_PER_SECOND;
    MTIMECMP_HIGH = UINT32_MAX;
    MTIMECMP_LOW = (uint32_t)next;
    MTIMECMP_HIGH = (uint32_t)(next >> 32);
}

void machine_start(void) {
    protect();
    tick_again();
    __asm volatile("csrs mie, %0" ::"r"(MIE_TIMER)); /* heard once board_thread lets interrupts in */
}

uint32_t machine_tick(void) {
    tick_again();
    return platform_tick();
}

void machine_fault(const uint32_t *frame) {
    uint32_t words[16] = {0};
    __asm volatile("csrr %0, mcause" : "=r"(words[0]));
    words[1] = frame[1];
    words[2] = frame[2];
    words[3] = frame[0];
    __asm volatile("csrr %0, mepc" : "=r"(words[4]));
    __asm volatile("csrr %0, mstatus" : "=r"(words[5]));
    __asm volatile("csrr %0, mtval" : "=r"(words[6]));
    const uint32_t guard = (uint32_t)(uintptr_t)opc_guard_start;
    const uint32_t bottom = (uint32_t)(uintptr_t)opc_task_stack_bottom;
    words[7] = frame[2] < bottom || words[6] - guard < bottom - guard;
    platform_abandon(words);
}

void machine_exit(uint32_t status) {
    semihosting_exit(status);
}
