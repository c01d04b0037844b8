/* Products of matrices in the last two dimensions, the dimensions before them broadcast. */
#ifndef OPCONFORM_KERNEL_MATMUL_H
#define OPCONFORM_KERNEL_MATMUL_H

#include "broadcast.h"
#include "kernel_util.h"

/* A walk of the output's elements: each is the product of `depth` elements of x from x_at on, x_step apart, and of w.
 */
typedef struct opc_matmul {
    opc_tensor in[2];
    opc_tensor y;
    opc_walk walk; /* of the batches, in matrices */
    uint32_t depth;
    uint32_t x_at;
    uint32_t x_step;
    uint32_t w_at;
    uint32_t w_step;
    uint32_t x_row;    /* to the next row of x */
    uint32_t w_column; /* to the next column of w */
    uint32_t rows;
    uint32_t columns;
    uint32_t row;
    uint32_t column;
} opc_matmul;

/* Fetch and check everything but quantization, and go to the first element. */
opc_status opc_matmul_start(opc_node *node, opc_matmul *m);
void opc_matmul_next(opc_matmul *m);

#endif
