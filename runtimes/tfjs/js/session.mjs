/** Opens models and runs them node by node with TensorFlow.js. */

import {whyAbsent} from "./absent.mjs";
import {declined, invalid, outOfRange, room} from "./common.mjs";
import {KERNELS as ELEMENTWISE} from "./elementwise.mjs";
import {KERNELS as LAYERS} from "./layers.mjs";
import {readModel} from "./model.mjs";
import {KERNELS as MOVES} from "./moves.mjs";
import {KERNELS as SEGMENTS} from "./segments.mjs";
import {checkSignature} from "./signatures.mjs";
import {INVALID_INPUT, INVALID_MODEL, UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";

const KERNELS = {...ELEMENTWISE, ...MOVES, ...LAYERS, ...SEGMENTS};
/** tfjs dtype -> code of the TFLite schema and array */
const DTYPES = {float32: [0, Float32Array], int32: [2, Int32Array], bool: [6, Uint8Array]};
const BY_CODE = {0: "float32", 2: "int32", 6: "bool"};
/** Operators whose outputs are as long as the data ask for. */
const SIZED_BY_DATA = new Set(["UNIQUE"]);
/** What tfjs says when a backend has no kernel for a dtype or at all. */
const MISSING = /not registered|not (yet )?supported|does not support|only supports|unsupported dtype|Unknown dtype/i;

/** An engine (targets/javascript/worker.mjs) on one backend of a tfjs module; `schema` is the .tflite format as data. */
export class Session {
  constructor(tf, name, schema, ByteBuffer) {
    this.tf = tf;
    this.name = name;
    this.schema = schema;
    this.ByteBuffer = ByteBuffer;
    this.model = null;
    this.constants = new Map();
  }

  /** Forget the model; its constants are freed. */
  close() {
    for (const constant of this.constants.values()) constant.dispose();
    this.constants.clear();
    this.model = null;
  }

  /** Read a model and check all that does not depend on values. Throws WireError. */
  open(payload) {
    this.close();
    const model = readModel(new this.ByteBuffer(payload.slice()), this.schema);
    checkNodes(model);
    model.tensors.forEach((tensor, n) => {
      if (tensor.data) this.constants.set(n, this.tensor(tensor, tensor.data, INVALID_MODEL));
    });
    this.model = model;
  }

  /** Invoke the model that is open: tensors in, tensors out, as wire.mjs has them. Throws WireError. */
  run(given) {
    const model = this.model;
    if (!model) outOfRange("no model is open");
    if (given.length !== model.inputs.length) {
      outOfRange(`${given.length} inputs given, the model has ${model.inputs.length}`);
    }
    const engine = this.tf.engine();
    engine.startScope();
    try {
      const values = new Map(this.constants);
      model.inputs.forEach((n, i) => values.set(n, this.fed(model.tensors[n], given[i])));
      for (const node of model.nodes) this.compute(node, values);
      return model.outputs.map((n) => encoded(values.get(n)));
    } finally {
      engine.endScope();
    }
  }

  fed(tensor, {code, shape, bytes}) {
    if (code !== tensor.code) outOfRange(`an input has dtype code ${code}, want ${tensor.code}`);
    if (!sameShape(shape, tensor.shape)) outOfRange(`an input is [${shape}], want [${tensor.shape}]`);
    return this.tensor(tensor, bytes, INVALID_INPUT);
  }

  tensor(tensor, bytes, error) {
    const {shape} = tensor, dtype = dtypeOf(tensor);
    const ArrayType = DTYPES[dtype][1], size = shape.reduce((a, b) => a * b, ArrayType.BYTES_PER_ELEMENT);
    if (size !== bytes.length) throw new WireError(error, `${bytes.length} bytes for [${shape}] of ${dtype}`);
    return this.tf.tensor(new ArrayType(bytes.slice().buffer), shape, dtype);
  }

  compute(node, values) {
    const inputs = node.inputs.map((n) => (n === -1 ? null : values.get(n)));
    const found = attempt(node.op, () => KERNELS[node.op](this.tf, inputs, node.options, node));
    const outputs = Array.isArray(found) ? found : [found];
    if (outputs.length !== node.outputs.length) {
      invalid(`${node.op} gives ${outputs.length} outputs, the model has ${node.outputs.length}`);
    }
    const {tensors} = this.model;
    const resized = node.inputs.some((n, i) => inputs[i] && !sameShape(inputs[i].shape, tensors[n].shape));
    outputs.forEach((value, i) => {
      agree(node.op, value, tensors[node.outputs[i]], resized);
      values.set(node.outputs[i], value);
    });
  }
}

/** Every node has a kernel, operands of the right dtypes, and inputs that are there before it. */
function checkNodes({tensors, nodes, inputs, outputs}) {
  const known = new Set(inputs);
  tensors.forEach((tensor, n) => tensor.data && known.add(n));
  for (const node of nodes) {
    if (!Object.hasOwn(KERNELS, node.op)) throw new WireError(UNSUPPORTED, whyAbsent(node.op));
    const dtypes = (list) => list.map((n) => (n === -1 ? null : dtypeOf(tensors[n])));
    const [taken, made] = [node.inputs, node.outputs].map(dtypes);
    checkSignature(node.op, taken, made);
    const unknown = node.inputs.find((n) => n !== -1 && !known.has(n));
    if (unknown !== undefined) invalid(`${node.op} reads tensor ${unknown} before anything writes it`);
    node.dtypes = made;
    node.outputs.forEach((n) => known.add(n));
  }
  const missing = outputs.find((n) => !known.has(n));
  if (missing !== undefined) invalid(`nothing writes the output, tensor ${missing}`);
  for (const n of known) room(tensors[n].shape);
}

function dtypeOf({code}) {
  return BY_CODE[code] ?? declined(`tensors of dtype code ${code}`);
}

/** The result of a kernel. What tfjs throws becomes a refusal in its own words; a trap of WebAssembly is a crash. */
function attempt(op, kernel) {
  try {
    return kernel();
  } catch (error) {
    if (error instanceof WireError || error instanceof WebAssembly.RuntimeError) throw error;
    throw new WireError(MISSING.test(error.message) ? UNSUPPORTED : INVALID_MODEL, `${op}: ${error.message}`);
  }
}

function sameShape(a, b) {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/**
 * A model whose shapes are not those that follow from its inputs is refused here: TensorFlow.js knows no model. Ones are
 * what a file says of sizes that depend on data, and of all that is computed from such a tensor (`resized`).
 */
function agree(op, value, {shape, dynamic}, resized) {
  if (sameShape(value.shape, shape)) return;
  const unknown = dynamic || ((resized || SIZED_BY_DATA.has(op)) && shape.every((size) => size === 1));
  if (!unknown) invalid(`${op}: the model says that an output is [${shape}], TensorFlow.js computes [${value.shape}]`);
}

/** A computed tensor as the wire takes it; its own dtype speaks, not the model's. */
export function encoded(value) {
  const [code, ArrayType] = DTYPES[value.dtype];
  const data = value.dataSync();
  if (data.length !== value.size) throw new Error(`TensorFlow.js gives ${data.length} numbers for [${value.shape}]`);
  const typed = data instanceof ArrayType ? data : ArrayType.from(data);
  return {code, shape: value.shape, bytes: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength)};
}
