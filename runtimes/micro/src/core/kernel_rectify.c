#include "kernel_rectify.h"

#include <string.h>

int32_t opc_on_slope(const opc_slopes *s, int32_t x, int32_t product) {
    return x >= 0 ? opc_mbqm(x, s->above) : opc_mul32(opc_mbqm(product, s->below), s->sign);
}

opc_status opc_slopes_prepare(opc_node *node, const opc_tensor *x, const opc_tensor *y, float slope) {
    const uint32_t sign = UINT32_C(1) << 31;
    const uint32_t infinity = 0x7F800000U;
    uint32_t bits;
    memcpy(&bits, &slope, sizeof bits); /* no float arithmetic for a layer of integers */
    if ((bits & infinity) == infinity) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the slope must be finite");
    }
    opc_slopes *s = opc_alloc(node, sizeof *s);
    if (s == NULL) {
        return OPC_NO_MEMORY;
    }
    s->sign = (bits & sign) != 0 ? -1 : 1;
    bits &= ~sign;
    memcpy(&slope, &bits, sizeof slope);
    s->above = opc_multiplier_of(opc_scale(x, 0), 1.0f, opc_scale(y, 0), 0);
    s->below = opc_multiplier_of(opc_scale(x, 0), slope, opc_scale(y, 0), 0);
    return OPC_OK;
}

opc_status opc_rectify_prepare(opc_node *node, float slope) {
    opc_map m;
    OPC_TRY(opc_map_quantized_prepare(node));
    (void)opc_map_fetch(node, &m);
    return opc_slopes_prepare(node, &m.x, &m.y, slope);
}

static int32_t rectified(const void *context, int32_t x) {
    return opc_on_slope(context, x, x);
}

opc_status opc_rectify(opc_node *node, uint8_t activation) {
    opc_map m;
    OPC_TRY(opc_map_fetch(node, &m));
    m.f = rectified;
    m.context = opc_data(node);
    OPC_TRY(opc_activation_range(node, &m.y, activation, &m.lo, &m.hi));
    return opc_map_quantized(node, &m);
}
