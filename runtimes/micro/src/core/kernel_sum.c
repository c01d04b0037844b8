#include "kernel_sum.h"

typedef struct sum {
    const opc_sum *s;
    int32_t sign;
    int32_t zero_a;
    int32_t zero_b;
    int32_t zero_y;
    uint8_t flip;
} sum;

static void run_8(const opc_run *run) {
    const sum *c = run->context;
    const uint8_t *a = run->a;
    const uint8_t *b = run->b;
    uint8_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        const int32_t left = opc_read_8(a, c->flip) - c->zero_a;
        const int32_t right = opc_read_8(b, c->flip) - c->zero_b;
        y[i] = (uint8_t)opc_sum_element(c->s, left, right, c->sign, OPC_SUM_SHIFT_8, c->zero_y);
    }
}

static void run_16(const opc_run *run) {
    const sum *c = run->context;
    const int16_t *a = run->a;
    const int16_t *b = run->b;
    int16_t *y = run->y;
    for (uint32_t i = 0; i < run->count; i++, a += run->step_a, b += run->step_b) {
        y[i] = (int16_t)opc_sum_element(c->s, *a, *b, c->sign, OPC_SUM_SHIFT_16, 0);
    }
}

opc_status opc_sum_8(opc_node *node, int32_t sign) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const sum c = {opc_data(node),    sign, opc_zero_8(&t.in[0]), opc_zero_8(&t.in[1]), opc_zero_point(&t.out, 0),
                   opc_flip(&t.in[0])};
    opc_for_runs(&t, run_8, &c);
    return OPC_OK;
}

opc_status opc_sum_16(opc_node *node, int32_t sign) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    const sum c = {opc_data(node), sign, 0, 0, 0, 0};
    opc_for_runs(&t, run_16, &c);
    return OPC_OK;
}
