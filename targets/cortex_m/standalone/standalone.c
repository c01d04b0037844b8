/* The smallest firmware around a model: start-up, one interpreter, one invocation after the other. It stands in for a
 * product's main loop where image sizes are measured; the model is linked in by model.S. */
#include "opconform_micro.h"
#include "platform.h"

extern const uint8_t opc_model[], opc_model_end[];
extern const opc_registry opc_registry_all;
extern uint32_t opc_data_image[], opc_data_start[], opc_data_end[], opc_bss_start[], opc_bss_end[];

uint8_t opc_arena_buffer[OPC_ARENA_BYTES] __attribute__((aligned(16)));
volatile uint32_t opc_invocation;
static opc_interpreter interpreter;

void platform_init(void) {
    const uint32_t *from = opc_data_image;
    for (volatile uint32_t *to = opc_data_start; to != opc_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = opc_bss_start; to != opc_bss_end; to++) {
        *to = 0;
    }
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
}

void platform_serve(void) {
    const size_t bytes = (size_t)(opc_model_end - opc_model);
    opc_status status =
        opc_open(&interpreter, opc_model, bytes, opc_arena_buffer, sizeof opc_arena_buffer, &opc_registry_all);
    while (status == OPC_OK) {
        status = opc_invoke(&interpreter);
    }
    for (;;) {
    }
}

uint32_t platform_tick(void) {
    return 0;
}

void platform_fault(const uint32_t *frame, uint32_t exc_return, uint32_t exception) {
    (void)frame;
    (void)exc_return;
    (void)exception;
    for (;;) {
    }
}
