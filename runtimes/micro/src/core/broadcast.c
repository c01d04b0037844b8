#include "broadcast.h"

/* Dimension of `t` that lines up with dimension d of a tensor of `rank`; 1 where t has fewer. */
static int32_t aligned_dim(const opc_tensor *t, uint32_t rank, uint32_t d) {
    const uint32_t missing = rank - t->rank;
    return d < missing ? 1 : t->dims[d - missing];
}

/* May dimension d be walked as a part of dimension `outer`, because every operand steps through both evenly? */
static bool joins(const opc_walk *w, uint32_t outer, uint32_t d) {
    for (uint32_t k = 0; k < w->operands; k++) {
        if (w->stride[k][outer] != w->stride[k][d] * w->dims[d]) {
            return false;
        }
    }
    return true;
}

/* Join neighbours and drop dimensions of 1, so that the usual shapes walk as one dimension. */
static void compact(opc_walk *w) {
    uint32_t rank = 0;
    for (uint32_t d = 0; d < w->rank; d++) {
        if (w->dims[d] == 1) {
            continue;
        }
        const bool join = rank > 0 && joins(w, rank - 1, d);
        const uint32_t to = join ? rank - 1 : rank++;
        w->dims[to] = join ? w->dims[to] * w->dims[d] : w->dims[d];
        for (uint32_t k = 0; k < w->operands; k++) {
            w->stride[k][to] = w->stride[k][d];
        }
    }
    w->rank = rank;
}

void opc_walk_start(opc_walk *w, const opc_tensor *output, const opc_tensor *operands, uint32_t count) {
    w->rank = output->rank;
    w->operands = count;
    for (uint32_t d = 0; d < w->rank; d++) {
        w->index[d] = 0;
        w->dims[d] = (uint32_t)output->dims[d];
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t stride = 1;
        w->offset[k] = 0;
        for (uint32_t d = w->rank; d-- > 0;) {
            const uint32_t dim = (uint32_t)aligned_dim(&operands[k], w->rank, d);
            w->stride[k][d] = dim == 1 ? 0 : stride;
            stride *= dim;
        }
    }
    compact(w);
}

void opc_walk_next(opc_walk *w) {
    for (uint32_t d = w->rank; d-- > 0;) {
        w->index[d]++;
        for (uint32_t k = 0; k < w->operands; k++) {
            w->offset[k] += w->stride[k][d];
        }
        if (w->index[d] < w->dims[d]) {
            return;
        }
        /* This dimension is done: take its steps back and carry into the one before. */
        w->index[d] = 0;
        for (uint32_t k = 0; k < w->operands; k++) {
            w->offset[k] -= w->stride[k][d] * w->dims[d];
        }
    }
}

bool opc_broadcasts(const opc_tensor *output, const opc_tensor *operands, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        if (operands[k].rank > output->rank) {
            return false;
        }
    }
    for (uint32_t d = 0; d < output->rank; d++) {
        int32_t dim = 1;
        for (uint32_t k = 0; k < count; k++) {
            const int32_t own = aligned_dim(&operands[k], output->rank, d);
            if (own != 1 && dim != 1 && own != dim) {
                return false;
            }
            dim = own == 1 ? dim : own;
        }
        if (dim != output->dims[d]) {
            return false;
        }
    }
    return true;
}
