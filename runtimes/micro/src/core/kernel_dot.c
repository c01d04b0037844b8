#include "kernel_dot.h"

void opc_dot2_s8(const int8_t *x, const int8_t *w0, const int8_t *w1, uint32_t n, int32_t offset, int32_t *acc) {
    uint32_t sum0 = (uint32_t)acc[0];
    uint32_t sum1 = (uint32_t)acc[1];
    const int8_t *const end = x + n;
    const int8_t *const unrolled = x + (n & ~3U);
    while (x != unrolled) {
        const int32_t a = x[0] + offset;
        const int32_t b = x[1] + offset;
        const int32_t c = x[2] + offset;
        const int32_t d = x[3] + offset;
        sum0 += (uint32_t)(a * w0[0]);
        sum1 += (uint32_t)(a * w1[0]);
        sum0 += (uint32_t)(b * w0[1]);
        sum1 += (uint32_t)(b * w1[1]);
        sum0 += (uint32_t)(c * w0[2]);
        sum1 += (uint32_t)(c * w1[2]);
        sum0 += (uint32_t)(d * w0[3]);
        sum1 += (uint32_t)(d * w1[3]);
        x += 4;
        w0 += 4;
        w1 += 4;
    }
    while (x != end) {
        const int32_t a = *x++ + offset;
        sum0 += (uint32_t)(a * *w0++);
        sum1 += (uint32_t)(a * *w1++);
    }
    acc[0] = (int32_t)sum0;
    acc[1] = (int32_t)sum1;
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
