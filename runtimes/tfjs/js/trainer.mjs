/**
 * Trains the network of harness/runtime.py (Trainer) with TensorFlow.js, behind the wire.
 *
 * RUN carries no inputs of a model: w1 b1 w2 b2 x labels ask for the loss and its gradients; w1 b1 w2 b2, the gradients
 * in the same order and a rate ask for the weights after a step of gradient descent.
 */

import {register} from "node:module";
import {pathToFileURL} from "node:url";

import {INVALID_INPUT, UNSUPPORTED, WireError} from "../../../targets/javascript/wire.mjs";
import {start as startSession} from "./engine.mjs";
import {encoded} from "./session.mjs";

const WEIGHTS = 4;
/** What RUN asks for by its number of tensors. */
const REQUESTS = {[WEIGHTS + 2]: gradients, [2 * WEIGHTS + 1]: step};

class Trainer {
  constructor(session) {
    this.session = session;
    this.name = session.name;
  }

  open() {
    throw new WireError(UNSUPPORTED, "this worker trains; it opens no models");
  }

  run(given) {
    const request = REQUESTS[given.length];
    if (!request) throw new WireError(INVALID_INPUT, `${given.length} tensors, allowed are ${Object.keys(REQUESTS)}`);
    const {tf} = this.session;
    return tf.tidy(() => {
      const tensors = given.map((one) => this.session.tensor(one, one.bytes, INVALID_INPUT));
      return request(tf, tensors).map((value) => encoded(value));
    });
  }

  close() {
    this.session.close();
  }
}

/** The mean cross-entropy of softmax over the batch, and its gradient by each of the weights. */
function gradients(tf, [w1, b1, w2, b2, x, labels]) {
  const wanted = tf.cast(tf.oneHot(labels, b2.shape[0]), "float32"); // of float32, oneHot writes integers on wasm
  const hidden = (w1, b1) => tf.tanh(tf.add(tf.matMul(x, w1), b1));
  const loss = (w1, b1, w2, b2) =>
    tf.losses.softmaxCrossEntropy(wanted, tf.add(tf.matMul(hidden(w1, b1), w2), b2));
  const {value, grads} = tf.valueAndGrads(loss)([w1, b1, w2, b2]);
  return [value, ...grads];
}

/** The weights after a step of TensorFlow.js's own optimizer. */
function step(tf, tensors) {
  const [rate] = tensors.at(-1).dataSync();
  const variables = tensors.slice(0, WEIGHTS).map((weight) => tf.variable(weight));
  const named = variables.map(({name}, i) => ({name, tensor: tensors[WEIGHTS + i]}));
  tf.train.sgd(rate).applyGradients(named);
  const found = variables.map((variable) => tf.clone(variable));
  tf.dispose(variables);
  return found;
}

/** Return the trainer of a worker in Node, as engine.mjs returns what runs models. */
export async function start(host, label, variant) {
  const session = await startSession(host, label, variant);
  // Gradients are no part of the bundle for Node; they register themselves where the bundle finds them too.
  register("./sources.mjs", import.meta.url);
  await import(pathToFileURL(host.place("@tensorflow/tfjs-core/dist/register_all_gradients.js")));
  return new Trainer(session);
}
