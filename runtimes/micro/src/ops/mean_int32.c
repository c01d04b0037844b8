#include "kernel_shape.h"

static opc_status fetch(opc_node *node, opc_tensor *in, opc_tensor *y, uint32_t *axes) {
    OPC_TRY(opc_fetch(node, 2, in, y));
    OPC_TRY(opc_same_dtype(node, &in[0], y));
    return opc_reduced_axes(node, &in[0], &in[1], y, opc_option_u8(node, 0, 0) != 0, axes);
}

static opc_status prepare(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axes;
    return fetch(node, in, &y, &axes);
}

static opc_status invoke(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t axes;
    opc_odometer out;
    opc_odometer over;
    OPC_TRY(fetch(node, in, &y, &axes));
    const int32_t *x = in[0].data;
    opc_odometer_start(&out, &in[0], ~axes);
    opc_odometer_start(&over, &in[0], axes);
    for (uint32_t i = 0; i < y.elements; i++, opc_odometer_next(&out)) {
        int64_t sum = 0; /* |sum| < 2^30 * 2^31 */
        for (uint32_t k = 0; k < over.count; k++, opc_odometer_next(&over)) {
            sum += x[out.offset + over.offset];
        }
        ((int32_t *)y.data)[i] =
            over.count == 0 ? 0 : (int32_t)(sum / (int64_t)over.count); /* the mean of nothing is 0 here */
    }
    return OPC_OK;
}

const opc_op opc_mean_int32 = {
    .code = OPC_CODE_MEAN, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT32), .prepare = prepare, .invoke = invoke};
