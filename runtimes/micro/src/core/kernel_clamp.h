/* Fused activations of integers that are not quantized. */
#ifndef OPCONFORM_KERNEL_CLAMP_H
#define OPCONFORM_KERNEL_CLAMP_H

#include "kernel_util.h"

/* The range of an activation on plain integers; NONE is the whole of int64. OPC_UNSUPPORTED for TANH and SIGN_BIT. */
opc_status opc_plain_activation_range(opc_node *node, uint8_t activation, int64_t *lo, int64_t *hi);
static inline int64_t opc_clamp64(int64_t x, int64_t lo, int64_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

#endif
