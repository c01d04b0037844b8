/* Quantized sums and differences of two broadcast tensors, by the opc_sum of their node. */
#ifndef OPCONFORM_KERNEL_SUM_H
#define OPCONFORM_KERNEL_SUM_H

#include "kernel_runs.h"

enum { OPC_SUM_SHIFT_8 = 20, OPC_SUM_SHIFT_16 = 15 };

/* invoke; int8 and uint8, or int16. sign: 1 adds, -1 subtracts. */
opc_status opc_sum_8(opc_node *node, int32_t sign);
opc_status opc_sum_16(opc_node *node, int32_t sign);

#endif
