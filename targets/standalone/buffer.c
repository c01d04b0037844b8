/* Where QEMU puts a model before the start, so that one image with all kernels serves every model. The section of the
 * length is one that start-up does not clear. */
#include <stdint.h>

extern uint8_t opc_model_buffer[OPC_MODEL_BYTES];
uint8_t opc_model_buffer[OPC_MODEL_BYTES] __attribute__((aligned(16)));

extern volatile uint32_t opc_model_bytes;
volatile uint32_t opc_model_bytes __attribute__((section(".bss.opc_io_model_bytes")));
