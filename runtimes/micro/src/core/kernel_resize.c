#include "kernel_resize.h"

opc_status opc_resize_fetch(opc_node *node, opc_resize *r, uint32_t first_option) {
    OPC_TRY(opc_fetch_alike(node, 2, 0, r->in, &r->y));
    const opc_tensor *x = &r->in[0];
    const opc_tensor *size = &r->in[1];
    if (x->rank != 4 || r->y.rank != 4 || x->dims[0] != r->y.dims[0] || x->dims[3] != r->y.dims[3]) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have rank 4, the same batch and channels");
    }
    if (size->dtype != OPC_INT32 || size->elements != 2) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the size must be two int32 values");
    }
    for (uint32_t d = 0; d < 2; d++) {
        const int32_t given = size->data == NULL ? r->y.dims[1 + d] : opc_i32(size)[d];
        if (given != r->y.dims[1 + d] || given <= 0 || x->dims[1 + d] <= 0) {
            return OPC_FAIL(node, (size->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                            "sizes must be above 0 and those of the output");
        }
        if (given > 1 << 20 || x->dims[1 + d] > 1 << 20) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "more than 2^20 rows or columns");
        }
    }
    r->align_corners = opc_option_u8(node, first_option, 0) != 0;
    r->half_pixel_centers = opc_option_u8(node, first_option + 1U, 0) != 0;
    if (r->align_corners && r->half_pixel_centers) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "align_corners and half_pixel_centers exclude each other");
    }
    return OPC_OK;
}

opc_between opc_resize_between(const opc_resize *r, uint32_t axis, int32_t position) {
    const int32_t in = r->in[0].dims[axis];
    const int32_t out = r->y.dims[axis];
    const bool corners = r->align_corners && out > 1;
    const float scale = corners ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
    const float at = r->half_pixel_centers ? ((float)position + 0.5f) * scale - 0.5f : (float)position * scale;
    /* -0.5 <= at < 2^20 + 1, so that cutting the fraction off is the floor, and 0 where the floor is -1 */
    const int32_t low = (int32_t)at;
    const int32_t high = (float)low < at ? low + 1 : low;
    opc_between b;
    b.low = (uint32_t)(low > in - 1 ? in - 1 : low);
    b.high = (uint32_t)(high > in - 1 ? in - 1 : high);
    b.weight = at - (float)b.low;
    return b;
}

void opc_resize_corners(const opc_resize *r, uint32_t batch, const uint32_t *y, const uint32_t *x, uint32_t *corners) {
    const uint32_t height = (uint32_t)r->in[0].dims[1];
    const uint32_t width = (uint32_t)r->in[0].dims[2];
    const uint32_t depth = (uint32_t)r->in[0].dims[3];
    for (uint32_t k = 0; k < 4; k++) {
        corners[k] = ((batch * height + y[k & 1U]) * width + x[k >> 1]) * depth;
    }
}
