/* Hello world: a network of three layers computes a sine.
 *
 * sine.py has made the model: an angle goes in, in steps of 2 pi / 255 from -128, and its sine comes out, in steps of
 * 1 / 120. Nothing here is floating point, so the image holds none. */
#include "console.h"
#include "opconform_kernel.h" /* opc_tensor */
#include "sine.h"             /* sine_data, sine_bytes, sine_kernels: made from sine.tflite */

/* The interpreter's records in the arena hold pointers. */
enum { ARENA_BYTES = 192 * sizeof(void *) };
enum { STEP = 15, FIRST = -128, LAST = 127 };
enum { TURN_THOUSANDTHS = 6283, TURN_STEPS = 255, ONE_STEPS = 120 };

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));
static opc_interpreter interpreter;

static opc_status show_sine(int angle) {
    opc_tensor in;
    opc_tensor out;
    (void)opc_model_input(&interpreter, 0, &in);
    *(int8_t *)in.data = (int8_t)angle; /* before every invocation: the memory of inputs is used for other tensors */
    const opc_status status = opc_invoke(&interpreter);
    if (status == OPC_OK) {
        (void)opc_model_output(&interpreter, 0, &out);
        console_write("sin(");
        console_write_thousandths((angle - FIRST) * TURN_THOUSANDTHS / TURN_STEPS);
        console_write(") = ");
        console_write_thousandths(*opc_i8(&out) * 1000 / ONE_STEPS);
        console_write("\n");
    }
    return status;
}

int main(void) {
    opc_status status = opc_open(&interpreter, sine_data, sine_bytes, arena, sizeof arena, &sine_kernels);
    for (int angle = FIRST; status == OPC_OK && angle <= LAST; angle += STEP) {
        status = show_sine(angle);
    }
    if (status != OPC_OK) {
        char why[96];
        (void)opc_error_text(&interpreter, why, sizeof why);
        console_write(why);
        console_write("\n");
    }
    return (int)status;
}
