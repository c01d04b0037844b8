#include "kernel_move.h"

void opc_move_start(opc_move *m, uint32_t width) {
    m->dims[0] = width;
    m->from[0] = 1;
    m->to[0] = 1;
    m->rank = 1;
    m->from_at = 0;
    m->to_at = 0;
}

void opc_move_axis(opc_move *m, uint32_t dim, uint32_t from, uint32_t to) {
    const uint32_t last = m->rank - 1U;
    if (dim == 1) {
        return;
    }
    if (m->from[last] * m->dims[last] == from && m->to[last] * m->dims[last] == to) {
        m->dims[last] *= dim;
        return;
    }
    m->dims[m->rank] = dim;
    m->from[m->rank] = from;
    m->to[m->rank] = to;
    m->rank++;
}

/* The innermost two axes. Bytes, aligned halves and words are worth loops of their own: a call costs more than they do.
 */
static void move_line(const opc_move *m, uint8_t *to, const uint8_t *from) {
    const uint32_t run = m->dims[0];
    const uint32_t count = m->rank > 1 ? m->dims[1] : 1;
    const int32_t step_to = m->rank > 1 ? (int32_t)m->to[1] : 0;
    const int32_t step_from = m->rank > 1 ? (int32_t)m->from[1] : 0;
    const uint32_t bits = (uint32_t)(uintptr_t)to | (uint32_t)(uintptr_t)from | (uint32_t)(step_to | step_from);
    int32_t t = 0; /* the last step is not used: it may lead out of 32 bits */
    int32_t f = 0;
    if (run == 1) {
        for (uint32_t i = 0; i < count; i++, t = opc_add32(t, step_to), f = opc_add32(f, step_from)) {
            to[t] = from[f];
        }
    } else if (run == 2 && (bits & 1U) == 0) {
        for (uint32_t i = 0; i < count; i++, t = opc_add32(t, step_to), f = opc_add32(f, step_from)) {
            *(uint16_t *)(void *)(to + t) = *(const uint16_t *)(const void *)(from + f);
        }
    } else if (run == 4 && (bits & 3U) == 0) {
        for (uint32_t i = 0; i < count; i++, t = opc_add32(t, step_to), f = opc_add32(f, step_from)) {
            *(uint32_t *)(void *)(to + t) = *(const uint32_t *)(const void *)(from + f);
        }
    } else {
        for (uint32_t i = 0; i < count; i++, t = opc_add32(t, step_to), f = opc_add32(f, step_from)) {
            opc_copy(to + t, from + f, run, 1);
        }
    }
}

void opc_move_run(const opc_move *m, void *to, const void *from) {
    uint32_t index[OPC_MAX_RANK + 1];
    uint32_t t = m->to_at;
    uint32_t f = m->from_at;
    uint32_t d;
    for (d = 0; d < m->rank; d++) {
        if (m->dims[d] == 0) {
            return;
        }
        index[d] = 0;
    }
    do {
        move_line(m, (uint8_t *)to + t, (const uint8_t *)from + f);
        for (d = 2; d < m->rank; d++) {
            t += m->to[d];
            f += m->from[d];
            if (++index[d] < m->dims[d]) {
                break;
            }
            t -= m->to[d] * m->dims[d];
            f -= m->from[d] * m->dims[d];
            index[d] = 0;
        }
    } while (d < m->rank);
}

void opc_strides(const opc_tensor *t, uint32_t *strides) {
    uint32_t stride = opc_dtype_bytes(t->dtype);
    for (uint32_t d = t->rank; d-- > 0;) {
        strides[d] = stride;
        stride *= (uint32_t)t->dims[d];
    }
}

/* `box` lies in one piece on one side, and with these strides on the other. */
static void start_box(opc_move *m, const opc_tensor *box, const uint32_t *strides, bool write) {
    uint32_t own = opc_dtype_bytes(box->dtype);
    opc_move_start(m, own);
    for (uint32_t d = box->rank; d-- > 0;) {
        const uint32_t dim = (uint32_t)box->dims[d];
        opc_move_axis(m, dim, write ? own : strides[d], write ? strides[d] : own);
        own *= dim;
    }
}

