#include "kernel_resize.h"

enum { OPTIONS = 2 };

/* Where one output row or column lies, in 1/1024 of an input one. */
typedef struct between {
    uint32_t bounds[2];
    int32_t weight; /* of bounds[1] */
} between;

static between find(const opc_resize *r, uint32_t axis, int32_t position) {
    const int32_t corners = r->align_corners && r->y.dims[axis] > 1 ? 1 : 0;
    const int64_t in = r->in[0].dims[axis] - corners; /* <= 2^20 */
    const int32_t out = r->y.dims[axis] - corners;
    const int32_t scale =
        (int32_t)((in * 1024 + out / 2) / out); /* <= 2^30 + 1, and position * scale about in * 1024 */
    const int64_t middle = r->half_pixel_centers ? scale / 2 - 512 : 0;
    const int64_t at = (int64_t)position * scale + middle;
    const int64_t last = r->in[0].dims[axis] - 1;
    int64_t low = at / 1024; /* towards zero */
    int64_t high = (at + 1023) / 1024;
    low = low < 0 ? 0 : low > last ? last : low;
    high = high > last ? last : high;
    between b;
    b.bounds[0] = (uint32_t)low;
    b.bounds[1] = (uint32_t)high;
    b.weight = (int32_t)(at - low * 1024);
    return b;
}

static opc_status prepare(opc_node *node) {
    opc_resize r;
    return opc_resize_fetch(node, &r, OPTIONS);
}

static opc_status invoke(opc_node *node) {
    opc_resize r;
    OPC_TRY(opc_resize_fetch(node, &r, OPTIONS));
    const uint32_t depth = (uint32_t)r.y.dims[3];
    const uint32_t pixels = depth == 0 ? 0 : r.y.elements / depth;
    for (uint32_t i = 0; i < pixels; i++) {
        const uint32_t line = i / (uint32_t)r.y.dims[2];
        const between x = find(&r, 2, (int32_t)(i % (uint32_t)r.y.dims[2]));
        const between y = find(&r, 1, (int32_t)(line % (uint32_t)r.y.dims[1]));
        uint32_t at[4];
        opc_resize_corners(&r, line / (uint32_t)r.y.dims[1], y.bounds, x.bounds, at);
        const int32_t weights[4] = {(1024 - y.weight) * (1024 - x.weight), y.weight * (1024 - x.weight),
                                    (1024 - y.weight) * x.weight, y.weight * x.weight};
        for (uint32_t c = 0; c < depth; c++) {
            int64_t sum = 0;
            for (uint32_t k = 0; k < 4; k++) {
                sum += (int64_t)opc_load_int(&r.in[0], at[k] + c) * weights[k];
            }
            const int64_t half = sum > 0 ? 1 << 19 : -(1 << 19);
            opc_store_int(&r.y, i * depth + c, (int32_t)((sum + half) / (1 << 20)));
        }
    }
    return OPC_OK;
}

const opc_op opc_resize_bilinear_int8 = {.code = OPC_CODE_RESIZE_BILINEAR,
                                         .key = OPC_KEY_INPUT0,
                                         .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) | OPC_BIT(OPC_INT16),
                                         .prepare = prepare,
                                         .invoke = invoke};
