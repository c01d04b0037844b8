#include "kernel_scale.h"

void opc_clamp_s8(int8_t *y, uint32_t count, int32_t lo, int32_t hi) {
    if (lo <= INT8_MIN && hi >= INT8_MAX) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int8_t)opc_clamp(y[i], lo, hi);
    }
}

#ifndef OPC_MVE

int32_t opc_scale_any(int32_t x, const opc_lane *lane, int32_t zero) {
    const opc_multiplier m = {lane->mantissa, lane->shift};
    if (lane->half != 0) {
        return opc_scale_quick(x, lane);
    }
    return opc_clamp_sum(opc_mbqm(opc_add32(x, lane->base), m), zero, -128, 127);
}

#endif