void opc_move_from(const opc_tensor *y, const void *from, uint32_t at, const uint32_t *strides) {
    opc_move m;
    start_box(&m, y, strides, false);
    m.from_at = at;
    opc_move_run(&m, y->data, from);
}

static uint32_t box_strides(const opc_tensor *whole, const uint32_t *start, uint32_t *strides) {
    uint32_t at = 0;
    opc_strides(whole, strides);
    for (uint32_t d = 0; d < whole->rank; d++) {
        at += start[d] * strides[d];
    }
    return at;
}

void opc_box_write(const opc_tensor *whole, const opc_tensor *box, const uint32_t *start) {
    uint32_t strides[OPC_MAX_RANK];
    opc_move m;
    const uint32_t at = box_strides(whole, start, strides);
    start_box(&m, box, strides, true);
    m.to_at = at;
    opc_move_run(&m, whole->data, box->data);
}

void opc_box_read(const opc_tensor *whole, const opc_tensor *box, const uint32_t *start) {
    uint32_t strides[OPC_MAX_RANK];
    const uint32_t at = box_strides(whole, start, strides);
    opc_move_from(box, whole->data, at, strides);
}

/* Words first: small C libraries set bytes. */
static void fill_bytes(const opc_tensor *y, uint8_t value) {
    uint8_t *to = y->data;
    uint32_t bytes = y->bytes;
    for (; ((uintptr_t)to & 3U) == 0 && bytes >= 4; bytes -= 4, to += 4) {
        *(uint32_t *)(void *)to = value * UINT32_C(0x01010101);
    }
    while (bytes-- != 0) {
        *to++ = value;
    }
}

void opc_fill_with(const opc_tensor *y, const void *value) {
    const uint32_t strides[OPC_MAX_RANK] = {0};
    if (opc_dtype_bytes(y->dtype) == 1) {
        fill_bytes(y, *(const uint8_t *)value);
    } else {
        opc_move_from(y, value, 0, strides);
    }
}

void opc_fill_zero(const opc_tensor *y) {
    const bool narrow = y->dtype == OPC_INT8 || y->dtype == OPC_UINT8;
    fill_bytes(y, narrow ? (uint8_t)opc_zero_point(y, 0) : 0);
}

opc_status opc_need_alike(opc_node *node, const opc_tensor *x, const opc_tensor *y) {
    OPC_TRY(opc_same_dtype(node, x, y));
    if (opc_dtype_bytes(y->dtype) == 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this dtype is not supported");
    }
    return opc_same_quantization(x, y) ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "quantizations differ");
}

opc_status opc_fetch_alike(opc_node *node, uint32_t inputs, uint32_t first, opc_tensor *in, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, inputs, in, y));
    return opc_need_alike(node, &in[first], y);
}

opc_status opc_need_indices(opc_node *node, const opc_tensor *t, uint32_t count) {
    return opc_is_index_type(t->dtype) && t->elements == count && t->rank == 1
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "an index tensor is no integer vector of the right length");
}

opc_status opc_need_dims(opc_node *node, const opc_tensor *t, const opc_tensor *y) {
    OPC_TRY(opc_need_indices(node, t, y->rank));
    for (uint32_t d = 0; t->data != NULL && d < y->rank; d++) {
        if (opc_load_size(t, d) != y->dims[d]) {
            return opc_fail_values(node, t);
        }
    }
    return OPC_OK;
}

opc_status opc_fail_values(opc_node *node, const opc_tensor *t) {
    return OPC_FAIL(node, (t->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                    "values of an index tensor are out of range or do not fit the shapes");
}

opc_status opc_fail_shape(opc_node *node) {
    return OPC_FAIL(node, OPC_INVALID_MODEL, "shapes of inputs and outputs do not fit together");
}
