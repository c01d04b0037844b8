/* Elementwise operators of one input. */
#ifndef OPCONFORM_KERNEL_MAP_H
#define OPCONFORM_KERNEL_MAP_H

#include "fixedpoint.h"
#include "kernel_util.h"

/* float32: y = f(x), after opc_map_prepare (one input and one output, of one dtype and shape). */
opc_status opc_map_prepare(opc_node *node);
opc_status opc_map_float(opc_node *node, float (*f)(float));

/* int8, uint8, int16, quantized per tensor. */
typedef struct opc_map {
    opc_tensor x;
    opc_tensor y;
    /* From x less its zero point to y less its zero point; then clamped. */
    int32_t (*f)(const void *context, int32_t x);
    const void *context;
    int32_t lo; /* of the output */
    int32_t hi;
} opc_map;

/* Views and the output's range. Refuses zero points of int16 other than 0, and plans a table of 256 results for long
 * 8-bit tensors. */
opc_status opc_map_fetch(opc_node *node, opc_map *m);
opc_status opc_map_quantized_prepare(opc_node *node);
/* invoke: m as opc_map_fetch left it, with f and context filled in. */
opc_status opc_map_quantized(opc_node *node, const opc_map *m);

/* y = f(x) of real values in float32, rounded. f may give an infinity, not NaN. */
opc_status opc_map_real(opc_node *node, float (*f)(float));

#endif
