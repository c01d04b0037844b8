#include "fixedpoint.h"
#include "kernel_fixed.h"
#include "kernel_shape.h"

typedef struct mean {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axes;
} mean;

static opc_status set_up(opc_node *node, mean *t) {
    OPC_TRY(opc_fetch(node, 2, t->in, &t->y));
    OPC_TRY(opc_same_dtype(node, &t->in[0], &t->y));
    OPC_TRY(opc_need_quantized(node, &t->in[0], &t->y));
    if (t->y.dtype == OPC_INT16 && (opc_zero_point(&t->in[0], 0) != 0 || opc_zero_point(&t->y, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return opc_reduced_axes(node, &t->in[0], &t->in[1], &t->y, opc_option_u8(node, 0, 0) != 0, &t->axes);
}

/* s_x / s_y / count. The division is done on the mantissa, shifted up by as much as fits, at some loss of precision. */
static opc_multiplier divided(opc_multiplier m, uint32_t count) {
    int32_t shift = 31 - opc_leading_zeros(count);
    shift = shift > 31 + m.shift ? 31 + m.shift : shift; /* >= 0, as m.shift >= -31 */
    m.mantissa = (int32_t)(((int64_t)m.mantissa << shift) / count);
    m.shift -= shift;
    return m;
}

static opc_status prepare(opc_node *node) {
    mean t;
    return set_up(node, &t);
}

static opc_status invoke(opc_node *node) {
    mean t;
    opc_odometer out;
    opc_odometer over;
    OPC_TRY(set_up(node, &t));
    const opc_tensor *x = &t.in[0];
    const int32_t zero = opc_zero_point(x, 0);
    opc_odometer_start(&out, x, ~t.axes);
    opc_odometer_start(&over, x, t.axes);
    opc_multiplier m = opc_multiplier_of(opc_scale(x, 0), 1.0f, opc_scale(&t.y, 0), 0);
    m = over.count == 0 ? m : divided(m, over.count);
    int32_t lo;
    int32_t hi;
    opc_dtype_range(t.y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < t.y.elements; i++, opc_odometer_next(&out)) {
        int32_t sum = 0; /* modulo 2^32 */
        for (uint32_t k = 0; k < over.count; k++, opc_odometer_next(&over)) {
            sum = opc_add32(sum, opc_load_int(x, out.offset + over.offset) - zero);
        }
        /* the mean of nothing is the integer 0, whatever it stands for */
        const int32_t value = over.count == 0 ? 0 : opc_add32(opc_mbqm(sum, m), opc_zero_point(&t.y, 0));
        opc_store_int(&t.y, i, opc_clamp(value, lo, hi));
    }
    return OPC_OK;
}

const opc_op opc_mean_int8 = {.code = OPC_CODE_MEAN,
                              .key = OPC_KEY_INPUT0,
                              .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                              .prepare = prepare,
                              .invoke = invoke};
