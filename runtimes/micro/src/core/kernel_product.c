#include "kernel_product.h"

/* Lives as long as the model. */
typedef struct product {
    opc_multiplier m; /* s_0 * s_1 / s_y */
    int32_t lo;
    int32_t hi;
} product;

opc_status opc_scaled_product_prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(opc_pair_prepare(node));
    (void)opc_binary_views(node, &t);
    OPC_TRY(opc_need_quantized(node, &t.in[0], &t.in[1]));
    OPC_TRY(opc_need_quantized(node, &t.out, &t.out));
    const bool symmetric =
        opc_zero_point(&t.in[0], 0) == 0 && opc_zero_point(&t.in[1], 0) == 0 && opc_zero_point(&t.out, 0) == 0;
    if (t.out.dtype == OPC_INT16 && !symmetric) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    product *p = opc_alloc(node, sizeof *p);
    if (p == NULL) {
        return OPC_NO_MEMORY;
    }
    p->m = opc_multiplier_of(opc_scale(&t.in[0], 0), opc_scale(&t.in[1], 0), opc_scale(&t.out, 0), 0);
    return opc_activation_range(node, &t.out, opc_option_u8(node, 0, OPC_ACT_NONE), &p->lo, &p->hi);
}

typedef struct factors {
    const product *p;
    int32_t zero_a;
    int32_t zero_b;
    int32_t zero_y;
    uint8_t flip;
} factors;

/* a and b less their zero points: |a * b| <= 2^30 */
static int32_t element(const factors *f, int32_t a, int32_t b) {
    return opc_clamp_sum(opc_mbqm(a * b, f->p->m), f->zero_y, f->p->lo, f->p->hi);
}

static void run_8(const opc_run *run) {
    const factors *f = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        y[i] = (uint8_t)element(f, opc_read_8(a, f->flip) - f->zero_a, opc_read_8(b, f->flip) - f->zero_b);
    }
}

static void run_16(const opc_run *run) {
    const int16_t *a = run->a;
    const int16_t *b = run->b;
    int16_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        y[i] = (int16_t)element(run->context, *a, *b);
    }
}

opc_status opc_scaled_product(opc_node *node) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const factors f = {opc_data(node), opc_zero_8(&t.in[0]), opc_zero_8(&t.in[1]), opc_zero_point(&t.out, 0),
                       opc_flip(&t.out)};
    opc_for_runs(&t, t.out.dtype == OPC_INT16 ? run_16 : run_8, &f);
    return OPC_OK;
}
