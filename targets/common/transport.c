/* transport.h over semihosting: QEMU's standard input and output, queued because each call leaves the emulator. */
#include "worker/transport.h"

#include <string.h>

#include "platform.h"
#include "semihosting.h"

/* At least 8: a whole answer must never leave before the meters are told of its end, so a tail stays queued. */
#ifndef OPC_IO_BYTES
#define OPC_IO_BYTES 4096u
#endif
#define OPC_TAIL_BYTES 4u

static uint8_t opc_io_input[OPC_IO_BYTES];
static uint8_t opc_io_output[OPC_IO_BYTES];

static struct {
    uint32_t input_handle, output_handle;
    uint32_t read_from, read_to; /* read_from <= read_to <= OPC_IO_BYTES */
    uint32_t queued;             /* <= OPC_IO_BYTES */
    uint32_t model_bytes;
    uint32_t sent; /* non-zero once part of this answer has left */
} io;

void transport_open(void) {
    io.input_handle = semihosting_open_console(0);
    io.output_handle = semihosting_open_console(4);
}

/* Bytes read, 1..size; 0 at the end of the input. */
static uint32_t read_some(uint8_t *data, uint32_t size) {
    const uint32_t missing = semihosting_read(io.input_handle, data, size);
    return missing > size ? 0 : size - missing;
}

/* Like read_some, but through the queue. */
static uint32_t read_queued(uint8_t *data, uint32_t size) {
    if (io.read_from == io.read_to) {
        io.read_from = 0;
        io.read_to = read_some(opc_io_input, OPC_IO_BYTES);
    }
    const uint32_t there = io.read_to - io.read_from;
    const uint32_t count = there < size ? there : size;
    memcpy(data, opc_io_input + io.read_from, count);
    io.read_from += count;
    return count;
}

int transport_read(void *data, size_t size) {
    uint8_t *to = data;
    uint32_t left = (uint32_t)size;
    if (to == opc_model_buffer) {
        io.model_bytes = left;
    }
    while (left != 0) {
        const int direct = io.read_from == io.read_to && left >= OPC_IO_BYTES;
        const uint32_t count = direct ? read_some(to, left) : read_queued(to, left);
        if (count == 0) {
            return -1;
        }
        to += count;
        left -= count;
    }
    return 0;
}

static int send_all(const uint8_t *data, uint32_t size) {
    while (size != 0) {
        const uint32_t missing = semihosting_write(io.output_handle, data, size);
        if (missing >= size) {
            return -1;
        }
        data += size - missing;
        size = missing;
    }
    return 0;
}

static int send_queue(void) {
    const uint32_t queued = io.queued;
    io.sent |= queued;
    io.queued = 0;
    return send_all(opc_io_output, queued);
}

int transport_write(const void *data, size_t size) {
    const uint8_t *from = data;
    uint32_t left = (uint32_t)size;
    if (left > OPC_IO_BYTES - io.queued && send_queue() != 0) {
        return -1;
    }
    if (left > OPC_IO_BYTES) {
        const uint32_t direct = left - OPC_TAIL_BYTES;
        io.sent |= direct;
        if (send_all(from, direct) != 0) {
            return -1;
        }
        from += direct;
        left = OPC_TAIL_BYTES;
    }
    memcpy(opc_io_output + io.queued, from, left);
    io.queued += left;
    return 0;
}

int transport_flush(void) {
    opc_meter_answer();
    const int result = send_queue();
    io.sent = 0;
    return result;
}

uint32_t transport_model_bytes(void) {
    return io.model_bytes;
}

int transport_abandon(void) {
    io.queued = 0;
    return io.sent == 0 ? 0 : -1;
}
