/**
 * Frames of the wire (docs/wire.md), for Node and browsers alike: little-endian, one answer per request.
 */

export const HELLO = 1, OPEN = 2, RUN = 3, CLOSE = 4, BYE = 5;
export const READY = 129, OPENED = 130, RESULT = 131, CLOSED = 132, GONE = 133, ERROR = 192;
export const UNSUPPORTED = 1, INVALID_MODEL = 2, INVALID_INPUT = 3, INTERNAL = 5, BAD_FRAME = 8;
export const HEADER_BYTES = 20;
export const LARGEST = 16 << 20;
const MAGIC = 0x3143504f; // "OPC1"
const UNKNOWN = 0xffff;

/** An error that becomes an ERROR frame: code and one line. */
export class WireError extends Error {
  constructor(code, message) {
    super(message.split(/\s+/).join(" ").slice(0, 300));
    this.code = code;
  }
}

const CRC_TABLE = Uint32Array.from({length: 256}, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** How many bytes the frame at the start of `bytes` takes, or 0 while its header is not there yet. */
function frameLength(bytes) {
  if (bytes.length < HEADER_BYTES) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0, true) !== MAGIC) throw new WireError(BAD_FRAME, "no frame begins here: the magic is wrong");
  const length = view.getUint32(12, true);
  if (length > LARGEST) throw new WireError(BAD_FRAME, `a payload of ${length} bytes, at most ${LARGEST} are taken`);
  return HEADER_BYTES + length;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  constructor() {
    this.parts = [];
    this.held = 0;
    this.wanted = HEADER_BYTES;
  }

  /** The frames that are whole with these further bytes. Throws WireError where no frame begins. */
  *take(bytes) {
    this.parts.push(bytes);
    this.held += bytes.length;
    if (this.held < this.wanted) return;
    let rest = joined(this.parts, this.held);
    let length = frameLength(rest);
    for (; length && rest.length >= length; length = frameLength(rest)) {
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
    [this.parts, this.held, this.wanted] = [[rest], rest.length, length || HEADER_BYTES];
  }
}

/** A copy: frames are views of it, and their owner may keep them. */
function joined(parts, length) {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Kind, sequence and payload of one whole frame. */
export function decodeFrame(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const payload = bytes.subarray(HEADER_BYTES);
  const frame = {kind: view.getUint8(4), sequence: view.getUint32(8, true), payload, bad: ""};
  if (view.getUint8(5) !== 1) frame.bad = `wire version ${view.getUint8(5)}, want 1`;
  else if (crc32(payload) !== view.getUint32(16, true)) frame.bad = "the crc of the payload is wrong";
  return frame;
}

/** One frame of answer. */
export function encodeFrame(kind, sequence, payload = new Uint8Array(0)) {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, kind);
  view.setUint8(5, 1);
  view.setUint32(8, sequence, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, crc32(payload), true);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeReady(name) {
  const text = new TextEncoder().encode(name);
  const out = new Uint8Array(14 + text.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, 1, true);
  view.setUint32(4, LARGEST, true);
  view.setUint16(12, text.length, true);
  out.set(text, 14);
  return out;
}

/** OPENED without descriptors: shapes are known when the model has run. */
export function encodeOpened() {
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint16(0, UNKNOWN, true);
  view.setUint16(2, UNKNOWN, true);
  return out;
}

export function encodeError(code, message) {
  const text = new TextEncoder().encode(message);
  const out = new Uint8Array((4 + text.length + 3) & ~3);
  const view = new DataView(out.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, text.length, true);
  out.set(text, 4);
  return out;
}

/** The tensors of a RUN: {code, shape, bytes} each, the bytes as a view. */
export function decodeTensors(payload) {
  if (payload.length < 4) throw new WireError(BAD_FRAME, `a RUN of ${payload.length} bytes, it begins with 4`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const count = view.getUint16(0, true);
  const found = [];
  let at = 4;
  for (let n = 0; n < count; n++) {
    if (at + 8 > payload.length) throw new WireError(BAD_FRAME, "a RUN ends within a tensor");
    const code = view.getUint8(at), rank = view.getUint8(at + 1), size = view.getUint32(at + 4, true);
    const data = at + 8 + 4 * rank;
    if (data + size > payload.length) throw new WireError(BAD_FRAME, "a RUN ends within a tensor");
    const shape = Array.from({length: rank}, (_, axis) => view.getUint32(at + 8 + 4 * axis, true));
    found.push({code, shape, bytes: payload.subarray(data, data + size)});
    at = (data + size + 3) & ~3;
  }
  return found;
}

/** RESULT without meters. */
export function encodeResult(tensors) {
  const sizes = tensors.map((t) => (8 + 4 * t.shape.length + t.bytes.length + 3) & ~3);
  const out = new Uint8Array(4 + sizes.reduce((a, b) => a + b, 0));
  const view = new DataView(out.buffer);
  view.setUint16(0, tensors.length, true);
  let at = 4;
  tensors.forEach((t, n) => {
    view.setUint8(at, t.code);
    view.setUint8(at + 1, t.shape.length);
    view.setUint32(at + 4, t.bytes.length, true);
    t.shape.forEach((size, axis) => view.setUint32(at + 8 + 4 * axis, size, true));
    out.set(t.bytes, at + 8 + 4 * t.shape.length);
    at += sizes[n];
  });
  return out;
}
