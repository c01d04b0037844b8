/* int8 DEPTHWISE_CONV_2D in which every channel has one filter (depth multiplier 1). */
#ifndef OPCONFORM_KERNEL_DEPTHWISE_H
#define OPCONFORM_KERNEL_DEPTHWISE_H

#include "kernel_window.h"

/* Asks for the memory of an invocation; `c` is checked. */
void opc_depthwise_plan_s8(opc_node *node, const opc_conv *c);
void opc_depthwise_run_s8(const opc_node *node, const opc_conv *c, int32_t lo, int32_t hi);

#endif
