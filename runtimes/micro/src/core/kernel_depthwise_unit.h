/* What one build of kernel_depthwise.c computes at a time: a few neighbouring channels of one column. */
#ifndef OPCONFORM_KERNEL_DEPTHWISE_UNIT_H
#define OPCONFORM_KERNEL_DEPTHWISE_UNIT_H

#include "kernel_scale.h"
#include "kernel_simd.h"
#include "kernel_window.h"

#if defined(OPC_MVE)
enum { OPC_UNIT_CHANNELS = 8 };
typedef struct opc_unit {
    int16_t value[8];
} opc_unit;
#define OPC_UNIT_SLOT(k) (((k)&1U) * 4U + (k) / 2U) /* products of even channels come first */
#elif defined(OPC_LONG)
enum { OPC_UNIT_CHANNELS = 2 };
typedef int32_t opc_unit; /* first + second * 2^21 */
#define OPC_UNIT_SLOT(k) (k)
#endif

#if defined(OPC_MVE) || defined(OPC_LONG)
#define OPC_UNITS 1

typedef struct opc_depthwise {
    opc_window window;
    const opc_unit *weights;          /* one a tap */
    const opc_unit **rows;            /* the units of each row of the window, from its first column on */
    opc_lane lane[OPC_UNIT_CHANNELS]; /* channel k in OPC_UNIT_SLOT(k) */
    uint32_t lanes;                   /* channels that count: 1 ... OPC_UNIT_CHANNELS */
    int32_t zero_x;
    int32_t zero_y;
    bool quick; /* all lanes count and have quick factors */
} opc_depthwise;

/* `count` units from columns or taps that are `step` bytes apart; `zero` is taken off. */
void opc_units_load(opc_unit *to, const int8_t *x, uint32_t count, uint32_t step, uint32_t lanes, int32_t zero);
/* The scaled sums of a row of windows, clamped to int8: y[0 ... lanes) of the first, then `out_step` bytes further. */
void opc_units_run(const opc_depthwise *d, int8_t *y, uint32_t out_step);
#endif

#endif
