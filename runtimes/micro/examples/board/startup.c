/* From reset to main on any Cortex-M: vectors, variables, the FPU. Interrupts of a board's devices would follow the
 * sixteen vectors of the core. */
#include <stdint.h>

extern uint32_t stack_top[], data_image[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void reset(void);

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

enum { SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

/* End QEMU with a status; a product has nowhere to go and would reset here. */
static void leave(uint32_t status) {
    const uint32_t block[2] = {APPLICATION_EXIT, status};
    register uint32_t r0 __asm("r0") = SYS_EXIT_EXTENDED;
    register const uint32_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    for (;;) {
    }
}

static void report_fault(void) {
    leave(70);
}

/* The stack itself may be what is wrong, so it begins anew. */
static void fault(void) __attribute__((naked));
static void fault(void) {
    __asm volatile("msr msp, %0\n bx %1" ::"r"(stack_top), "r"(report_fault));
}

/* The loops are volatile, or the compiler would call memcpy and memset, which may themselves need variables. */
void reset(void) {
    const uint32_t *from = data_image;
    for (volatile uint32_t *to = data_start; to != data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = bss_start; to != bss_end; to++) {
        *to = 0;
    }
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED88) |= 0xFU << 20; /* CPACR: the FPU is off after reset */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    REGISTER(0xE000ED14) |= 1U << 19; /* CCR.LOB: low-overhead loops */
#endif
    leave((uint32_t)main());
}

typedef void (*handler)(void);

typedef union vector {
    const uint32_t *stack;
    handler handler;
} vector;

extern const vector vectors[16];
const vector vectors[16] __attribute__((section(".vectors"), used)) = {
    {.stack = stack_top}, {.handler = reset}, {.handler = fault}, {.handler = fault},
    {.handler = fault},   {.handler = fault}, {.handler = fault}, {.handler = fault},
};
