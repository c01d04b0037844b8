#include <string.h>

#include "kernel_move.h"

enum { BEGIN = 1, END = 2, STRIDE = 3, MAX_SPECS = 16, MAX_DIM = (1 << 30) - 1 };

typedef struct masks {
    uint32_t begin;
    uint32_t end;
    uint32_t ellipsis;
    uint32_t new_axis;
    uint32_t shrink;
    bool offset; /* `end` counts from `begin` */
} masks;

typedef struct slice {
    opc_tensor in[4];
    opc_tensor y;
    masks m;
    uint32_t specs;
    /* found so far */
    uint32_t axis; /* of the input */
    uint32_t rank; /* of the output */
    uint32_t start[OPC_MAX_RANK];
    int32_t step[OPC_MAX_RANK];
    int32_t count[OPC_MAX_RANK];
} slice;

static bool bit(uint32_t mask, uint32_t i) {
    return ((mask >> i) & 1U) != 0;
}

/* The next dimension of the output is `count` long; false when it is not. */
static bool output_is(slice *s, int32_t count) {
    return s->rank < s->y.rank && s->y.dims[s->rank++] == count;
}

static bool take_all(slice *s) {
    s->start[s->axis] = 0;
    s->step[s->axis] = 1;
    s->count[s->axis] = s->in[0].dims[s->axis];
    return output_is(s, s->in[0].dims[s->axis++]);
}

static int32_t clamp(int32_t x, int32_t lo, int32_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

/* One axis as spec i says. Bounds count from the end when negative and are clamped into the axis. All numbers are
 * within 30 bits, so that two of them can be added. */
static bool take(slice *s, uint32_t i) {
    const int32_t dim = s->in[0].dims[s->axis];
    const int32_t step = opc_load_size(&s->in[STRIDE], i);
    int32_t begin = opc_load_size(&s->in[BEGIN], i);
    int32_t end = opc_load_size(&s->in[END], i);
    const bool shrink = bit(s->m.shrink, i);
    if (step == 0 || dim > MAX_DIM || (shrink && step < 0)) {
        return false;
    }
    const int32_t lowest = step > 0 ? 0 : -1;
    const int32_t highest = dim + lowest;
    const int32_t first = step > 0 ? 0 : highest;
    end = s->m.offset ? end + begin : end < 0 ? end + dim : end;
    begin = bit(s->m.begin, i) ? first : begin < 0 ? begin + dim : begin;
    if (shrink && (begin < 0 || begin >= dim)) {
        return false;
    }
    begin = clamp(begin, lowest, highest);
    end = bit(s->m.end, i) ? lowest + highest - first : clamp(end, lowest, highest);
    end = shrink ? begin + 1 : end;
    const int32_t span = step > 0 ? end - begin : begin - end;
    const int32_t stride = step > 0 ? step : -step;
    const int32_t count = span <= 0 ? 0 : (span - 1) / stride + 1;
    s->start[s->axis] = (uint32_t)begin;
    s->step[s->axis] = step;
    s->count[s->axis] = count;
    s->axis++;
    return shrink || output_is(s, count);
}

/* Take all axes until only `left` are left. */
static bool take_until(slice *s, uint32_t left) {
    while (s->axis + left < s->in[0].rank) {
        if (!take_all(s)) {
            return false;
        }
    }
    return true;
}

static bool resolve(slice *s) {
    const uint32_t own = s->m.new_axis | s->m.ellipsis; /* specs that use up no axis of the input by themselves */
    for (uint32_t i = 0; i < s->specs; i++) {
        bool fits;
        if (bit(s->m.ellipsis, i)) {
            uint32_t later = 0;
            for (uint32_t k = i + 1U; k < s->specs; k++) {
                later += bit(own, k) ? 0U : 1U;
            }
            fits = take_until(s, later);
        } else if (bit(s->m.new_axis, i)) {
            fits = output_is(s, 1);
        } else {
            fits = s->axis < s->in[0].rank && take(s, i);
        }
        if (!fits) {
            return false;
        }
    }
    return take_until(s, 0) && s->rank == s->y.rank;
}

static opc_status check_specs(opc_node *node, const slice *s) {
    for (uint32_t k = BEGIN; k <= STRIDE; k++) {
        OPC_TRY(opc_need_indices(node, &s->in[k], s->specs));
    }
    const bool one_ellipsis = (s->m.ellipsis & (s->m.ellipsis - 1U)) == 0;
    return s->specs <= MAX_SPECS && one_ellipsis
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "more than 16 axes or one ellipsis");
}

static opc_status set_up(opc_node *node, slice *s) {
    memset(s, 0, sizeof *s);
    OPC_TRY(opc_fetch_alike(node, 4, 0, s->in, &s->y));
    s->m.begin = (uint32_t)opc_option_i32(node, 0, 0);
    s->m.end = (uint32_t)opc_option_i32(node, 1, 0);
    s->m.ellipsis = (uint32_t)opc_option_i32(node, 2, 0);
    s->m.new_axis = (uint32_t)opc_option_i32(node, 3, 0);
    s->m.shrink = (uint32_t)opc_option_i32(node, 4, 0);
    s->m.offset = opc_option_u8(node, 5, 0) != 0;
    s->specs = s->in[BEGIN].elements;
    OPC_TRY(check_specs(node, s));
    const opc_tensor *fed = &s->in[BEGIN];
    for (uint32_t k = BEGIN; k <= STRIDE; k++) {
        if (s->in[k].data == NULL) {
            return OPC_OK; /* seen again in invoke */
        }
        fed = (s->in[k].flags & OPC_CONSTANT) != 0 ? fed : &s->in[k];
    }
    return resolve(s) ? OPC_OK : opc_fail_values(node, fed);
}

static opc_status strided_slice(opc_node *node) {
    slice s;
    opc_move m;
    OPC_TRY(set_up(node, &s));
    if (s.y.data == NULL) {
        return OPC_OK;
    }
    const uint32_t width = opc_dtype_bytes(s.y.dtype);
    uint32_t stride = width;
    uint32_t packed = width;
    opc_move_start(&m, width);
    for (uint32_t d = s.in[0].rank; d-- > 0;) {
        m.from_at += s.start[d] * stride;
        opc_move_axis(&m, (uint32_t)s.count[d], (uint32_t)s.step[d] * stride, packed);
        stride *= (uint32_t)s.in[0].dims[d];
        packed *= (uint32_t)s.count[d];
    }
    opc_move_run(&m, s.y.data, s.in[0].data);
    return OPC_OK;
}

const opc_op opc_strided_slice = {.code = OPC_CODE_STRIDED_SLICE,
                                  .key = OPC_KEY_NONE,
                                  .types = OPC_ANY_TYPE,
                                  .prepare = strided_slice,
                                  .invoke = strided_slice};
