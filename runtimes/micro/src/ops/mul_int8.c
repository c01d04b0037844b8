#include "kernel_product.h"

const opc_op opc_mul_int8 = {.code = OPC_CODE_MUL,
                             .key = OPC_KEY_INPUT0,
                             .flags = OPC_INPLACE_INPUT0 | OPC_INPLACE_INPUT1,
                             .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                             .prepare = opc_scaled_product_prepare,
                             .invoke = opc_scaled_product};
