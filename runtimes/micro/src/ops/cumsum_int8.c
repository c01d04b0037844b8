#include "fixedpoint.h"
#include "kernel_scan.h"

/* Terms are halved behind 20 bits of headroom, as if two tensors of the input's scale were added. */
#define HEADROOM 19

static opc_status prepare(opc_node *node) {
    opc_scan s;
    OPC_TRY(opc_scan_start(node, &s));
    OPC_TRY(opc_need_quantized(node, &s.in[0], &s.y));
    const opc_multiplier m = opc_multiplier_of(opc_scale(&s.in[0], 0), 1.0f, opc_scale(&s.y, 0), -HEADROOM);
    return opc_multiplier_vs_one(m) < 0 ? OPC_OK
                                        : OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input's");
}

static opc_status invoke(opc_node *node) {
    opc_scan s;
    OPC_TRY(opc_scan_start(node, &s));
    const opc_multiplier m = opc_multiplier_of(opc_scale(&s.in[0], 0), 1.0f, opc_scale(&s.y, 0), -HEADROOM);
    const int32_t zero_x = opc_zero_point(&s.in[0], 0);
    const int32_t zero_y = opc_zero_point(&s.y, 0);
    int32_t sum = 0;
    for (uint32_t i = 0; i < s.y.elements; i++) {
        const int32_t before = sum;
        sum = opc_add32(before, opc_shift_left(opc_i8(&s.in[0])[s.at] - zero_x, HEADROOM));
        const int32_t value = opc_mbqm(s.exclusive ? before : sum, m);
        ((int8_t *)s.y.data)[s.at] = (int8_t)opc_clamp_sum(value, zero_y, INT8_MIN, INT8_MAX);
        sum = opc_scan_next(&s) ? 0 : sum;
    }
    return OPC_OK;
}

const opc_op opc_cumsum_int8 = {.code = OPC_CODE_CUMSUM,
                                .key = OPC_KEY_INPUT0,
                                .flags = OPC_INPLACE_INPUT0,
                                .types = OPC_BIT(OPC_INT8),
                                .prepare = prepare,
                                .invoke = invoke};
