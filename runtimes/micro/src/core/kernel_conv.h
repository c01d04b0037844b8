/* int8 convolutions in which every input feeds several output channels: CONV_2D, and DEPTHWISE_CONV_2D with a depth
 * multiplier. */
#ifndef OPCONFORM_KERNEL_CONV_H
#define OPCONFORM_KERNEL_CONV_H

#include "kernel_window.h"

/* Asks for the memory of an invocation; `c` is checked. `depthwise`: weights lie [taps][channels], else
 * [channels][taps]. */
void opc_conv_plan_s8(opc_node *node, const opc_conv *c, bool depthwise);
void opc_conv_run_s8(const opc_node *node, const opc_conv *c, bool depthwise, int32_t lo, int32_t hi);

#endif
