#include "kernel_lookup.h"

/* Rows of 8 bits become real numbers, with one scale for all or one for each row. */
static void convert(const opc_tensor *in, const opc_tensor *y) {
    float *to = y->data;
    const uint32_t length = opc_product(y->dims, 1, y->rank);
    for (uint32_t i = 0; i < in[0].elements; i++, to += length) {
        const uint32_t row = (uint32_t)opc_load_size(&in[0], i);
        const float scale = opc_scale(&in[1], row);
        for (uint32_t k = 0; k < length; k++) {
            to[k] = (float)opc_load_int(&in[1], row * length + k) * scale;
        }
    }
}

static opc_status check_table(opc_node *node, const opc_tensor *table) {
    if (table->dtype != OPC_INT8 && table->dtype != OPC_UINT8) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "no rows of this dtype become float32");
    }
    const bool per_row = table->scale_count == (uint32_t)table->dims[0] && table->axis == 0;
    if (!per_row && table->scale_count != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the table has neither one scale nor one for each row");
    }
    for (uint32_t i = 0; i < table->zero_count; i++) {
        if (opc_zero_point(table, i) != 0) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "a table that becomes float32 has no zero point");
        }
    }
    return OPC_OK;
}

static opc_status lookup(opc_node *node) {
    opc_tensor in[2];
    opc_tensor y;
    OPC_TRY(opc_lookup_fetch(node, in, &y));
    const bool same = in[1].dtype == OPC_FLOAT32;
    OPC_TRY(same ? OPC_OK : check_table(node, &in[1]));
    if (y.data != NULL && same) {
        opc_lookup_copy(in, &y);
    } else if (y.data != NULL) {
        convert(in, &y);
    }
    return OPC_OK;
}

const opc_op opc_embedding_lookup_float32 = {.code = OPC_CODE_EMBEDDING_LOOKUP,
                                             .key = OPC_KEY_OUTPUT0,
                                             .types = OPC_BIT(OPC_FLOAT32),
                                             .prepare = lookup,
                                             .invoke = lookup};
