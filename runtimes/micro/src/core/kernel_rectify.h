/* Rectifiers of quantized tensors. */
#ifndef OPCONFORM_KERNEL_RECTIFY_H
#define OPCONFORM_KERNEL_RECTIFY_H

#include "kernel_map.h"

/* One factor for elements that are not negative, one for the others, which may be negative. */
typedef struct opc_slopes {
    opc_multiplier above;
    opc_multiplier below;
    bool negate;
} opc_slopes;

/* y - zero_y from x - zero_x; the other factor is of `below_product`, for PRELU the product with a slope. */
int32_t opc_on_slope(const opc_slopes *s, int32_t x, int32_t below_product);

/* Is the float finite? Without float arithmetic. */
bool opc_is_finite(float x);

/* invoke: rescaled by s_x / s_y, below zero by slope * s_x / s_y, then clamped. opc_map_quantized_prepare prepares. */
opc_status opc_rectify(opc_node *node, uint8_t activation, float slope);

#endif
