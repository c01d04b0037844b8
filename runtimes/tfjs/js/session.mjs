/** Opens models and runs them node by node with TensorFlow.js. */

import {KERNELS as ELEMENTWISE} from "./elementwise.mjs";
import {KERNELS as LAYERS} from "./layers.mjs";
import {readModel} from "./model.mjs";
import {KERNELS as MOVES} from "./moves.mjs";
import * as wire from "../../../targets/javascript/wire.mjs";

const KERNELS = {...ELEMENTWISE, ...MOVES, ...LAYERS};
/** tfjs dtype -> code of the TFLite schema and array */
const DTYPES = {float32: [0, Float32Array], int32: [2, Int32Array], bool: [6, Uint8Array]};
const BY_CODE = {0: "float32", 2: "int32", 6: "bool"};
/** What tfjs says when a backend has no kernel for a dtype or at all. */
const MISSING = /not registered|not yet supported|not supported|does not support|only supports|unsupported dtype|Unknown dtype/i;

/** An engine (targets/javascript/worker.mjs) on one backend of a tfjs module; `schema` is the .tflite format as data. */
export class Session {
  constructor(tf, name, schema, ByteBuffer) {
    this.tf = tf;
    this.name = name;
    this.schema = schema;
    this.ByteBuffer = ByteBuffer;
    this.model = null;
  }

  close() {
    this.tf.engine().disposeVariables();
    this.model = null;
  }

  open(payload) {
    this.model = null;
    const model = readModel(new this.ByteBuffer(payload.slice()), this.schema);
    for (const node of model.nodes) {
      if (!KERNELS[node.op]) throw new wire.WireError(wire.UNSUPPORTED, `${node.op} has no counterpart in TensorFlow.js`);
      node.dtypes = node.outputs.map((n) => dtypeOf(model.tensors[n].code));
      node.inputs.filter((n) => n !== -1).forEach((n) => dtypeOf(model.tensors[n].code));
    }
    this.model = model;
  }

  run(given) {
    const model = this.model;
    if (!model) throw new wire.WireError(wire.INVALID_INPUT, "no model is open");
    if (given.length !== model.inputs.length) {
      throw new wire.WireError(wire.INVALID_INPUT, `${given.length} inputs given, the model has ${model.inputs.length}`);
    }
    const engine = this.tf.engine();
    engine.startScope();
    try {
      const values = new Map();
      model.tensors.forEach((t, n) => t.data && values.set(n, this.tensor(t.code, t.shape, t.data)));
      model.inputs.forEach((n, i) => values.set(n, this.fed(model.tensors[n], given[i])));
      for (const node of model.nodes) this.compute(node, values);
      return model.outputs.map((n) => encoded(values.get(n)));
    } finally {
      engine.endScope();
    }
  }

  fed(tensor, given) {
    if (given.code !== tensor.code) {
      throw new wire.WireError(wire.INVALID_INPUT, `an input has dtype code ${given.code}, want ${tensor.code}`);
    }
    return this.tensor(given.code, given.shape, given.bytes);
  }

  tensor(code, shape, bytes) {
    const dtype = dtypeOf(code), ArrayType = DTYPES[dtype][1];
    const count = shape.reduce((a, b) => a * b, 1);
    if (count * ArrayType.BYTES_PER_ELEMENT > bytes.length) {
      throw new wire.WireError(wire.INVALID_INPUT, `${bytes.length} bytes for ${count} of ${dtype}`);
    }
    const own = bytes.slice(0, count * ArrayType.BYTES_PER_ELEMENT);
    return this.tf.tensor(new ArrayType(own.buffer), shape, dtype);
  }

  compute(node, values) {
    const inputs = node.inputs.map((n) => (n === -1 ? null : values.get(n)));
    let found;
    try {
      found = KERNELS[node.op](this.tf, inputs, node.options, node);
    } catch (error) {
      if (error instanceof wire.WireError) throw error;
      const code = MISSING.test(error.message) ? wire.UNSUPPORTED : wire.INVALID_MODEL;
      throw new wire.WireError(code, `${node.op}: ${error.message}`);
    }
    const outputs = Array.isArray(found) ? found : [found];
    if (outputs.length !== node.outputs.length) {
      throw new wire.WireError(wire.INVALID_MODEL, `${node.op} gives ${outputs.length} outputs, the model has ${node.outputs.length}`);
    }
    outputs.forEach((value, i) => {
      agree(node.op, value, this.model.tensors[node.outputs[i]]);
      values.set(node.outputs[i], value);
    });
  }
}

/** A model whose shapes are not those that follow from its inputs is refused here: TensorFlow.js knows no model. */
function agree(op, value, tensor) {
  const same = value.shape.length === tensor.shape.length && value.shape.every((size, n) => size === tensor.shape[n]);
  if (!same && !tensor.dynamic) {
    const text = `${op}: the model says that an output is [${tensor.shape}], TensorFlow.js computes [${value.shape}]`;
    throw new wire.WireError(wire.INVALID_MODEL, text);
  }
}

function dtypeOf(code) {
  const dtype = BY_CODE[code];
  if (!dtype) throw new wire.WireError(wire.UNSUPPORTED, `TensorFlow.js has no tensors of dtype code ${code}`);
  return dtype;
}

/** A computed tensor as the wire takes it; its own dtype speaks, not the model's. */
function encoded(value) {
  const [code, ArrayType] = DTYPES[value.dtype] ?? [255, Uint8Array];
  const data = value.dataSync();
  const typed = data instanceof ArrayType ? data : ArrayType.from(data);
  return {code, shape: value.shape, bytes: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength)};
}
