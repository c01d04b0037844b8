#include "kernel_scan.h"

/* CumsumOptions */
enum { EXCLUSIVE = 0, REVERSE = 1 };

opc_status opc_scan_start(opc_node *node, opc_scan *s) {
    uint32_t axis = 0;
    OPC_TRY(opc_fetch(node, 2, s->in, &s->y));
    OPC_TRY(opc_same_dtype(node, &s->in[0], &s->y));
    if (!opc_same_shape(&s->in[0], &s->y) || !opc_is_index_type(s->in[1].dtype) || s->in[1].elements != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs one axis and an output of the input's shape");
    }
    if (s->in[1].data != NULL && !opc_normal_axis(opc_load_index(&s->in[1], 0), s->y.rank, &axis)) {
        return OPC_FAIL(node, (s->in[1].flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                        "axis out of range");
    }
    s->length = s->y.rank == 0 ? 1 : (uint32_t)s->y.dims[axis];
    s->inner = opc_product(s->y.dims, axis + 1, s->y.rank);
    s->exclusive = opc_option_u8(node, EXCLUSIVE, 0) != 0;
    const bool reverse = opc_option_u8(node, REVERSE, 0) != 0;
    s->at = reverse ? (s->length - 1U) * s->inner : 0;
    s->step = reverse ? 0U - s->inner : s->inner;
    s->left = s->length - 1U;
    s->column = 0;
    return OPC_OK;
}

opc_status opc_scan_prepare(opc_node *node) {
    opc_scan s;
    return opc_scan_start(node, &s);
}

bool opc_scan_next(opc_scan *s) {
    if (s->left != 0) {
        s->left--;
        s->at += s->step;
        return false;
    }
    /* Back to the line's begin, then to that of its neighbour, or of the first line of the next block. */
    s->left = s->length - 1U;
    s->at += 1U - s->step * s->left;
    s->column++;
    if (s->column == s->inner) {
        s->column = 0;
        s->at += s->inner * s->left;
    }
    return true;
}
