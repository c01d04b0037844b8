#include "kernel_table.h"

#include <math.h>

opc_table_of opc_table_plan(float (*function)(float), float scale_x, int32_t zero_x, float scale_y, int32_t zero_y) {
    opc_table_of t = {.function = function};
    t.low = scale_x * (float)(INT16_MIN - zero_x);
    t.high = scale_x * (float)(INT16_MAX - zero_x);
    t.step = (t.high - t.low) / 512.0f;
    const float low_y = scale_y * (float)(INT16_MIN - zero_y);
    t.least = low_y;
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

static float sample_at(const opc_table_of *t, float x) {
    const float y = t->function(x);
    return y == -HUGE_VALF ? t->least : y;
}

int16_t opc_table_entry(const opc_table_of *t, uint32_t i) {
    if (i >= OPC_TABLE_ENTRIES - 1U) {
        return clamped(sample_at(t, t->high) * t->per_unit);
    }
    const float at = t->low + (float)i * t->step;
    const float sample = rounded(sample_at(t, at) * t->per_unit);
    const float next = sample_at(t, t->low + (float)(i + 1U) * t->step) * t->per_unit;
    const float middle = rounded(sample_at(t, at + t->step / 2.0f) * t->per_unit);
    const float interpolated = rounded((next + sample) / 2.0f);
    return clamped(sample - rounded((interpolated - middle) / 2.0f));
}

int16_t opc_table_between(int16_t left, int16_t right, int16_t value) {
    const int32_t slope = (int16_t)(right - left);
    return (int16_t)(left + ((slope * (value & 0x7F) + 64) >> 7));
}

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    return opc_zero_point(x, 0) == 0 && opc_zero_point(y, 0) == 0
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
}

opc_status opc_table_prepare(opc_node *node, float (*function)(float)) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    int16_t *table = opc_alloc(node, OPC_TABLE_ENTRIES * sizeof(int16_t));
    if (table == NULL) {
        return OPC_NO_MEMORY;
    }
    const opc_table_of t = opc_table_plan(function, opc_scale(&x, 0), 0, opc_scale(&y, 0), 0);
    for (uint32_t i = 0; i < OPC_TABLE_ENTRIES; i++) {
        table[i] = opc_table_entry(&t, i);
    }
    return OPC_OK;
}

opc_status opc_table_invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const int16_t *table = opc_data(node);
    for (uint32_t i = 0; i < x.elements; i++) {
        const int16_t value = opc_i16(&x)[i];
        const uint32_t at = opc_table_index(value);
        ((int16_t *)y.data)[i] = opc_table_between(table[at], table[at + 1U], value);
    }
    return OPC_OK;
}
