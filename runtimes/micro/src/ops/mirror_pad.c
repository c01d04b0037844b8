#include "kernel_pad.h"

/* No more can be mirrored than there is. skip: REFLECT leaves the border element out. */
static bool mirrors_fit(const opc_tensor *x, const opc_tensor *y, const uint32_t *start, uint32_t skip) {
    for (uint32_t d = 0; d < y->rank; d++) {
        const uint32_t dim = (uint32_t)x->dims[d];
        const uint32_t more = start[d] + dim;
        const uint32_t after = (uint32_t)y->dims[d] - more;
        const uint32_t most = start[d] > after ? start[d] : after;
        if (most != 0 && most + skip > dim) {
            return false;
        }
    }
    return true;
}

/* Along dimension d of y: `count` slabs at `to` and before or behind it become the mirror image of those at `from`. */
static void mirror(const opc_tensor *y, uint32_t d, uint32_t count, uint32_t to, uint32_t from, uint32_t way) {
    uint32_t strides[OPC_MAX_RANK];
    opc_move m;
    opc_strides(y, strides);
    const uint32_t slab = strides[d];
    const uint32_t all = slab * (uint32_t)y->dims[d];
    opc_move_start(&m, slab);
    opc_move_axis(&m, count, 0U - way * slab, way * slab);
    opc_move_axis(&m, opc_product(y->dims, 0, d), all, all);
    m.from_at = from * slab;
    m.to_at = to * slab;
    opc_move_run(&m, y->data, y->data);
}

static opc_status pad(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    uint32_t start[OPC_MAX_RANK];
    OPC_TRY(opc_pad_fetch(node, 2, in, &y, start));
    const uint32_t skip = opc_option_u8(node, 0, 0) == 0 ? 1 : 0;
    if (in[1].data != NULL && !mirrors_fit(&in[0], &y, start, skip)) {
        return opc_fail_values(node, &in[1]);
    }
    if (y.data == NULL || y.elements == 0) {
        return OPC_OK;
    }
    opc_box_write(&y, &in[0], start);
    /* From the inside out: what an inner dimension mirrors of slabs that are not there yet is overwritten later. */
    for (uint32_t d = y.rank; d-- > 0;) {
        const uint32_t end = start[d] + (uint32_t)in[0].dims[d];
        mirror(&y, d, start[d], start[d] - 1U, start[d] + skip, UINT32_MAX);
        mirror(&y, d, (uint32_t)y.dims[d] - end, end, end - 1U - skip, 1);
    }
    return OPC_OK;
}

const opc_op opc_mirror_pad = {
    .code = OPC_CODE_MIRROR_PAD, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = pad, .invoke = pad};
