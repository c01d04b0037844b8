#include "kernel_matmul.h"

/* BatchMatMulOptions */
enum { ADJ_X = 0, ADJ_Y = 1 };

/* The dimensions before the matrix. */
static opc_tensor batches_of(const opc_tensor *t) {
    opc_tensor batches = *t;
    batches.rank = (uint8_t)(t->rank - 2U);
    return batches;
}

static void begin_batch(opc_matmul *m) {
    m->x_at = m->walk.offset[0] * m->rows * m->depth;
    m->w_at = m->walk.offset[1] * m->depth * m->columns;
}

opc_status opc_matmul_start(opc_node *node, opc_matmul *m) {
    const opc_tensor *x = &m->in[0];
    const opc_tensor *w = &m->in[1];
    const bool turn_x = opc_option_u8(node, ADJ_X, 0) != 0;
    const bool turn_w = opc_option_u8(node, ADJ_Y, 0) != 0;
    OPC_TRY(opc_fetch(node, 2, m->in, &m->y));
    OPC_TRY(opc_same_dtype(node, x, w));
    if (x->rank < 2 || w->rank < 2 || m->y.rank < 2) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a matrix has two dimensions at least");
    }
    const int32_t *end_x = x->dims + x->rank - 2;
    const int32_t *end_w = w->dims + w->rank - 2;
    const int32_t *end_y = m->y.dims + m->y.rank - 2;
    const opc_tensor operands[2] = {batches_of(x), batches_of(w)};
    const opc_tensor batches = batches_of(&m->y);
    if (end_x[turn_x ? 0 : 1] != end_w[turn_w ? 1 : 0] || end_y[0] != end_x[turn_x ? 1 : 0] ||
        end_y[1] != end_w[turn_w ? 0 : 1] || !opc_broadcasts(&batches, operands, 2)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the shapes of the matrices or their batches do not fit");
    }
    m->rows = (uint32_t)end_y[0];
    m->columns = (uint32_t)end_y[1];
    m->depth = (uint32_t)end_x[turn_x ? 0 : 1];
    m->x_row = turn_x ? 1U : m->depth;
    m->x_step = turn_x ? m->rows : 1U;
    m->w_column = turn_w ? m->depth : 1U;
    m->w_step = turn_w ? 1U : m->columns;
    m->row = 0;
    m->column = 0;
    opc_walk_start(&m->walk, &batches, operands, 2);
    begin_batch(m);
    return OPC_OK;
}

void opc_matmul_next(opc_matmul *m) {
    m->column++;
    m->w_at += m->w_column;
    if (m->column < m->columns) {
        return;
    }
    m->column = 0;
    m->w_at -= m->w_column * m->columns;
    m->row++;
    m->x_at += m->x_row;
    if (m->row == m->rows) {
        m->row = 0;
        opc_walk_next(&m->walk);
        begin_batch(m);
    }
}
