/* Folding a tensor over some of its axes: sums, means, extremes. */
#ifndef OPCONFORM_KERNEL_REDUCE_H
#define OPCONFORM_KERNEL_REDUCE_H

#include "kernel_order.h"
#include "kernel_shape.h"

/* What is folded into one element of the output are `rows` runs of `run` elements, `step` elements apart; a run begins
 * at out.offset + over.offset. rows * run = count. */
typedef struct opc_reduction {
    opc_tensor in[2];
    opc_tensor y;
    opc_odometer out;
    opc_odometer over;
    uint32_t rows;
    uint32_t run;
    uint32_t step;
    uint32_t count;
} opc_reduction;

/* Fetch and check tensors and axes; input and output have one dtype. In prepare the walk is not known yet where the
 * axes are not constant. */
opc_status opc_reduction_start(opc_node *node, opc_reduction *r);
/* A prepare that is no more than that. */
opc_status opc_reduction_prepare(opc_node *node);

/* SUM and MEAN of float32; the mean of nothing is 0. */
opc_status opc_reduce_float(opc_node *node, bool mean);
/* SUM and MEAN of int32 and int64: `finish` makes the result of the sum, modulo 2^64, and the number of elements; NULL:
 * the sum itself, in the dtype's bits. */
opc_status opc_reduce_whole(opc_node *node, int64_t (*finish)(int64_t sum, uint32_t count));
/* SUM and MEAN of int8, uint8 and int16 that are quantized. The mean of nothing is the integer 0. */
opc_status opc_reduce_quantized_prepare(opc_node *node);
opc_status opc_reduce_quantized(opc_node *node, bool mean);
/* REDUCE_MAX and REDUCE_MIN: the element is copied, so that both tensors need one quantization. OPC_INVALID_MODEL or
 * OPC_INVALID_INPUT where there is none to choose. */
opc_status opc_reduce_extreme_prepare(opc_node *node);
opc_status opc_reduce_extreme(opc_node *node, opc_finder *find, bool largest);

#endif
