#include <string.h>

#include "kernel_util.h"

/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): a counter, encrypted.
 * The counter lives as long as the model, so invocations differ and a reopened model repeats them. */
typedef struct philox {
    uint32_t counter[4];
    uint32_t key[2];
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
    for (uint32_t d = 0; shape->data != NULL && d < y->rank; d++) {
        if (opc_load_index(shape, d) != y->dims[d]) {
            return OPC_FAIL(node, (shape->flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                            "the shape is not the output's");
        }
    }
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor shape;
    opc_tensor y;
    OPC_TRY(fetch(node, &shape, &y));
    philox *p = opc_alloc(node, sizeof *p);
    if (p == NULL) {
        return OPC_NO_MEMORY;
    }
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
