#include <string.h>

#include "kernel_cast.h"

/* Element i, its sign kept. */
static int64_t load(const opc_tensor *x, uint32_t i) {
    const uint32_t width = opc_dtype_bytes(x->dtype);
    const uint32_t is_signed = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32);
    uint64_t value = 0;
    memcpy(&value, opc_u8(x) + i * width, width);
    if ((is_signed >> x->dtype & 1U) != 0 && value >> (8U * width - 1U) != 0) {
        value |= UINT64_MAX << (8U * width); /* width < 8 */
    }
    return (int64_t)value;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_cast_fetch(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        const int64_t value = load(&x, i);
        if (y.dtype == OPC_FLOAT32) {
            ((float *)y.data)[i] = (float)value;
        } else {
            opc_cast_store(&y, i, (uint64_t)value);
        }
    }
    return OPC_OK;
}

const opc_op opc_cast_int32 = {.code = OPC_CODE_CAST,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_BIT(OPC_BOOL) | OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8) |
                                        OPC_BIT(OPC_INT16) | OPC_BIT(OPC_UINT16) | OPC_BIT(OPC_INT32) |
                                        OPC_BIT(OPC_UINT32) | OPC_BIT(OPC_INT64),
                               .prepare = opc_cast_prepare,
                               .invoke = invoke};
