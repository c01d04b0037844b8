#include <string.h>

#include "opconform_kernel.h"

/* The wanted shape is a tensor (input 1) or, without it, an option. */
typedef struct wanted {
    const int32_t *dims; /* NULL: only known at invoke */
    uint32_t rank;
} wanted;

static opc_status find_wanted(opc_node *node, wanted *want) {
    opc_tensor shape;
    if (!opc_input(node, 1, &shape)) {
        want->dims = opc_option_ints(node, 0, &want->rank);
        const bool absent = want->dims == NULL;
        return absent ? OPC_FAIL(node, OPC_INVALID_MODEL, "neither a shape input nor a shape option") : OPC_OK;
    }
    if (shape.dtype != OPC_INT32 || shape.rank != 1 || shape.elements > OPC_MAX_RANK) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the shape must be a vector of at most 8 int32");
    }
    want->dims = shape.data;
    want->rank = shape.elements;
    return OPC_OK;
}

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

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    wanted want;
    if (!opc_input(node, 0, &x) || !opc_output(node, 0, &y) || opc_input_count(node) > 2 ||
        opc_output_count(node) != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs one or two inputs and one output");
    }
    if (x.dtype != y.dtype || x.elements != y.elements) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "output differs from the input in type or number of elements");
    }
    const opc_status status = find_wanted(node, &want);
    if (status != OPC_OK) {
        return status;
    }
    if (want.dims != NULL && !fits(&want, &y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "output has another shape than wanted");
    }
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    wanted want;
    opc_input(node, 0, &x);
    opc_output(node, 0, &y);
    const opc_status status = find_wanted(node, &want);
    if (status != OPC_OK) {
        return status;
    }
    if (!fits(&want, &y)) {
        return OPC_FAIL(node, OPC_INVALID_INPUT, "the shape tensor asks for another shape than the model states");
    }
    if (x.data != y.data) {
        memcpy(y.data, x.data, y.bytes);
    }
    return OPC_OK;
}

const opc_op opc_reshape = {.code = OPC_CODE_RESHAPE,
                            .key = OPC_KEY_NONE,
                            .flags = OPC_INPLACE_INPUT0,
                            .types = OPC_ANY_TYPE,
                            .prepare = prepare,
                            .invoke = invoke};
