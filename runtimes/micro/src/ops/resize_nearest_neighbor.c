#include "kernel_resize.h"

/* Which input is nearest to output 0, 1, 2 ... of an axis: `at` + `rest` / `whole`, rounded down, in whole numbers. */
typedef struct nearest {
    uint32_t at;
    uint32_t rest;
    uint32_t whole;
    uint32_t step; /* from one output to the next: `step` + `more` / `whole` */
    uint32_t more;
    uint32_t last;
} nearest;

/* Place i lies at (i + middle) * in / out, and half an element further where corners are aligned; in halves. */
static nearest start(const opc_resize *r, uint32_t axis) {
    const uint32_t corners = r->align_corners && r->y.dims[axis] > 1 ? 1 : 0;
    const uint32_t in = (uint32_t)r->in[0].dims[axis] - corners; /* <= 2^20 */
    const uint32_t out = (uint32_t)r->y.dims[axis] - corners;
    const uint32_t first = (r->half_pixel_centers ? in : 0) + (r->align_corners ? out : 0);
    const nearest n = {first / (2 * out), first % (2 * out), 2 * out,
                       in / out,          2 * (in % out),    (uint32_t)r->in[0].dims[axis] - 1U};
    return n;
}

static uint32_t take(nearest *n) {
    const uint32_t at = n->at < n->last ? n->at : n->last;
    n->at += n->step;
    n->rest += n->more;
    if (n->rest >= n->whole) {
        n->rest -= n->whole;
        n->at++;
    }
    return at;
}

static void resize(const opc_resize *r) {
    const opc_tensor *x = &r->in[0];
    const uint32_t pixel = (uint32_t)x->dims[3] * opc_dtype_bytes(x->dtype);
    const uint32_t line = (uint32_t)x->dims[2] * pixel;
    const uint8_t *from = x->data;
    uint8_t *to = r->y.data;
    for (uint32_t b = 0; b < (uint32_t)x->dims[0]; b++, from += (uint32_t)x->dims[1] * line) {
        nearest rows = start(r, 1);
        for (uint32_t i = 0; i < (uint32_t)r->y.dims[1]; i++) {
            const uint8_t *row = from + take(&rows) * line;
            nearest columns = start(r, 2);
            for (uint32_t k = 0; k < (uint32_t)r->y.dims[2]; k++, to += pixel) {
                opc_copy(to, row + take(&columns) * pixel, pixel, 1);
            }
        }
    }
}

static opc_status nearest_neighbor(opc_node *node) {
    opc_resize r;
    OPC_TRY(opc_resize_fetch(node, &r, 0));
    if (r.y.data != NULL && r.y.elements != 0) {
        resize(&r);
    }
    return OPC_OK;
}

const opc_op opc_resize_nearest_neighbor = {.code = OPC_CODE_RESIZE_NEAREST_NEIGHBOR,
                                            .key = OPC_KEY_NONE,
                                            .types = OPC_ANY_TYPE,
                                            .prepare = nearest_neighbor,
                                            .invoke = nearest_neighbor};
