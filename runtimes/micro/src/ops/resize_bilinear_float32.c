#include "kernel_resize.h"

enum { OPTIONS = 2 };

static opc_status prepare(opc_node *node) {
    opc_resize r;
    return opc_resize_fetch(node, &r, OPTIONS);
}

static opc_status invoke(opc_node *node) {
    opc_resize r;
    OPC_TRY(opc_resize_fetch(node, &r, OPTIONS));
    const float *in = r.in[0].data;
    float *to = r.y.data;
    const uint32_t depth = (uint32_t)r.y.dims[3];
    const uint32_t pixels = depth == 0 ? 0 : r.y.elements / depth;
    for (uint32_t i = 0; i < pixels; i++) {
        const uint32_t line = i / (uint32_t)r.y.dims[2];
        const opc_between x = opc_resize_between(&r, 2, (int32_t)(i % (uint32_t)r.y.dims[2]));
        const opc_between y = opc_resize_between(&r, 1, (int32_t)(line % (uint32_t)r.y.dims[1]));
        const uint32_t ys[2] = {y.low, y.high};
        const uint32_t xs[2] = {x.low, x.high};
        uint32_t at[4];
        opc_resize_corners(&r, line / (uint32_t)r.y.dims[1], ys, xs, at);
        for (uint32_t c = 0; c < depth; c++) {
            const float value = (float)in[at[0] + c] * (1.0f - y.weight) * (1.0f - x.weight) +
                                (float)in[at[1] + c] * y.weight * (1.0f - x.weight) +
                                (float)in[at[2] + c] * (1.0f - y.weight) * x.weight +
                                (float)in[at[3] + c] * y.weight * x.weight;
            *to++ = value;
        }
    }
    return OPC_OK;
}

const opc_op opc_resize_bilinear_float32 = {.code = OPC_CODE_RESIZE_BILINEAR,
                                            .key = OPC_KEY_INPUT0,
                                            .types = OPC_BIT(OPC_FLOAT32),
                                            .prepare = prepare,
                                            .invoke = invoke};
