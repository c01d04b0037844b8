#include "kernel_table.h"

opc_table_of opc_table_plan(float (*function)(float), float scale_x, int32_t zero_x, float scale_y, int32_t zero_y) {
    opc_table_of t = {.function = function};
    t.low = scale_x * (float)(INT16_MIN - zero_x);
    t.high = scale_x * (float)(INT16_MAX - zero_x);
    t.step = (t.high - t.low) / 512.0f;
    const float low_y = scale_y * (float)(INT16_MIN - zero_y);
    const float high_y = scale_y * (float)(INT16_MAX - zero_y);
    t.per_unit = 65536.0f / (high_y - low_y);
    return t;
}

/* Rounded, halves away from zero; beyond 2^30 only the clamp below matters. */
static float rounded(float x) {
    return (float)opc_round(x);
}

static int16_t clamped(float x) {
    return (int16_t)opc_clamp(opc_round(x), INT16_MIN, INT16_MAX);
}

int16_t opc_table_entry(const opc_table_of *t, uint32_t i) {
    if (i >= OPC_TABLE_ENTRIES - 1U) {
        return clamped(t->function(t->high) * t->per_unit);
    }
    const float at = t->low + (float)i * t->step;
    const float sample = rounded(t->function(at) * t->per_unit);
    const float next = t->function(t->low + (float)(i + 1U) * t->step) * t->per_unit;
    const float middle = rounded(t->function(at + t->step / 2.0f) * t->per_unit);
    const float interpolated = rounded((next + sample) / 2.0f);
    return clamped(sample - rounded((interpolated - middle) / 2.0f));
}

int16_t opc_table_between(int16_t left, int16_t right, int16_t value) {
    const int32_t slope = (int16_t)(right - left);
    return (int16_t)(left + ((slope * (value & 0x7F) + 64) >> 7));
}
