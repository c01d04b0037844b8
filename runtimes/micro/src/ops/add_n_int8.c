#include "fixedpoint.h"
#include "kernel_add_n.h"

/* The common grid of all terms is a half quantum of theirs, 20 bits below: a term adds its value shifted by 19. */
enum { HEADROOM = 20 };

static void add(opc_sums *sums, const opc_tensor *term, uint32_t at, uint32_t count) {
    const int32_t zero = opc_zero_point(term, 0);
    for (uint32_t i = 0; i < count; i++) {
        sums->i[i] = opc_add32(sums->i[i], opc_shift_left(opc_i8(term)[at + i] - zero, HEADROOM - 1));
    }
}

static void finish(const opc_node *node, const opc_sums *sums, const opc_tensor *y, uint32_t at, uint32_t count) {
    const opc_multiplier *m = opc_data(node);
    const int32_t zero = opc_zero_point(y, 0);
    for (uint32_t i = 0; i < count; i++) {
        ((int8_t *)y->data)[at + i] = (int8_t)opc_clamp_sum(opc_mbqm(sums->i[i], *m), zero, INT8_MIN, INT8_MAX);
    }
}

static opc_status prepare(opc_node *node) {
    opc_tensor first;
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_add_n_prepare(node));
    (void)opc_output(node, 0, &y);
    (void)opc_input(node, 0, &first);
    OPC_TRY(opc_need_quantized(node, &first, &y));
    for (uint32_t k = 1; k < opc_input_count(node); k++) {
        if (!opc_input(node, k, &x) || !opc_is_quantized(&x) || !opc_same_quantization(&first, &x)) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "all terms must have one scale and zero point");
        }
    }
    opc_multiplier *m = opc_alloc(node, sizeof *m);
    if (m == NULL) {
        return OPC_NO_MEMORY;
    }
    *m = opc_multiplier_of(opc_scale(&first, 0), 1.0f, opc_scale(&y, 0), 1 - HEADROOM);
    return opc_multiplier_vs_one(*m) < 0
               ? OPC_OK
               : OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input scale");
}

static opc_status invoke(opc_node *node) {
    return opc_add_n(node, add, finish);
}

const opc_op opc_add_n_int8 = {.code = OPC_CODE_ADD_N,
                               .key = OPC_KEY_INPUT0,
                               .flags = OPC_INPLACE_INPUT0,
                               .types = OPC_BIT(OPC_INT8),
                               .prepare = prepare,
                               .invoke = invoke};
