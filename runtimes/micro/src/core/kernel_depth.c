#include "kernel_depth.h"

/* Is `long_` b times `short_`? Both are below 2^31. */
static bool times(int32_t long_, int32_t short_, uint32_t b) {
    return (uint64_t)(uint32_t)long_ == (uint64_t)(uint32_t)short_ * b;
}

static bool shapes_fit(const opc_tensor *deep, const opc_tensor *wide, uint32_t b) {
    return deep->rank == 4 && wide->rank == 4 && deep->dims[0] == wide->dims[0] &&
           times(wide->dims[1], deep->dims[1], b) && times(wide->dims[2], deep->dims[2], b) &&
           times(deep->dims[3], wide->dims[3], b * b);
}

opc_status opc_depth(opc_node *node, bool to_space) {
    opc_tensor t[2]; /* input, output */
    OPC_TRY(opc_fetch_alike(node, 1, 0, &t[0], &t[1]));
    const opc_tensor *deep = &t[to_space ? 0 : 1];
    const opc_tensor *wide = &t[to_space ? 1 : 0];
    const int32_t block = opc_option_i32(node, 0, 0);
    if (block <= 0 || block > UINT16_MAX || !shapes_fit(deep, wide, (uint32_t)block)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "block size and shapes do not fit together");
    }
    if (t[1].data == NULL) {
        return OPC_OK;
    }
    const uint32_t b = (uint32_t)block;
    const uint32_t width = opc_dtype_bytes(wide->dtype);
    const uint32_t cell = (uint32_t)wide->dims[3] * width; /* one place of `wide` */
    const uint32_t line = (uint32_t)wide->dims[2] * cell;
    /* axes from the inside: channel, place in a block, row in a block, column, row of all batches */
    const uint32_t dims[5] = {(uint32_t)wide->dims[3], b, b, (uint32_t)deep->dims[2],
                              (uint32_t)deep->dims[0] * (uint32_t)deep->dims[1]};
    const uint32_t spread[5] = {width, cell, line, b * cell, b * line};
    opc_move m;
    uint32_t packed = width;
    opc_move_start(&m, width);
    for (uint32_t d = 0; d < 5; d++) {
        opc_move_axis(&m, dims[d], to_space ? packed : spread[d], to_space ? spread[d] : packed);
        packed *= dims[d];
    }
    opc_move_run(&m, t[1].data, t[0].data);
    return OPC_OK;
}
