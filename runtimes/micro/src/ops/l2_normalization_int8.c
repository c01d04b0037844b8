#include "kernel_fixed.h"
#include "kernel_util.h"

enum { OUTPUT_BITS = 7 };

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    OPC_TRY(opc_need_fixed_output(node, y, 1.0f / 128.0f, y->dtype == OPC_UINT8 ? 128 : 0));
    if (opc_option_u8(node, 0, OPC_ACT_NONE) != OPC_ACT_NONE) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
    return x->rank > 0 ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "rank must be at least 1");
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return fetch(node, &x, &y);
}

/* Sum of squares, at most 2^16 each; saturated above 2^15 of them. */
static int32_t squares(const uint8_t *x, uint32_t depth, uint8_t flip, int32_t zero) {
    uint32_t sum = 0;
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t value = opc_read_8(x + c, flip) - zero;
        sum += (uint32_t)(value * value);
        sum = sum > INT32_MAX ? INT32_MAX : sum;
    }
    return (int32_t)sum;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const uint32_t depth = (uint32_t)x.dims[x.rank - 1];
    const uint8_t flip = opc_flip(&x);
    const int32_t zero = opc_zero_8(&x);
    /* uint8 scales up before the rescaling, int8 within it: the roundings differ. */
    const int32_t early = x.dtype == OPC_UINT8 ? OUTPUT_BITS : 0;
    for (uint32_t at = 0; at < x.elements; at += depth) {
        const uint8_t *in = opc_u8(&x) + at;
        opc_multiplier m = opc_fx_inverse_sqrt(squares(in, depth, flip, zero));
        m.shift += OUTPUT_BITS - early;
        for (uint32_t c = 0; c < depth; c++) {
            const int32_t value = opc_mbqm((opc_read_8(in + c, flip) - zero) * (1 << early), m);
            ((uint8_t *)y.data)[at + c] = opc_byte_8(opc_clamp(value, INT8_MIN, INT8_MAX), flip);
        }
    }
    return OPC_OK;
}

const opc_op opc_l2_normalization_int8 = {.code = OPC_CODE_L2_NORMALIZATION,
                                          .key = OPC_KEY_INPUT0,
                                          .flags = OPC_INPLACE_INPUT0,
                                          .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                          .prepare = prepare,
                                          .invoke = invoke};
