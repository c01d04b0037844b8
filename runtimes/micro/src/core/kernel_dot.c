#include "kernel_dot.h"

/* Not unrolled: with more values under way compilers for Cortex-M run out of registers. Unsigned sums wrap. */
void opc_dot22_s8(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, uint32_t n, int32_t *acc) {
    uint32_t sum0 = (uint32_t)acc[0];
    uint32_t sum1 = (uint32_t)acc[1];
    uint32_t sum2 = (uint32_t)acc[2];
    uint32_t sum3 = (uint32_t)acc[3];
    const int8_t *const end = x0 + n;
    do {
        const int32_t a = *x0++;
        const int32_t b = *x1++;
        const int32_t u = *w0++;
        sum0 += (uint32_t)a * (uint32_t)u;
        sum2 += (uint32_t)b * (uint32_t)u;
        const int32_t v = *w1++;
        sum1 += (uint32_t)a * (uint32_t)v;
        sum3 += (uint32_t)b * (uint32_t)v;
    } while (x0 != end);
    acc[0] = (int32_t)sum0;
    acc[1] = (int32_t)sum1;
    acc[2] = (int32_t)sum2;
    acc[3] = (int32_t)sum3;
}

int32_t opc_sum_s8(const int8_t *w, uint32_t n) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t value = w[i];
        sum = (int32_t)((uint32_t)sum + (uint32_t)value);
    }
    return sum;
}

int64_t opc_dot_s16(const int16_t *x, const int8_t *w, uint32_t n) {
    int64_t total = 0;
    while (n != 0) {
        const uint32_t block = n < 256U ? n : 256U;
        int32_t sum = 0; /* |sum| <= 2^8 * 2^22 */
        for (uint32_t i = 0; i < block; i++) {
            sum += x[i] * w[i];
        }
        total += sum;
        x += block;
        w += block;
        n -= block;
    }
    return total;
}
