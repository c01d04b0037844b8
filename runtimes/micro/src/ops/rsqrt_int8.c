#include <math.h>

#include "kernel_fixed.h"
#include "kernel_util.h"

enum { FRACTION = 20 }; /* keeps the inverse root an integer between the two rescalings */

static opc_status set_up(opc_node *node, opc_tensor *x, opc_tensor *y, opc_multiplier *m) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    if (x->dtype == OPC_INT16 && (opc_zero_point(x, 0) != 0 || opc_zero_point(y, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    /* The reference takes this root in double: with 24 bits one result in a few thousand would be off by one. */
    *m = opc_multiplier_of_double(1.0 / (sqrt((double)opc_scale(x, 0)) * (double)opc_scale(y, 0)));
    m->shift -= FRACTION;
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    return set_up(node, &x, &y, &m);
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    OPC_TRY(set_up(node, &x, &y, &m));
    const int32_t zero_x = opc_zero_point(&x, 0);
    const int32_t zero_y = opc_zero_point(&y, 0);
    int32_t lo;
    int32_t hi;
    opc_dtype_range(y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < x.elements; i++) {
        const int32_t value = opc_load_int(&x, i) - zero_x;
        if (value < 0) {
            return OPC_FAIL(node, OPC_INVALID_INPUT, "negative value");
        }
        opc_multiplier root = opc_fx_inverse_sqrt(value);
        root.shift += FRACTION;
        /* An inverse root of infinity saturates. */
        const int32_t result = opc_add32(opc_mbqm_any(opc_mbqm(1, root), m), zero_y);
        opc_store_int(&y, i, value == 0 ? hi : opc_clamp(result, lo, hi));
    }
    return OPC_OK;
}

const opc_op opc_rsqrt_int8 = {.code = OPC_CODE_RSQRT,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16),
                               .prepare = prepare,
                               .invoke = invoke};
