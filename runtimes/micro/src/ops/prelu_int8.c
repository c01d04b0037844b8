#include "kernel_rectify.h"
#include "kernel_runs.h"

static opc_status check(opc_node *node, opc_binary *t) {
    const opc_tensor *const x = &t->in[0];
    const opc_tensor *const alpha = &t->in[1];
    OPC_TRY(opc_fetch(node, 2, t->in, &t->out));
    OPC_TRY(opc_same_dtype(node, x, &t->out));
    if (alpha->dtype != (x->dtype == OPC_INT16 ? OPC_INT8 : x->dtype)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the slopes must have 8 bits, of the input's kind");
    }
    OPC_TRY(opc_need_quantized(node, x, alpha));
    OPC_TRY(opc_need_quantized(node, &t->out, &t->out));
    if (x->dtype == OPC_INT16 && (opc_zero_point(x, 0) != 0 || opc_zero_point(&t->out, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return opc_same_shape(x, &t->out) && opc_broadcasts(&t->out, t->in, 2)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "the slopes must broadcast to the input");
}

static opc_status prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(check(node, &t));
    return opc_slopes_prepare(node, &t.in[0], &t.out, opc_scale(&t.in[1], 0));
}

static opc_status invoke(opc_node *node) {
    opc_binary t;
    opc_walk w;
    int32_t lo;
    int32_t hi;
    OPC_TRY(opc_fetch(node, 2, t.in, &t.out));
    const int32_t zero_x = opc_zero_point(&t.in[0], 0);
    const int32_t zero_alpha = opc_zero_point(&t.in[1], 0);
    const int32_t zero_y = opc_zero_point(&t.out, 0);
    opc_dtype_range(t.out.dtype, &lo, &hi);
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        const int32_t x = opc_load_int(&t.in[0], i) - zero_x;
        const int32_t alpha = opc_load_int(&t.in[1], w.offset[1]) - zero_alpha;
        opc_store_int(
            &t.out, i,
            opc_clamp_sum(opc_on_slope(opc_data(node), x, x * alpha), zero_y, lo, hi)); /* |x * alpha| < 2^24 */
    }
    return OPC_OK;
}

const opc_op opc_prelu_int8 = {.code = OPC_CODE_PRELU,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                               .prepare = prepare,
                               .invoke = invoke};
