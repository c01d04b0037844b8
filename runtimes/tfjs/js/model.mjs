/**
 * What a .tflite file says: tensors, operators with their options by name, constants.
 *
 * `schema` is the format as data, which the harness writes (opconform.runtimes.tfjs): slots of tables, operator
 * codes, option tables, enums, dtypes.
 */

import {INVALID_MODEL, UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";

const SCALARS = {
  int8: (b, at) => b.readInt8(at),
  bool: (b, at) => b.readInt8(at) !== 0,
  int32: (b, at) => b.readInt32(at),
  int64: (b, at) => Number(b.readInt64(at)),
  float32: (b, at) => b.readFloat32(at),
  dtype: (b, at) => b.readInt8(at),
  subgraph: (b, at) => b.readInt32(at),
};

/** One table of a flatbuffer: its fields by slot. */
class Table {
  constructor(buffer, at) {
    this.buffer = buffer;
    this.at = at;
  }

  field(slot) {
    const offset = this.buffer.__offset(this.at, 4 + 2 * slot);
    return offset ? this.at + offset : 0;
  }

  scalar(slot, kind, fallback) {
    const at = this.field(slot);
    return at ? SCALARS[kind](this.buffer, at) : fallback;
  }

  table(slot) {
    const at = this.field(slot);
    return at ? new Table(this.buffer, this.buffer.__indirect(at)) : null;
  }

  /** Start and length of a vector whose elements take `width` bytes. */
  vector(slot, width) {
    const at = this.field(slot);
    if (!at) return [0, 0];
    const start = this.buffer.__vector(at), length = this.buffer.__vector_len(at);
    if (length < 0 || start + length * width > this.buffer.capacity()) {
      throw new RangeError(`a list of ${length} entries leaves the file`);
    }
    return [start, length];
  }

  tables(slot) {
    const [start, length] = this.vector(slot, 4);
    return Array.from({length}, (_, n) => new Table(this.buffer, this.buffer.__indirect(start + 4 * n)));
  }

  numbers(slot, read = "readInt32") {
    const [start, length] = this.vector(slot, 4);
    return Array.from({length}, (_, n) => this.buffer[read](start + 4 * n));
  }

  bytes(slot) {
    const [start, length] = this.vector(slot, 1);
    return this.buffer.bytes().subarray(start, start + length);
  }
}

/** Read a model from a ByteBuffer of flatbuffers. Throws WireError: invalid-model for what cannot be read, unsupported for what tfjs has not. */
export function readModel(buffer, schema) {
  try {
    return read(buffer, schema);
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError(INVALID_MODEL, `the model cannot be read: ${error.message}`);
  }
}

function read(buffer, schema) {
  const slots = schema.slots;
  const root = new Table(buffer, buffer.readInt32(0));
  const graph = root.tables(slots.MODEL.subgraphs)[0];
  const buffers = root.tables(slots.MODEL.buffers);
  const codes = root.tables(slots.MODEL.operator_codes);
  const tensors = graph.tables(slots.SUBGRAPH.tensors).map((table) => readTensor(table, buffers, schema));
  const nodes = graph.tables(slots.SUBGRAPH.operators).map((table) => readNode(table, codes, tensors, schema));
  const [inputs, outputs] = [slots.SUBGRAPH.inputs, slots.SUBGRAPH.outputs].map((slot) => graph.numbers(slot));
  for (const number of [...inputs, ...outputs]) {
    if (!tensors[number]) throw new RangeError(`tensor ${number} of ${tensors.length} is an input or output`);
  }
  return {tensors, nodes, inputs, outputs};
}

function readTensor(table, buffers, schema) {
  const slot = schema.slots.TENSOR;
  const code = table.scalar(slot.type, "int8", 0);
  const quantization = table.table(slot.quantization);
  if (quantization && quantization.vector(schema.slots.QUANTIZATION.scale, 4)[1]) {
    throw new WireError(UNSUPPORTED, "quantized tensors are TensorFlow Lite's");
  }
  if (table.scalar(slot.is_variable, "bool", false)) throw new WireError(UNSUPPORTED, "variables are TensorFlow Lite's");
  if (table.table(slot.sparsity)) throw new WireError(UNSUPPORTED, "sparse tensors are TensorFlow Lite's");
  const stored = buffers[table.scalar(slot.buffer, "int32", 0)].bytes(schema.slots.BUFFER.data);
  const shape = table.numbers(slot.shape);
  const dynamic = table.numbers(slot.shape_signature).some((size) => size < 0);
  return {code, shape, dynamic, data: stored.length ? stored : null};
}

function readNode(table, codes, tensors, schema) {
  const slot = schema.slots.OPERATOR, codeSlot = schema.slots.OPERATOR_CODE;
  const code = codes[table.scalar(slot.opcode_index, "int32", 0)];
  const number = Math.max(
    code.scalar(codeSlot.deprecated_builtin_code, "int8", 0),
    code.scalar(codeSlot.builtin_code, "int32", 0),
  );
  const op = schema.ops[number];
  if (!op) throw new WireError(UNSUPPORTED, `operator code ${number} is unknown`);
  const node = {op: op.name, inputs: table.numbers(slot.inputs), outputs: table.numbers(slot.outputs), options: {}};
  for (const n of [...node.inputs, ...node.outputs]) {
    if (n !== -1 && !tensors[n]) throw new RangeError(`tensor ${n} of ${tensors.length} is used`);
  }
  const found = op.options && schema.options[op.options];
  if (found) {
    const stored = table.table(found.union === 1 ? slot.options : slot.options_2);
    for (const [name, field] of Object.entries(found.fields)) node.options[name] = option(stored, field, schema);
  }
  return node;
}

function option(table, {slot, kind, default: fallback}, schema) {
  const [width, name] = kind.split(":");
  if (kind === "int32s" || kind === "float32s") {
    if (!table || !table.field(slot)) return null;
    return table.numbers(slot, kind === "int32s" ? "readInt32" : "readFloat32");
  }
  if (kind === "string") return "";
  const scalar = width === "enum32" ? "int32" : width === "enum" ? "int8" : kind;
  const value = table ? table.scalar(slot, scalar, fallback) : fallback;
  if (name) return schema.enums[name][value];
  if (kind === "bool") return Boolean(value); // the default is a number, and tfjs asks `=== false`
  return kind === "dtype" ? schema.dtypes[value] : value;
}
