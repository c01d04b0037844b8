/* Says which kernels a model needs: their stems on standard output, one a line. For building images with nothing else.
 *     kernels MODEL.tflite
 * Exit status 0, or 1 with one line on standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opconform_kernel.h"

extern const opc_registry opc_registry_all;
extern const char *const opc_registry_names[];
enum { ARENA_BYTES = 64 << 20 };

/* A model needs a kernel if it does not open without it. */
static opc_status open_without(uint32_t left_out, const void *model, size_t bytes, void *arena, opc_interpreter *it) {
    static const opc_op *some[1024];
    opc_registry registry = {some, 0};
    for (uint32_t i = 0; i < opc_registry_all.count && registry.count < 1024; i++) {
        if (i != left_out) {
            some[registry.count++] = opc_registry_all.ops[i];
        }
    }
    return opc_open(it, model, bytes, arena, ARENA_BYTES, &registry);
}

static int list_kernels(const void *model, size_t bytes, void *arena) {
    opc_interpreter it;
    if (open_without(UINT32_MAX, model, bytes, arena, &it) != OPC_OK) {
        char text[160];
        (void)opc_error_text(&it, text, sizeof text);
        (void)fprintf(stderr, "%s\n", text);
        return 1;
    }
    for (uint32_t i = 0; i < opc_registry_all.count; i++) {
        if (open_without(i, model, bytes, arena, &it) != OPC_OK) {
            (void)puts(opc_registry_names[i]);
        }
    }
    return 0;
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    const long end = ftell(file);
    void *data = NULL;
    if (end < 0 || posix_memalign(&data, 16, (size_t)end + 1) != 0) {
        data = NULL;
    }
    rewind(file);
    *bytes = end < 0 ? 0 : (size_t)end;
    if (data != NULL && fread(data, 1, *bytes, file) != *bytes) {
        free(data);
        data = NULL;
    }
    (void)fclose(file);
    return data;
}

int main(int count, char **arguments) {
    size_t bytes = 0;
    void *model = count == 2 ? read_file(arguments[1], &bytes) : NULL;
    void *arena = NULL;
    if (model == NULL || posix_memalign(&arena, 16, ARENA_BYTES) != 0) {
        (void)fprintf(stderr, "usage: kernels MODEL.tflite (the file must exist)\n");
        return 1;
    }
    const int status = list_kernels(model, bytes, arena);
    free(model);
    free(arena);
    return status;
}
