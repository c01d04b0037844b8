#include "kernel_batch.h"

typedef struct batch {
    const opc_tensor *plain;
    const opc_tensor *blocked;
    const opc_tensor *block;
    const opc_tensor *margins; /* [axes, 2] */
    uint32_t axes;
    uint32_t sizes[OPC_MAX_RANK]; /* of a block */
    uint32_t before[OPC_MAX_RANK];
} batch;

/* Read the block and the margins; false when they are out of range or do not fit the shapes. */
static bool resolve(batch *b) {
    uint32_t batches = (uint32_t)b->blocked->dims[0];
    for (uint32_t d = 0; d < b->axes; d++) {
        const int32_t size = opc_load_size(b->block, d);
        const int32_t before = opc_load_size(b->margins, 2 * d);
        const int32_t after = opc_load_size(b->margins, 2 * d + 1);
        if (size <= 0 || before < 0 || after < 0 || batches % (uint32_t)size != 0) {
            return false;
        }
        const uint32_t whole = (uint32_t)b->plain->dims[1 + d] + (uint32_t)before + (uint32_t)after; /* < 2^32 */
        if (whole % (uint32_t)size != 0 || whole / (uint32_t)size != (uint32_t)b->blocked->dims[1 + d]) {
            return false;
        }
        batches /= (uint32_t)size;
        b->sizes[d] = (uint32_t)size;
        b->before[d] = (uint32_t)before;
    }
    return batches == (uint32_t)b->plain->dims[0];
}

/* Along one axis: the first of the blocked indices i for which i * size + place lies behind the margin. */
static uint32_t first_of(uint32_t place, uint32_t before, uint32_t size) {
    return before <= place ? 0 : (before - place + size - 1U) / size;
}

/* The elements of one place of the block, which lie in one piece of batches of `blocked`. */
static void move_place(const batch *b, uint32_t place, bool to_space) {
    const uint32_t rank = b->plain->rank;
    uint32_t apart[2][OPC_MAX_RANK]; /* strides of plain, blocked */
    uint32_t at[2] = {0, 0};
    opc_move m;
    opc_strides(b->plain, apart[0]);
    opc_strides(b->blocked, apart[1]);
    at[1] = place * (uint32_t)b->plain->dims[0] * apart[1][0];
    opc_move_start(&m, opc_dtype_bytes(b->plain->dtype));
    for (uint32_t d = rank; d-- > 0;) {
        uint32_t count = (uint32_t)b->plain->dims[d];
        uint32_t stride = apart[0][d];
        if (d >= 1 && d <= b->axes) {
            const uint32_t size = b->sizes[d - 1U];
            const uint32_t before = b->before[d - 1U];
            const uint32_t offset = place % size;
            const uint32_t first = first_of(offset, before, size);
            const uint32_t end = first_of(offset, before + count, size);
            at[0] += (first * size + offset - before) * stride;
            at[1] += first * apart[1][d];
            count = end - first;
            stride *= size;
            place /= size;
        }
        opc_move_axis(&m, count, to_space ? apart[1][d] : stride, to_space ? stride : apart[1][d]);
    }
    m.from_at = at[to_space ? 1 : 0];
    m.to_at = at[to_space ? 0 : 1];
    opc_move_run(&m, to_space ? b->plain->data : b->blocked->data, to_space ? b->blocked->data : b->plain->data);
}

static bool shapes_fit(const batch *b) {
    if (b->plain->rank != b->blocked->rank || b->plain->rank < b->axes + 1U) {
        return false;
    }
    for (uint32_t d = b->axes + 1U; d < b->plain->rank; d++) {
        if (b->plain->dims[d] != b->blocked->dims[d]) {
            return false;
        }
    }
    return b->margins->elements == 2 * b->axes && opc_is_index_type(b->margins->dtype);
}

opc_status opc_batch(opc_node *node, bool to_space) {
    opc_tensor in[3];
    opc_tensor y;
    OPC_TRY(opc_fetch_alike(node, 3, 0, in, &y));
    OPC_TRY(opc_need_indices(node, &in[1], in[1].elements));
    batch b = {.plain = to_space ? &y : &in[0],
               .blocked = to_space ? &in[0] : &y,
               .block = &in[1],
               .margins = &in[2],
               .axes = in[1].elements};
    if (!shapes_fit(&b)) {
        return opc_fail_shape(node);
    }
    if (in[1].data != NULL && in[2].data != NULL && !resolve(&b)) {
        return opc_fail_values(node, &in[(in[1].flags & OPC_CONSTANT) != 0 ? 2 : 1]);
    }
    if (y.data == NULL || y.elements == 0) {
        return OPC_OK;
    }
    if (!to_space) {
        opc_fill_zero(&y);
    }
    const uint32_t places = (uint32_t)b.blocked->dims[0] / (uint32_t)b.plain->dims[0];
    for (uint32_t place = 0; place < places; place++) {
        move_place(&b, place, to_space);
    }
    return OPC_OK;
}
