/* Comparisons and choices of two broadcast tensors. */
#ifndef OPCONFORM_KERNEL_COMPARE_H
#define OPCONFORM_KERNEL_COMPARE_H

#include "kernel_runs.h"

/* `holds`: the OPC_LESS ... OPC_UNORDERED bits for which a comparison is true. */

/* Stored values: float32, bool and integers. Integers with scales are compared like those without, which is only right
 * when both scales are the same: OPC_UNSUPPORTED otherwise. */
opc_status opc_compare_prepare(opc_node *node);
opc_status opc_compare(opc_node *node, uint32_t holds);

/* int8 and uint8 as real values with 8 fractional bits, rounded: close values compare as equal. */
opc_status opc_compare_real_prepare(opc_node *node);
opc_status opc_compare_real(opc_node *node, uint32_t holds);

/* The first input where it compares so with the second, else the second; all of one dtype and quantization. */
opc_status opc_choose_prepare(opc_node *node);
opc_status opc_choose(opc_node *node, uint32_t holds);

#endif
