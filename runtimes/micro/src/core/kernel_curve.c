#include "kernel_curve.h"

#include "kernel_squash.h"

/* Linear interpolation between entries 2^bits apart; `beyond` from entry 255 on. */
static uint32_t interpolated(int32_t place, uint32_t bits, uint32_t beyond) {
    const uint32_t magnitude = (uint32_t)(place < 0 ? -place : place);
    const uint32_t at = magnitude >> bits;
    if (at >= 255) {
        return beyond << bits;
    }
    const uint32_t low = opc_logistic_table[at];
    const uint32_t part = magnitude & ((1U << bits) - 1U);
    return (low << bits) + part * (opc_logistic_table[at + 1] - low); /* <= 2^(16 + bits) */
}

/* Q0.25 to Q0.15; 1 - f(-x) below zero, kept one step of rounding lower. */
int16_t opc_curve_logistic(int32_t place) {
    const uint32_t result = interpolated(place, 9, 0xFFFE);
    return (int16_t)((place >= 0 ? result + (1U << 9) : (1U << 25) - result + (1U << 9) - 1U) >> 10);
}

/* tanh(x) = 2 logistic(2 x) - 1: entries 2^8 apart, Q0.24 to Q0.15. */
int16_t opc_curve_tanh(int32_t place) {
    const int32_t result = (int32_t)interpolated(place, 8, 0xFFFF) - (1 << 23);
    return (int16_t)((place >= 0 ? result + (1 << 7) : -result + (1 << 7) - 1) >> 8);
}
