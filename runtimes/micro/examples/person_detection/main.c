/* Person detection: a classifier of 96 x 96 grey pixels looks at one image and gives a score to each class.
 *
 * Any int8 model of one such input and one vector of scores will do. The classes of the public person_detect.tflite
 * are 0, nobody, and 1, a person. */
#include "console.h"
#include "image.h"            /* image: the pixels given to CMake, and one byte more */
#include "opconform_kernel.h" /* opc_tensor */
#include "person.h"           /* person_data, person_bytes, person_kernels: made from the model */

enum { SIDE = 96, PIXELS = SIDE * SIDE, ARENA_BYTES = 100 * 1024 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static opc_interpreter interpreter;

/* Without an image: a bright disc on a dark ground. */
static int drawn_pixel(int row, int column) {
    const int y = row - SIDE / 2;
    const int x = column - SIDE / 2;
    return x * x + y * y < SIDE * SIDE / 9 ? 220 : row;
}

/* A sensor gives 0 to 255; the model wants a zero point of -128. */
static void take_picture(int8_t *pixels) {
    for (int i = 0; i < PIXELS; i++) {
        const int grey = sizeof image > PIXELS ? image[i] : drawn_pixel(i / SIDE, i % SIDE);
        pixels[i] = (int8_t)(grey - 128);
    }
}

/* 1 / 256 is the scale that SOFTMAX always has. */
static void show_scores(const opc_tensor *scores) {
    uint32_t best = 0;
    for (uint32_t i = 0; i < scores->elements; i++) {
        console_write("class ");
        console_write_number((int)i);
        console_write(": ");
        console_write_thousandths((opc_i8(scores)[i] - opc_zero_point(scores, 0)) * 1000 / 256);
        console_write("\n");
        best = opc_i8(scores)[i] > opc_i8(scores)[best] ? i : best;
    }
    console_write("best: ");
    console_write_number((int)best);
    console_write("\n");
}

static bool is_classifier(const opc_tensor *in, const opc_tensor *out) {
    return in->dtype == OPC_INT8 && in->elements == PIXELS && out->dtype == OPC_INT8;
}

static opc_status look(void) {
    opc_tensor in;
    opc_tensor out;
    (void)opc_model_input(&interpreter, 0, &in);
    (void)opc_model_output(&interpreter, 0, &out);
    if (!is_classifier(&in, &out)) {
        console_write("the model does not classify 96 x 96 int8 pixels\n");
        return OPC_UNSUPPORTED;
    }
    take_picture(in.data);
    const opc_status status = opc_invoke(&interpreter);
    if (status == OPC_OK) {
        show_scores(&out);
    }
    return status;
}

int main(void) {
    opc_status status = opc_open(&interpreter, person_data, person_bytes, arena, sizeof arena, &person_kernels);
    if (status == OPC_OK) {
        console_write("arena: ");
        console_write_number((int)opc_arena_used(&interpreter));
        console_write(" bytes\n");
        status = look();
    }
    if (status != OPC_OK) {
        char why[96];
        (void)opc_error_text(&interpreter, why, sizeof why);
        console_write(why);
        console_write("\n");
    }
    return (int)status;
}
