/* Rectifiers of quantized tensors. */
#ifndef OPCONFORM_KERNEL_RECTIFY_H
#define OPCONFORM_KERNEL_RECTIFY_H

#include "kernel_map.h"

/* One factor for elements that are not negative, one for the others. */
typedef struct opc_slopes {
    opc_multiplier above;
    opc_multiplier below;
    int32_t sign; /* of the factor below: 1 or -1 */
} opc_slopes;

/* y - zero_y from x - zero_x; the factor `below` is applied to `product`, the product of x with the slope for PRELU. */
int32_t opc_on_slope(const opc_slopes *s, int32_t x, int32_t product);

/* The node's persistent opc_slopes: s_x / s_y above zero and slope * s_x / s_y below. OPC_INVALID_MODEL for a slope
 * that is not finite. */
opc_status opc_slopes_prepare(opc_node *node, const opc_tensor *x, const opc_tensor *y, float slope);

/* One input and one output: rescaled, then clamped. */
opc_status opc_rectify_prepare(opc_node *node, float slope);
opc_status opc_rectify(opc_node *node, uint8_t activation);

#endif
