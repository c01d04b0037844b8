/* The batches of FULLY_CONNECTED. */
#include "dense.h"

opc_status opc_dense_invoke8(opc_node *node, opc_rows8_run *run) {
    const opc_dense_data *data = opc_data(node);
    const int8_t *w = opc_input_data(node, 1);
    const int32_t *bias = opc_input_data(node, 2);
    const int8_t *x = opc_input_data(node, 0);
    uint8_t *y = opc_output_data(node, 0);
    for (uint32_t b = data->batches; b != 0; b--, x += data->rows.depth, y += data->rows.units) {
        run(&data->rows, w, bias, x, y);
    }
    return OPC_OK;
}
