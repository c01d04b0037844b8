#include "kernel_map.h"

enum { TABLE_ENTRIES = 256, TABLE_PAYS = 512 }; /* elements; the table is made anew for each invocation */

opc_status opc_map_prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return opc_fetch_unary(node, &x, &y);
}

opc_status opc_map_float(opc_node *node, float (*f)(float)) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    const float *in = x.data;
    float *out = y.data;
    for (uint32_t i = 0; i < x.elements; i++) {
        out[i] = f(in[i]);
    }
    return OPC_OK;
}

opc_status opc_map_fetch(opc_node *node, opc_map *m) {
    OPC_TRY(opc_fetch_unary(node, &m->x, &m->y));
    OPC_TRY(opc_need_quantized(node, &m->x, &m->y));
    opc_dtype_range(m->y.dtype, &m->lo, &m->hi);
    const bool symmetric = opc_zero_point(&m->x, 0) == 0 && opc_zero_point(&m->y, 0) == 0;
    return symmetric || m->x.dtype != OPC_INT16 ? OPC_OK
                                                : OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
}

opc_status opc_map_quantized_prepare(opc_node *node) {
    opc_map m;
    OPC_TRY(opc_map_fetch(node, &m));
    if (m.x.dtype != OPC_INT16 && m.x.elements >= TABLE_PAYS) {
        opc_scratch(node, TABLE_ENTRIES);
    }
    return OPC_OK;
}

/* May work in place. */
static void apply(const opc_map *m, void *from, void *to, uint32_t count) {
    opc_tensor in = m->x;
    opc_tensor out = m->y;
    in.data = from;
    out.data = to;
    const int32_t zero_x = opc_zero_point(&in, 0);
    const int32_t zero_y = opc_zero_point(&out, 0);
    for (uint32_t i = 0; i < count; i++) {
        const int32_t value = m->f(m->context, opc_load_int(&in, i) - zero_x);
        opc_store_int(&out, i, opc_clamp_sum(value, zero_y, m->lo, m->hi));
    }
}

opc_status opc_map_quantized(opc_node *node, const opc_map *m) {
    uint8_t *table = opc_scratch_data(node);
    if (table == NULL) {
        apply(m, m->x.data, m->y.data, m->x.elements);
        return OPC_OK;
    }
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        table[i] = (uint8_t)i;
    }
    apply(m, table, table, TABLE_ENTRIES);
    const uint8_t *in = m->x.data;
    uint8_t *out = m->y.data;
    for (uint32_t i = 0; i < m->x.elements; i++) {
        out[i] = table[in[i]];
    }
    return OPC_OK;
}

typedef struct real_function {
    float (*f)(float);
    float scale;
    float per_unit;
} real_function;

static int32_t real_value(const void *context, int32_t x) {
    const real_function *r = context;
    return opc_round(r->f(r->scale * (float)x) * r->per_unit);
}

opc_status opc_map_real(opc_node *node, float (*f)(float)) {
    opc_map m;
    OPC_TRY(opc_map_fetch(node, &m));
    const real_function r = {f, opc_scale(&m.x, 0), 1.0f / opc_scale(&m.y, 0)};
    m.f = real_value;
    m.context = &r;
    return opc_map_quantized(node, &m);
}
