#include "fixedpoint.h"
#include "kernel_util.h"

/* From one quantization to another, any of int8, uint8, int16 and int32 to any. */
static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    if (!opc_same_shape(x, y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes differ");
    }
    if (y->dtype != OPC_INT8 && y->dtype != OPC_UINT8 && y->dtype != OPC_INT16 && y->dtype != OPC_INT32) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "the output must be int8, uint8, int16 or int32");
    }
    /* Only from int16 to int16: real models do turn int8 into int16 with a zero point. */
    if (x->dtype == OPC_INT16 && y->dtype == OPC_INT16 && (opc_zero_point(x, 0) != 0 || opc_zero_point(y, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return opc_need_quantized(node, x, y);
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    opc_multiplier *m = opc_alloc(node, (uint32_t)sizeof *m);
    if (m == NULL) {
        return OPC_NO_MEMORY;
    }
    *m = opc_multiplier_of(opc_scale(&x, 0), 1.0f, opc_scale(&y, 0), 0);
    return OPC_OK;
}

/* opc_mbqm in fewer instructions for factors below 1/2. The first rounding is half up, the second half away from zero:
 * half up of one less below zero. |high| < 2^31 - 1, since the mantissa is below 2^31. */
static inline int32_t scale(int32_t x, const opc_multiplier *m) {
    if (m->shift >= 0) {
        return opc_mbqm(x, *m);
    }
    const int32_t high = (int32_t)(((int64_t)x * m->mantissa + (INT64_C(1) << 30)) >> 31);
    return (opc_shift_right(high + (high >> 31), -1 - m->shift) + 1) >> 1;
}

static opc_status invoke(opc_node *node) {
    const opc_multiplier m = *(const opc_multiplier *)opc_data(node);
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch(node, 1, &x, &y));
    const int32_t zero_x = opc_zero_point(&x, 0);
    const int32_t zero_y = opc_zero_point(&y, 0);
    int32_t lo;
    int32_t hi;
    opc_dtype_range(y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < x.elements; i++) {
        const int32_t value = scale(opc_sub32(opc_load_int(&x, i), zero_x), &m);
        opc_store_int(&y, i, opc_clamp_sum(value, zero_y, lo, hi));
    }
    return OPC_OK;
}

const opc_op opc_quantize_int8 = {.code = OPC_CODE_QUANTIZE,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types =
                                      OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32),
                                  .prepare = prepare,
                                  .invoke = invoke};
