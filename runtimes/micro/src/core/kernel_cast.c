#include "kernel_cast.h"

#include <string.h>

static const uint32_t castable = OPC_BIT(OPC_FLOAT32) | OPC_BIT(OPC_BOOL) | OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) |
                                 OPC_BIT(OPC_INT16) | OPC_BIT(OPC_UINT16) | OPC_BIT(OPC_INT32) | OPC_BIT(OPC_UINT32) |
                                 OPC_BIT(OPC_INT64) | OPC_BIT(OPC_UINT64);

opc_status opc_cast_fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    if (!opc_same_shape(x, y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes differ");
    }
    return y->dtype < 32 && (castable >> y->dtype & 1U) != 0
               ? OPC_OK
               : OPC_FAIL(node, OPC_UNSUPPORTED, "the output must be float32, bool or an integer");
}

opc_status opc_cast_prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    return opc_cast_fetch(node, &x, &y);
}

void opc_cast_store(const opc_tensor *y, uint32_t i, uint64_t value) {
    const uint32_t width = opc_dtype_bytes(y->dtype);
    const uint64_t stored = y->dtype != OPC_BOOL ? value : value != 0 ? 1U : 0U;
    memcpy((uint8_t *)y->data + i * width, &stored, width); /* little end first, like the file */
}
