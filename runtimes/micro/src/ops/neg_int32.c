#include "kernel_map.h"

/* Stored integers of any width, byte by byte: the complement plus one; the lowest value stays what it is. */
static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_fetch_unary(node, &x, &y));
    const uint32_t width = opc_dtype_bytes(x.dtype);
    uint32_t carry = 0;
    for (uint32_t i = 0; i < x.bytes; i++) {
        carry = i % width == 0 ? 1U : carry;
        const uint32_t sum = (opc_u8(&x)[i] ^ 0xFFU) + carry; /* <= 2^8 */
        ((uint8_t *)y.data)[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    return OPC_OK;
}

const opc_op opc_neg_int32 = {.code = OPC_CODE_NEG,
                              .key = OPC_KEY_INPUT0,
                              .flags = OPC_INPLACE_INPUT0,
                              .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_INT16) | OPC_BIT(OPC_INT32) | OPC_BIT(OPC_INT64),
                              .prepare = opc_map_prepare,
                              .invoke = invoke};
