/* The 8-bit FULLY_CONNECTED around its inner loops. */
#include "dense.h"
#include "kernel_util.h"

/* Sum of x[k] - zero. */
static int32_t sum8(const uint8_t *x, uint32_t n, int32_t zero, uint8_t flip) {
    int32_t sum = 0;
    for (uint32_t k = 0; k < n; k++) {
        sum = opc_add32(sum, opc_read_8(x + k, flip) - zero);
    }
    return sum;
}

opc_status opc_dense_invoke8(opc_node *node, opc_rows8_run *run, uint8_t flip) {
    opc_dense d;
    (void)opc_dense_views(node, &d);
    const opc_dense_data *data = opc_data(node);
    opc_rows8 m = {.w = d.weights.data,
                   .bias = d.bias.data,
                   .factors = data->factors,
                   .per_unit = data->per_unit,
                   .units = d.units,
                   .depth = d.depth,
                   .zero_x = data->zero_x - flip,
                   .start = 0,
                   .zero_y = data->zero_y,
                   .lo = data->lo,
                   .hi = data->hi};
    const int32_t zero_w = data->zero_w - flip;
    const uint8_t *x = d.x.data;
    uint8_t *y = d.y.data;
    for (uint32_t b = 0; b < d.batches; b++, x += d.depth, y += d.units) {
        /* A zero point of the weights takes the same from every unit. */
        m.start = zero_w == 0 ? 0 : opc_mul32(sum8(x, d.depth, m.zero_x, flip), -zero_w);
        run(&m, (const int8_t *)x, y);
    }
    return OPC_OK;
}
