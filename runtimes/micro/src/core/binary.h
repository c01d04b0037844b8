/* What the elementwise operators of two inputs have in common. */
#ifndef OPCONFORM_BINARY_H
#define OPCONFORM_BINARY_H

#include "broadcast.h"
#include "fixedpoint.h"

typedef struct opc_binary {
    opc_tensor in[2];
    opc_tensor out;
} opc_binary;

/* Views of both inputs and the output; false when one is missing or there are more. */
bool opc_binary_views(const opc_node *node, opc_binary *b);
/* For prepare: also checks that both inputs have one dtype, that the output has `out_dtype`, and that the shapes
 * broadcast. */
opc_status opc_binary_check(opc_node *node, opc_binary *b, uint8_t out_dtype);

/* Quantized ADD and SUB: operands scaled to a common 2^-left_shift grid, summed, rescaled. */
typedef struct opc_sum {
    opc_multiplier input[2];
    opc_multiplier output;
    int32_t lo;
    int32_t hi;
} opc_sum;

/* Validates and fills the node's persistent opc_sum. left_shift: 20 for 8-bit types, 15 for int16. */
opc_status opc_sum_prepare(opc_node *node, int32_t left_shift);
/* One element; a and b have their zero points subtracted. sign: 1 for ADD, -1 for SUB. */
int32_t opc_sum_element(const opc_sum *s, int32_t a, int32_t b, int32_t sign, int32_t left_shift, int32_t zero);

#endif
