/* What the directions of CAST share. */
#ifndef OPCONFORM_KERNEL_CAST_H
#define OPCONFORM_KERNEL_CAST_H

#include "kernel_util.h"

/* One input and one output of one shape; the output is float32, bool or an integer of 8 to 64 bits. */
opc_status opc_cast_fetch(opc_node *node, opc_tensor *x, opc_tensor *y);
opc_status opc_cast_prepare(opc_node *node);
/* Element i of integers or bools keeps the low bits of `value`; a bool is whether `value` is not 0. */
void opc_cast_store(const opc_tensor *y, uint32_t i, uint64_t value);

#endif
