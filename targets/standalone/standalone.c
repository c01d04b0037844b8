/* The smallest firmware around a model: start-up, one interpreter, one invocation. It stands in for a product where
 * images are measured. The model is linked in by an assembler file, or lies in a buffer (buffer.c).
 * What only measures (report.c and the marks of entry.S) is left out of the figures. */
#include "opconform_kernel.h"
#include "platform.h"
#include "report.h"

extern const uint8_t opc_model_buffer[];
extern const volatile uint32_t opc_model_bytes;
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
    machine_start();
}

void platform_serve(void) {
    opc_tensor in;
    opc_tensor out;
    const uint32_t bytes = opc_model_bytes;
    report_begin();
    opc_status status =
        opc_open(&interpreter, opc_model_buffer, bytes, opc_arena_buffer, sizeof opc_arena_buffer, &opc_registry_all);
    report_end(status, opc_arena_used(&interpreter));
    for (uint32_t i = 0; status == OPC_OK && opc_model_input(&interpreter, i, &in); i++) {
        report_input(&in);
    }
    report_begin();
    status = status == OPC_OK ? opc_invoke(&interpreter) : status;
    (void)opc_model_output(&interpreter, 0, &out);
    report_end(status, out.bytes);
    report_done();
}
