#include "kernel_scale.h"

void opc_clamp_s8(int8_t *y, uint32_t count, int32_t lo, int32_t hi) {
    if (lo <= INT8_MIN && hi >= INT8_MAX) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int8_t)opc_clamp(y[i], lo, hi);
    }
}
