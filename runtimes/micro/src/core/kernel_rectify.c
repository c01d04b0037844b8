#include "kernel_rectify.h"

#include <string.h>

int32_t opc_on_slope(const opc_slopes *s, int32_t x, int32_t below_product) {
    if (x >= 0) {
        return opc_mbqm(x, s->above);
    }
    const int32_t y = opc_mbqm(below_product, s->below);
    return s->negate ? opc_sub32(0, y) : y;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

bool opc_is_finite(float x) {
    return (bits_of(x) & 0x7F800000U) != 0x7F800000U;
}

static int32_t rectified(const void *context, int32_t x) {
    return opc_on_slope(context, x, x);
}

opc_status opc_rectify(opc_node *node, uint8_t activation, float slope) {
    opc_map m;
    opc_slopes s;
    OPC_TRY(opc_map_fetch(node, &m));
    const float scale_x = opc_scale(&m.x, 0);
    const float scale_y = opc_scale(&m.y, 0);
    s.negate = bits_of(slope) >> 31 != 0;
    s.above = opc_multiplier_of(scale_x, 1.0f, scale_y, 0);
    s.below = opc_multiplier_of(scale_x, s.negate ? -slope : slope, scale_y, 0);
    m.f = rectified;
    m.context = &s;
    m.activation = activation;
    return opc_map_quantized(node, &m);
}
