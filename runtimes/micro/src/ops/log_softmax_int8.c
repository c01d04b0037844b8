#include "kernel_fixed.h"
#include "kernel_util.h"

/* Differences from the largest element and the logarithm are in Q5.26, exponentials in Q0.31, their sum in Q12.19. */
enum { DIFFERENCE_BITS = 5, SUM_BITS = 12 };

typedef struct log_softmax {
    opc_multiplier m;       /* from input quanta to Q5.26 */
    opc_multiplier inverse; /* and back */
    int32_t lowest;         /* differences below it count as exp = 0 */
    uint8_t flip;
} log_softmax;

static opc_status fetch(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    if (x->rank == 0) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "rank must be at least 1");
    }
    return opc_need_fixed_output(node, y, 1.0f / 16.0f, y->dtype == OPC_UINT8 ? UINT8_MAX : INT8_MAX);
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    log_softmax *s = opc_alloc(node, sizeof *s);
    if (s == NULL) {
        return OPC_NO_MEMORY;
    }
    const float scale = opc_scale(&x, 0);
    s->m = opc_multiplier_of(scale, 1.0f, 1.0f, 31 - DIFFERENCE_BITS);
    s->inverse = opc_multiplier_of(1.0f, 1.0f, scale, DIFFERENCE_BITS - 31);
    if (s->m.shift > 31) { /* capped at 2^31 - 1: a difference of 1 makes the exponential 0 */
        const opc_multiplier cap = {INT32_MAX, 31};
        const opc_multiplier back = {1 << 30, -30};
        s->m = cap;
        s->inverse = back;
    }
    s->lowest = -opc_fx_radius(DIFFERENCE_BITS, s->m.shift);
    s->flip = opc_flip(&x);
    return OPC_OK;
}

/* x * 2^times, saturated; 0 <= times <= 31. */
static int32_t doubled(int32_t x, int32_t times) {
    const int64_t wide = (int64_t)x * (INT64_C(1) << times);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* ln(r) - ln(2^(-1/4)) in Q6.25 of r in Q0.31 around 2^(-1/4): a quotient of polynomials of their doubled difference.
 */
static int32_t log_near_middle(int32_t r) {
    const int32_t middle = 1805811301;
    const int32_t mean = (int32_t)(((int64_t)r + middle + 1) >> 1);
    const int32_t q = opc_mul32(opc_sub32(r, middle), 2);
    const int32_t square = opc_srdhm(q, q);
    const int32_t top = opc_add32(opc_srdhm(q, r), opc_srdhm(opc_srdhm(q, square), 117049297));
    const int32_t inner = opc_add32(opc_add32(1057819769, q), opc_srdhm(square, 127690142));
    const int32_t bottom = opc_add32(opc_srdhm(mean, inner), opc_srdhm(q, 638450708));
    return opc_srdhm(opc_rdbpot(top, 6), opc_fx_one_over_one_plus(bottom));
}

/* ln(sum) in Q5.26 of a sum in Q12.19 that is at least 1. ln(2^e * r) = e * ln(2) + ln(r) with e a multiple of 1/2
 * moved by 1/4, so that r lies around 2^(-1/4): of two candidates the smaller r and the larger e belong together. */
static int32_t log_of_sum(int32_t sum) {
    const int32_t root_half = 1518500250;
    const int32_t quarter = 1 << 23; /* Q6.25 */
    const int32_t zeros = opc_leading_zeros((uint32_t)sum);
    const int32_t room = opc_leading_zeros((uint32_t)opc_srdhm(sum, root_half)) - 1;
    const int32_t first = doubled(opc_srdhm(opc_shift_left(sum, zeros - 1), root_half), 1);
    const int32_t second = doubled(sum, room);
    const int32_t whole_e = opc_shift_left(SUM_BITS - zeros, 25) + quarter;
    const int32_t other_e = opc_shift_left(SUM_BITS - room, 25) - quarter;
    const int32_t logarithm = opc_srdhm(whole_e > other_e ? whole_e : other_e, 1488522236);
    return doubled(opc_add32(logarithm, log_near_middle(first < second ? first : second)), 1);
}

static int32_t highest(const uint8_t *x, uint32_t depth, uint8_t flip) {
    int32_t best = INT8_MIN;
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t value = opc_read_8(x + c, flip);
        best = value > best ? value : best;
    }
    return best;
}

static void run_row(const log_softmax *s, const uint8_t *x, uint8_t *y, uint32_t depth) {
    const int32_t top = highest(x, depth, s->flip);
    uint32_t sum = 0; /* each term at most 2^19, saturated above 4095 of them */
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t difference = opc_read_8(x + c, s->flip) - top;
        if (difference >= s->lowest) {
            sum += (uint32_t)opc_rdbpot(opc_fx_exp(opc_mbqm_any(difference, s->m), DIFFERENCE_BITS), SUM_BITS);
            sum = sum > INT32_MAX ? INT32_MAX : sum;
        }
    }
    const int32_t logarithm = log_of_sum((int32_t)sum);
    /* what is not above this no longer fits in Q5.26 once the logarithm is subtracted, and is below any output */
    const int32_t limit = opc_mbqm_any(opc_add32(logarithm, INT32_MIN), s->inverse);
    const int32_t lowest = limit > s->lowest - 1 ? limit : s->lowest - 1;
    for (uint32_t c = 0; c < depth; c++) {
        const int32_t difference = opc_read_8(x + c, s->flip) - top;
        int32_t value = INT8_MIN;
        if (difference > lowest) {
            const int32_t result = opc_sub32(opc_mbqm_any(difference, s->m), logarithm);
            value = opc_clamp(opc_rdbpot(result, 31 - DIFFERENCE_BITS - 4) + INT8_MAX, INT8_MIN, INT8_MAX);
        }
        y[c] = opc_byte_8(value, s->flip);
    }
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch(node, &x, &y));
    const uint32_t depth = (uint32_t)x.dims[x.rank - 1];
    for (uint32_t at = 0; at < x.elements; at += depth) {
        run_row(opc_data(node), opc_u8(&x) + at, (uint8_t *)y.data + at, depth);
    }
    return OPC_OK;
}

const opc_op opc_log_softmax_int8 = {.code = OPC_CODE_LOG_SOFTMAX,
                                     .key = OPC_KEY_INPUT0,
                                     .flags = OPC_INPLACE_INPUT0,
                                     .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                     .prepare = prepare,
                                     .invoke = invoke};
