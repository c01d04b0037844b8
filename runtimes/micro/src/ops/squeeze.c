#include "kernel_util.h"

/* Which dimensions of x are dropped: those named, or all of 1. False when a named one is none or not 1. */
static bool find_dropped(opc_node *node, const opc_tensor *x, uint32_t *dropped) {
    uint32_t count;
    const int32_t *named = opc_option_ints(node, 0, &count);
    *dropped = 0;
    for (uint32_t d = 0; count == 0 && d < x->rank; d++) {
        *dropped |= x->dims[d] == 1 ? 1U << d : 0U;
    }
    for (uint32_t i = 0; named != NULL && i < count; i++) {
        uint32_t axis;
        if (!opc_normal_axis(named[i], x->rank, &axis) || x->dims[axis] != 1) {
            return false;
        }
        *dropped |= 1U << axis;
    }
    return true;
}

static bool shape_fits(const opc_tensor *x, const opc_tensor *y, uint32_t dropped) {
    uint32_t at = 0;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (((dropped >> d) & 1U) == 0 && (at >= y->rank || y->dims[at++] != x->dims[d])) {
            return false;
        }
    }
    return at == y->rank;
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    uint32_t dropped;
    OPC_TRY(opc_fetch(node, 1, &x, &y));
    OPC_TRY(opc_same_dtype(node, &x, &y));
    return find_dropped(node, &x, &dropped) && shape_fits(&x, &y, dropped)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "named dimensions are not 1, or the output has another shape");
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch(node, 1, &x, &y));
    opc_pass(&x, &y);
    return OPC_OK;
}

const opc_op opc_squeeze = {.code = OPC_CODE_SQUEEZE,
                            .key = OPC_KEY_NONE,
                            .flags = OPC_INPLACE_INPUT0,
                            .types = OPC_ANY_TYPE,
                            .prepare = prepare,
                            .invoke = invoke};
