#include <string.h>

#include "kernel_util.h"

/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): a counter, encrypted.
 * The counter lives as long as the model, so invocations differ and a reopened model repeats them. */
typedef struct philox {
    uint32_t counter[4];
    uint32_t key[2];
    uint32_t bound; /* elements that there is memory for */
} philox;

static void encrypt(const philox *p, uint32_t *block) {
    uint32_t key0 = p->key[0];
    uint32_t key1 = p->key[1];
    memcpy(block, p->counter, sizeof p->counter);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)UINT32_C(0xD2511F53) * block[0];
        const uint64_t b = (uint64_t)UINT32_C(0xCD9E8D57) * block[2];
        block[0] = (uint32_t)(b >> 32) ^ block[1] ^ key0;
        block[1] = (uint32_t)b;
        block[2] = (uint32_t)(a >> 32) ^ block[3] ^ key1;
        block[3] = (uint32_t)a;
        key0 += UINT32_C(0x9E3779B9);
        key1 += UINT32_C(0xBB67AE85);
    }
}

static void advance(philox *p) {
    for (uint32_t i = 0; i < 4 && ++p->counter[i] == 0;) {
        i++;
    }
}

static opc_status fetch(opc_node *node, opc_tensor *shape, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, shape, y));
    if ((shape->dtype != OPC_INT32 && shape->dtype != OPC_INT64) || shape->rank != 1 || shape->elements != y->rank ||
        y->dtype != OPC_FLOAT32) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs a shape vector as long as the rank of a float32 output");
    }
    return OPC_OK;
}

enum { DEFAULT_BOUND = 1024 };

/* Read the shape's values. */
static opc_status read_dims(opc_node *node, const opc_tensor *shape, int32_t *dims) {
    for (uint32_t d = 0; d < shape->elements; d++) {
        const int64_t dim = opc_load_index(shape, d);
        if (dim < 0 || dim > INT32_MAX) {
            return OPC_FAIL(node, (shape->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                            "a dimension is negative or too large");
        }
        dims[d] = (int32_t)dim;
    }
    return OPC_OK;
}

/* The file need not know the output's shape. A constant says it as well; one that is fed later finds memory for as many
 * elements as the file speaks of, and for a few in any case. */
static opc_status plan_output(opc_node *node, const opc_tensor *shape, const opc_tensor *y, uint32_t *bound) {
    int32_t dims[OPC_MAX_RANK];
    *bound = y->elements;
    if (shape->data != NULL) {
        OPC_TRY(read_dims(node, shape, dims));
        return memcmp(dims, y->dims, y->rank * sizeof *dims) == 0 ? OPC_OK : opc_set_dims(node, 0, y->rank, dims);
    }
    if (y->rank == 0) {
        return OPC_OK;
    }
    for (uint32_t d = 1; d < y->rank; d++) {
        dims[d] = 1;
    }
    *bound = y->elements > DEFAULT_BOUND ? y->elements : DEFAULT_BOUND;
    dims[0] = (int32_t)*bound;
    return opc_set_dims(node, 0, y->rank, dims);
}

/* In invoke: the real shape, for which there is memory. */
static opc_status settle_output(opc_node *node, const opc_tensor *shape, opc_tensor *y, uint32_t bound) {
    int32_t dims[OPC_MAX_RANK];
    if ((shape->flags & OPC_CONSTANT) != 0 || y->rank == 0) {
        return OPC_OK;
    }
    OPC_TRY(read_dims(node, shape, dims));
    y->elements = opc_product(dims, 0, y->rank);
    if (y->elements > bound) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "more numbers than memory was planned for");
    }
    return opc_set_dims(node, 0, y->rank, dims);
}

static opc_status prepare(opc_node *node) {
    opc_tensor shape;
    opc_tensor y;
    OPC_TRY(fetch(node, &shape, &y));
    philox *p = opc_alloc(node, sizeof *p);
    if (p == NULL) {
        return OPC_NO_MEMORY;
    }
    OPC_TRY(plan_output(node, &shape, &y, &p->bound));
    /* Both seeds 0 ask for one that nobody chose; a board has nothing to draw it from, so it stays 0. */
    const uint64_t seed = (uint64_t)opc_option_i64(node, 0, 0);
    const uint64_t seed2 = (uint64_t)opc_option_i64(node, 1, 0);
    p->key[0] = (uint32_t)seed;
    p->key[1] = (uint32_t)(seed >> 32);
    p->counter[2] = (uint32_t)seed2;
    p->counter[3] = (uint32_t)(seed2 >> 32);
    return OPC_OK;
}

static opc_status invoke(opc_node *node) {
    opc_tensor shape;
    opc_tensor y;
    uint32_t block[4];
    OPC_TRY(fetch(node, &shape, &y));
    philox *p = opc_data(node);
    OPC_TRY(settle_output(node, &shape, &y, p->bound));
    for (uint32_t i = 0; i < y.elements; i++) {
        if (i % 4U == 0) {
            encrypt(p, block);
            advance(p);
        }
        /* 23 random bits of a number in [1, 2) */
        const uint32_t bits = (block[i % 4U] & 0x7FFFFFU) | 0x3F800000U;
        float value;
        memcpy(&value, &bits, sizeof value);
        ((float *)y.data)[i] = value - 1.0f;
    }
    return OPC_OK;
}

const opc_op opc_random_uniform = {
    .code = OPC_CODE_RANDOM_UNIFORM, .key = OPC_KEY_NONE, .types = OPC_ANY_TYPE, .prepare = prepare, .invoke = invoke};
