/* Moving elements of any fixed width: boxes whose strides differ between source and target.
 *
 * The kernels that only move elements have one function for prepare and invoke, since both check the same: it returns
 * when the output has no memory yet. */
#ifndef OPCONFORM_KERNEL_MOVE_H
#define OPCONFORM_KERNEL_MOVE_H

#include "kernel_util.h"

/* Axes from the innermost out; the first one is the bytes of an element. Strides and offsets are bytes, modulo 2^32. */
typedef struct opc_move {
    uint32_t dims[OPC_MAX_RANK + 1];
    uint32_t from[OPC_MAX_RANK + 1];
    uint32_t to[OPC_MAX_RANK + 1];
    uint32_t rank;
    uint32_t from_at; /* where the first element lies */
    uint32_t to_at;
} opc_move;

/* One element of `width` bytes, at offset 0 on both sides. */
void opc_move_start(opc_move *m, uint32_t width);
/* An axis outside of those added before, at most OPC_MAX_RANK times. Neighbours that lie evenly on both sides become
 * one, so that what can be copied at once is. A source stride of 0 repeats. */
void opc_move_axis(opc_move *m, uint32_t dim, uint32_t from, uint32_t to);
/* All of it; nothing when a dimension is 0. Every place must lie inside of its tensor. */
void opc_move_run(const opc_move *m, void *to, const void *from);

/* Row-major strides of t in bytes. */
void opc_strides(const opc_tensor *t, uint32_t *strides);
/* Fill y from places that are `strides` bytes apart along its dimensions, the first of them `at` bytes behind `from`.
 */
void opc_move_from(const opc_tensor *y, const void *from, uint32_t at, const uint32_t *strides);
/* The box inside of `whole` that begins at `start`: copied from box->data, or to it. Ranks are equal. */
void opc_box_write(const opc_tensor *whole, const opc_tensor *box, const uint32_t *start);
void opc_box_read(const opc_tensor *whole, const opc_tensor *box, const uint32_t *start);

/* Fill y with the element at `value`. */
void opc_fill_with(const opc_tensor *y, const void *value);
/* Fill y with the number that stands for 0. Only 8-bit types have another one than 0: wider ones are symmetric. */
void opc_fill_zero(const opc_tensor *y);

/* Elements move between x and y: one dtype of a fixed size, one quantization. */
opc_status opc_need_alike(opc_node *node, const opc_tensor *x, const opc_tensor *y);
/* opc_fetch; then input `first` and the output must be alike. */
opc_status opc_fetch_alike(opc_node *node, uint32_t inputs, uint32_t first, opc_tensor *in, opc_tensor *y);
/* A vector of `count` integers that say where: begins, sizes, an order. */
opc_status opc_need_indices(opc_node *node, const opc_tensor *t, uint32_t count);
/* t names the dimensions of y. */
opc_status opc_need_dims(opc_node *node, const opc_tensor *t, const opc_tensor *y);
/* Shapes do not fit, because of the values of t: the model's fault when they are constant. */
opc_status opc_fail_values(opc_node *node, const opc_tensor *t);
opc_status opc_fail_shape(opc_node *node);

#endif
