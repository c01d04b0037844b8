#include "kernel_flex.h"

#include <string.h>

/* Types of FlexBuffers, which stand above two bits with the binary logarithm of a width. */
enum { FLEX_INT = 1, FLEX_UINT = 2, FLEX_FLOAT = 3, FLEX_INDIRECT_INT = 6, FLEX_MAP = 9, FLEX_BOOL = 26 };

/* Little-endian; false when the number does not lie inside the buffer or has a width that there is not. */
static bool load(const opc_flex *f, uint32_t at, uint32_t width, uint64_t *number) {
    if (at >= f->length || width > f->length - at || width == 0 || width > 8 || (width & (width - 1U)) != 0) {
        return false;
    }
    *number = 0;
    for (uint32_t i = width; i-- > 0;) {
        *number = *number << 8 | f->bytes[at + i];
    }
    return true;
}

static bool load_below(const opc_flex *f, uint32_t at, uint32_t width, uint32_t limit, uint32_t *number) {
    uint64_t wide;
    const bool good = load(f, at, width, &wide) && wide <= limit;
    *number = good ? (uint32_t)wide : 0;
    return good;
}

/* Offsets count backwards from where they stand. */
static bool follow(const opc_flex *f, uint32_t at, uint32_t width, uint32_t *target) {
    uint32_t back;
    const bool good = load_below(f, at, width, at, &back);
    *target = at - back;
    return good;
}

opc_status opc_flex_open(opc_node *node, const uint8_t *bytes, uint32_t length, opc_flex *map) {
    const uint32_t root_width = length < 3 ? 0 : bytes[length - 1];
    const uint32_t packed = length < 3 ? 0 : bytes[length - 2];
    map->bytes = bytes;
    map->length = length;
    map->width = 1U << (packed & 3U);
    /* In front of the values: where the keys are, how wide their offsets are, how many values there are. */
    const bool good = packed >> 2 == FLEX_MAP && root_width <= 8 && root_width + 2U <= length &&
                      follow(map, length - 2U - root_width, root_width, &map->values) &&
                      map->values >= 3U * map->width &&
                      follow(map, map->values - 3U * map->width, map->width, &map->keys) &&
                      load_below(map, map->values - 2U * map->width, map->width, 8, &map->key_width) &&
                      load_below(map, map->values - map->width, map->width, length, &map->count) &&
                      map->count <= (length - map->values) / (map->width + 1U);
    return good ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "the options of a custom operator are no map");
}

static float real_of(uint64_t bits, uint32_t width) {
    if (width == 8) {
        double wide;
        memcpy(&wide, &bits, sizeof wide);
        return (float)wide;
    }
    const uint32_t half = (uint32_t)bits;
    float narrow;
    memcpy(&narrow, &half, sizeof narrow);
    return narrow;
}

static bool number_at(const opc_flex *f, uint32_t at, uint32_t width, uint32_t packed, float *number) {
    uint32_t type = packed >> 2;
    uint64_t bits;
    if (type >= FLEX_INDIRECT_INT && type < FLEX_MAP) {
        if (!follow(f, at, width, &at)) {
            return false;
        }
        width = 1U << (packed & 3U);
        type -= FLEX_INDIRECT_INT - FLEX_INT;
    }
    if (!load(f, at, width, &bits)) {
        return false;
    }
    const uint32_t unused = 64U - 8U * width;
    switch (type) {
        case FLEX_INT:
            *number = (float)((int64_t)(bits << unused) >> unused);
            return true;
        case FLEX_UINT:
        case FLEX_BOOL:
            *number = (float)bits;
            return true;
        case FLEX_FLOAT:
            *number = width < 4 ? *number : real_of(bits, width);
            return width >= 4;
        default:
            return false;
    }
}

bool opc_flex_number(const opc_flex *map, const char *name, uint32_t length, float *number) {
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t key;
        const bool found = map->keys < map->length && follow(map, map->keys + i * map->key_width, map->key_width, &key);
        if (found && key < map->length && length <= map->length - key && memcmp(map->bytes + key, name, length) == 0) {
            const uint32_t packed = map->bytes[map->values + map->count * map->width + i];
            return number_at(map, map->values + i * map->width, map->width, packed, number);
        }
    }
    return false;
}
