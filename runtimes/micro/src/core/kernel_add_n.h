/* Sums of any number of tensors of one shape. */
#ifndef OPCONFORM_KERNEL_ADD_N_H
#define OPCONFORM_KERNEL_ADD_N_H

#include "kernel_util.h"

enum { OPC_ADD_N_CHUNK = 16 };

/* Sums of a few neighbouring elements. */
typedef union opc_sums {
    float f[OPC_ADD_N_CHUNK];
    int32_t i[OPC_ADD_N_CHUNK];
} opc_sums;

/* At least one input, all inputs and the output of one dtype and shape. */
opc_status opc_add_n_prepare(opc_node *node);
/* invoke: for every chunk of `count` elements from element `at` the sums start at 0 bits, `add` is called for every
 * input, and `finish` stores. Inputs are read before the output is written, so that it may lie on top of one of them.
 */
opc_status opc_add_n(opc_node *node, void (*add)(opc_sums *sums, const opc_tensor *x, uint32_t at, uint32_t count),
                     void (*finish)(const opc_node *node, const opc_sums *sums, const opc_tensor *y, uint32_t at,
                                    uint32_t count));

#endif
