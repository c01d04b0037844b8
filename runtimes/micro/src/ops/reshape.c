#include "kernel_move.h"

/* The wanted shape is a tensor (input 1) or, without it, an option. */
typedef struct wanted {
    const int32_t *dims; /* NULL: only known at invoke */
    uint32_t rank;
} wanted;

/* One wanted dimension may be -1: whatever makes the elements fit, which the caller has compared already. */
static bool fits(const wanted *want, const opc_tensor *y) {
    uint32_t inferred = 0;
    uint32_t known = 1;
    if (want->rank != y->rank) {
        return false;
    }
    for (uint32_t i = 0; i < y->rank; i++) {
        const bool infer = want->dims[i] == -1;
        inferred += infer ? 1U : 0U;
        known *= infer ? 1U : (uint32_t)y->dims[i];
        if (!infer && want->dims[i] != y->dims[i]) {
            return false;
        }
    }
    /* With no elements in the other dimensions, -1 stands for no number. */
    return inferred == 0 || (inferred == 1 && known != 0);
}

static opc_status check_option(opc_node *node, const opc_tensor *y) {
    wanted want;
    want.dims = opc_option_ints(node, 0, &want.rank);
    return want.dims != NULL && fits(&want, y) ? OPC_OK : opc_fail_shape(node);
}

static opc_status check_shape(opc_node *node, const opc_tensor *shape, const opc_tensor *y) {
    const wanted want = {shape->data, shape->elements};
    if (shape->dtype != OPC_INT32 || shape->rank != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the shape must be a vector of int32");
    }
    return want.dims == NULL || fits(&want, y) ? OPC_OK : opc_fail_values(node, shape);
}

static opc_status reshape(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_tensor shape;
    if (!opc_input(node, 0, &x) || !opc_output(node, 0, &y) || opc_input_count(node) > 2 ||
        opc_output_count(node) != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs one or two inputs and one output");
    }
    OPC_TRY(opc_same_dtype(node, &x, &y));
    if (x.elements != y.elements) {
        return opc_fail_shape(node);
    }
    OPC_TRY(opc_input(node, 1, &shape) ? check_shape(node, &shape, &y) : check_option(node, &y));
    if (y.data != NULL) {
        opc_pass(&x, &y);
    }
    return OPC_OK;
}

const opc_op opc_reshape = {.code = OPC_CODE_RESHAPE,
                            .key = OPC_KEY_NONE,
                            .flags = OPC_INPLACE_INPUT0,
                            .types = OPC_ANY_TYPE,
                            .prepare = reshape,
                            .invoke = reshape};
