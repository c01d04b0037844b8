#include "kernel_parts.h"

#include "fixedpoint.h"

static bool shape_fits(const opc_parts *p, const opc_tensor *part) {
    const opc_tensor *whole = &p->whole;
    uint32_t at = 0;
    if (part->rank + (p->flat ? 1U : 0U) != whole->rank) {
        return false;
    }
    for (uint32_t d = 0; d < whole->rank; d++) {
        if (d == p->axis) {
            at += p->flat ? 0U : 1U;
        } else if (part->dims[at++] != whole->dims[d]) {
            return false;
        }
    }
    return true;
}

opc_status opc_part(opc_node *node, const opc_parts *p, uint32_t i, opc_tensor *part, uint32_t *size) {
    if (!(p->join ? opc_input(node, i, part) : opc_output(node, i, part))) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a required input is missing");
    }
    OPC_TRY(p->mixed ? opc_same_dtype(node, part, &p->whole) : opc_need_alike(node, part, &p->whole));
    if (!shape_fits(p, part)) {
        return opc_fail_shape(node);
    }
    *size = p->flat ? 1U : (uint32_t)part->dims[p->axis];
    return p->each == 0 || *size == p->each ? OPC_OK : opc_fail_shape(node);
}

uint32_t opc_parts_step(const opc_parts *p) {
    return opc_product(p->whole.dims, p->axis + 1U, p->whole.rank) * opc_dtype_bytes(p->whole.dtype);
}

uint32_t opc_parts_turns(const opc_parts *p) {
    return opc_product(p->whole.dims, 0, p->axis);
}

static void move(const opc_parts *p, const opc_tensor *part, uint32_t first, uint32_t size) {
    const uint32_t step = opc_parts_step(p);
    const uint32_t apart = step * (uint32_t)p->whole.dims[p->axis];
    const uint32_t own = step * size;
    uint8_t *whole = (uint8_t *)p->whole.data + first * step;
    opc_move m;
    opc_move_start(&m, own);
    if (p->join) {
        opc_move_axis(&m, opc_parts_turns(p), own, apart);
        opc_move_run(&m, whole, part->data);
    } else {
        opc_move_axis(&m, opc_parts_turns(p), apart, own);
        opc_move_run(&m, part->data, whole);
    }
}

opc_status opc_parts_run(opc_node *node, const opc_parts *p) {
    const uint32_t count = p->join ? opc_input_count(node) : opc_output_count(node);
    const uint32_t end = (uint32_t)p->whole.dims[p->axis];
    uint32_t first = 0;
    for (uint32_t i = 0; i < count; i++) {
        opc_tensor part;
        uint32_t size;
        OPC_TRY(opc_part(node, p, i, &part, &size));
        if (size > end - first) {
            return opc_fail_shape(node);
        }
        if ((p->join ? p->whole.data : part.data) != NULL) {
            move(p, &part, first, size);
        }
        first += size;
    }
    return first == end ? OPC_OK : opc_fail_shape(node);
}

opc_status opc_join_fetch(opc_node *node, opc_parts *p) {
    if (!opc_output(node, 0, &p->whole) || opc_output_count(node) != 1 ||
        !opc_normal_axis(opc_option_i32(node, 0, 0), p->whole.rank, &p->axis)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "axis out of range or not one output");
    }
    return opc_option_u8(node, 1, OPC_ACT_NONE) == OPC_ACT_NONE
               ? OPC_OK
               : OPC_FAIL(node, OPC_UNSUPPORTED, "a fused activation is not supported");
}

opc_status opc_split_axis(opc_node *node, opc_parts *p, const opc_tensor *t) {
    const uint32_t count = opc_output_count(node);
    if (count == 0 || opc_option_i32(node, 0, 0) != (int32_t)count || t->elements != 1 ||
        !opc_is_index_type(t->dtype)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the axis is no number or there are not as many outputs as parts");
    }
    return t->data == NULL || opc_normal_axis(opc_load_size(t, 0), p->whole.rank, &p->axis) ? OPC_OK
                                                                                            : opc_fail_values(node, t);
}
