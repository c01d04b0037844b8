#include "kernel_compare.h"

#include <string.h>

#include "kernel_fixed.h"

typedef struct comparison {
    opc_order order;
    uint32_t holds;
    uint32_t width; /* bytes of an element of the inputs */
} comparison;

static comparison compare_how(const opc_binary *t, uint32_t holds) {
    const comparison c = {opc_order_of(t->in[0].dtype), holds, opc_dtype_bytes(t->in[0].dtype)};
    return c;
}

/* The same bits of the first scale and the same zero point, or neither. */
static bool same_grid(const opc_tensor *a, const opc_tensor *b) {
    if (a->scale_count == 0 || b->scale_count == 0) {
        return a->scale_count == b->scale_count;
    }
    return memcmp(a->scales, b->scales, sizeof(float)) == 0 && opc_zero_point(a, 0) == opc_zero_point(b, 0);
}

opc_status opc_compare_prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(opc_binary_check(node, &t, OPC_BOOL));
    return same_grid(&t.in[0], &t.in[1]) ? OPC_OK
                                         : OPC_FAIL(node, OPC_UNSUPPORTED, "the inputs have different quantization");
}

static void compare_run(const opc_run *run) {
    const comparison *c = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a * c->width, b += run->step_b * c->width) {
        y[i] = (c->order(a, b) & c->holds) != 0 ? 1U : 0U;
    }
}

opc_status opc_compare(opc_node *node, uint32_t holds) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const comparison c = compare_how(&t, holds);
    opc_for_runs(&t, compare_run, &c);
    return OPC_OK;
}

opc_status opc_choose_prepare(opc_node *node) {
    opc_binary t;
    opc_tensor first;
    const uint8_t dtype = opc_input(node, 0, &first) ? first.dtype : OPC_FLOAT32;
    OPC_TRY(opc_binary_check(node, &t, dtype));
    return same_grid(&t.in[0], &t.in[1]) && same_grid(&t.in[0], &t.out)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "inputs and output must have one quantization");
}

static void choose_run(const opc_run *run) {
    const comparison *c = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a * c->width, b += run->step_b * c->width) {
        memmove(y, (c->order(a, b) & c->holds) != 0 ? a : b, c->width); /* y may be a or b */
        y += c->width;
    }
}

opc_status opc_choose(opc_node *node, uint32_t holds) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const comparison c = compare_how(&t, holds);
    opc_for_runs(&t, choose_run, &c);
    return OPC_OK;
}

typedef struct real_comparison {
    opc_multiplier m[2];
    int32_t zero[2];
    uint32_t holds;
    uint8_t flip;
} real_comparison;

opc_status opc_compare_real_prepare(opc_node *node) {
    opc_binary t;
    OPC_TRY(opc_binary_check(node, &t, OPC_BOOL));
    return opc_need_quantized(node, &t.in[0], &t.in[1]);
}

static int32_t real_of(const real_comparison *c, uint32_t k, const uint8_t *at) {
    return opc_mbqm_any((opc_read_8(at, c->flip) - c->zero[k]) * 256, c->m[k]); /* |x| <= 2^16 before */
}

static void compare_real_run(const opc_run *run) {
    const real_comparison *c = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        y[i] = (opc_order_int32(real_of(c, 0, a), real_of(c, 1, b)) & c->holds) != 0 ? 1U : 0U;
    }
}

opc_status opc_compare_real(opc_node *node, uint32_t holds) {
    opc_binary t;
    real_comparison c;
    (void)opc_binary_views(node, &t);
    c.holds = holds;
    c.flip = opc_flip(&t.in[0]);
    for (uint32_t k = 0; k < 2; k++) {
        c.m[k] = opc_multiplier_of(opc_scale(&t.in[k], 0), 1.0f, 1.0f, 0);
        c.zero[k] = opc_zero_8(&t.in[k]);
    }
    opc_for_runs(&t, compare_real_run, &c);
    return OPC_OK;
}
