#include "kernel_shape.h"

void opc_odometer_clear(opc_odometer *o) {
    o->rank = 0;
    o->count = 1;
    o->offset = 0;
}

void opc_odometer_add(opc_odometer *o, uint32_t dim, uint32_t stride) {
    o->dims[o->rank] = dim;
    o->strides[o->rank] = stride;
    o->index[o->rank] = 0;
    o->rank++;
    o->count *= dim;
}

void opc_odometer_start(opc_odometer *o, const opc_tensor *t, uint32_t axes) {
    uint32_t stride = 1;
    bool joined = false; /* the dimension to the right was taken too */
    opc_odometer_clear(o);
    for (uint32_t d = t->rank; d-- > 0;) {
        const uint32_t dim = (uint32_t)t->dims[d];
        const bool taken = ((axes >> d) & 1U) != 0;
        if (taken && joined) {
            o->dims[o->rank - 1U] *= dim;
            o->count *= dim;
        } else if (taken) {
            opc_odometer_add(o, dim, stride);
        }
        joined = taken;
        stride *= dim;
    }
}

void opc_odometer_next(opc_odometer *o) {
    for (uint32_t d = 0; d < o->rank; d++) { /* innermost first */
        o->offset += o->strides[d];
        o->index[d]++;
        if (o->index[d] < o->dims[d]) {
            return;
        }
        o->offset -= o->strides[d] * o->dims[d];
        o->index[d] = 0;
    }
}

static bool shape_fits(const opc_tensor *x, const opc_tensor *y, bool keep, uint32_t axes) {
    uint32_t at = 0;
    for (uint32_t d = 0; d < x->rank; d++) {
        const bool reduced = ((axes >> d) & 1U) != 0;
        if (reduced && !keep) {
            continue;
        }
        if (at >= y->rank || y->dims[at] != (reduced ? 1 : x->dims[d])) {
            return false;
        }
        at++;
    }
    return at == y->rank;
}

opc_status opc_reduced_axes(opc_node *node, const opc_tensor *x, const opc_tensor *axis, const opc_tensor *y, bool keep,
                            uint32_t *axes) {
    *axes = 0;
    if (!opc_is_index_type(axis->dtype) || axis->rank > 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the axis tensor must be integers of rank 0 or 1");
    }
    if (axis->data == NULL) {
        return OPC_OK;
    }
    const opc_status status = (axis->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT;
    for (uint32_t i = 0; i < axis->elements; i++) {
        uint32_t normal;
        if (!opc_normal_axis(opc_load_index(axis, i), x->rank, &normal)) {
            return OPC_FAIL(node, status, "axis out of range");
        }
        *axes |= 1U << normal;
    }
    return shape_fits(x, y, keep, *axes) ? OPC_OK : OPC_FAIL(node, status, "the output's shape does not fit the axes");
}
