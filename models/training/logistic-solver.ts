import type { Design } from './design.ts';
import { solveByConjugateGradient, solveByCholesky } from './linear-solvers.ts';

/** The model `sigmoid(x . weights + intercept)`. */
interface LogisticFit {
  readonly weights: Float64Array;
  readonly intercept: number;
}

/** Newton converges quadratically: 5 to 10 steps are usual. */
const STEPS_MAX = 50;
/** Half the squared Newton decrement: how far the loss (a sum over rows) can still fall. */
const DECREMENT_MAX = 1e-10;
const HALVINGS_MAX = 30;
/** Up to this many columns the Hessian is factored (columns^3 / 3 operations); above, conjugate gradients never build it. */
const DENSE_COLUMNS_MAX = 600;

/**
 * Minimises `sum of log losses + l2 / 2 * |weights|^2` (the intercept is free) by Newton's method with step halving:
 * iteratively reweighted least squares. `l2` is scikit-learn's `1 / C`.
 */
export function fitLogistic(design: Design, labels: Uint8Array, l2: number): LogisticFit {
  const size = design.columns + 1;
  let theta: Float64Array = new Float64Array(size);
  let state = lossAt(design, labels, l2, theta);
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const gradient = gradientAt(design, labels, l2, theta, state.probabilities);
    const direction = newtonDirection(design, state.probabilities, l2, gradient);
    const decrement = dot(gradient, direction) / 2;
    if (decrement <= DECREMENT_MAX) {
      // The last step squares the error once more; the loss itself can no longer tell.
      theta = moved(theta, direction, 1);
      break;
    }
    let scale = 1;
    let next = moved(theta, direction, scale);
    let nextState = lossAt(design, labels, l2, next);
    for (let halving = 0; nextState.loss > state.loss && halving < HALVINGS_MAX; halving += 1) {
      scale /= 2;
      next = moved(theta, direction, scale);
      nextState = lossAt(design, labels, l2, next);
    }
    if (nextState.loss >= state.loss) break;
    theta = next;
    state = nextState;
  }
  return { weights: theta.slice(0, design.columns), intercept: theta[design.columns] as number };
}

/** Probability of the positive class per row. */
export function predictLogistic(design: Design, { weights, intercept }: LogisticFit): Float64Array {
  const theta = Float64Array.from([...weights, intercept]);
  return linear(design, theta).map(sigmoid);
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

function lossAt(design: Design, labels: Uint8Array, l2: number, theta: Float64Array) {
  const probabilities = linear(design, theta);
  let loss = 0;
  for (let row = 0; row < design.rows; row += 1) {
    const z = probabilities[row] as number;
    // log(1 + exp(-+z)) without overflow
    loss += Math.max(z, 0) - z * (labels[row] as number) + Math.log1p(Math.exp(-Math.abs(z)));
    probabilities[row] = sigmoid(z);
  }
  for (let j = 0; j < design.columns; j += 1) loss += (l2 / 2) * (theta[j] as number) ** 2;
  return { loss, probabilities };
}

function gradientAt(d: Design, labels: Uint8Array, l2: number, theta: Float64Array, p: Float64Array): Float64Array {
  const residuals = p.map((value, row) => value - (labels[row] as number));
  const gradient = transposedTimes(d, residuals);
  for (let j = 0; j < d.columns; j += 1) gradient[j] = (gradient[j] as number) + l2 * (theta[j] as number);
  return gradient;
}

function newtonDirection(d: Design, p: Float64Array, l2: number, gradient: Float64Array): Float64Array {
  const curvature = p.map((value) => value * (1 - value));
  if (d.columns <= DENSE_COLUMNS_MAX) return solveByCholesky(denseHessian(d, curvature, l2), gradient);
  const multiply = (v: Float64Array): Float64Array => {
    const product = transposedTimes(
      d,
      linear(d, v).map((z, row) => z * (curvature[row] as number)),
    );
    for (let j = 0; j < d.columns; j += 1) product[j] = (product[j] as number) + l2 * (v[j] as number);
    return product;
  };
  return solveByConjugateGradient(multiply, hessianDiagonal(d, curvature, l2), gradient);
}

/** Lower triangle of the Hessian, row-major; the intercept comes last. */
function denseHessian({ rows, columns, stride, indices, values }: Design, curvature: Float64Array, l2: number) {
  const size = columns + 1;
  const hessian = new Float64Array(size * size);
  const last = columns * size;
  for (let row = 0; row < rows; row += 1) {
    const weight = curvature[row] as number;
    const from = row * stride;
    for (let a = 0; a < stride; a += 1) {
      const scaled = weight * (values[from + a] as number);
      if (scaled === 0) continue;
      const column = indices[from + a] as number;
      const base = column * size;
      // A row's entries ascend, so b <= a fills the lower triangle.
      for (let b = 0; b <= a; b += 1) {
        const at = base + (indices[from + b] as number);
        hessian[at] = (hessian[at] as number) + scaled * (values[from + b] as number);
      }
      hessian[last + column] = (hessian[last + column] as number) + scaled;
    }
    hessian[last + columns] = (hessian[last + columns] as number) + weight;
  }
  for (let j = 0; j < columns; j += 1) hessian[j * size + j] = (hessian[j * size + j] as number) + l2;
  return hessian;
}

function hessianDiagonal(d: Design, curvature: Float64Array, l2: number): Float64Array {
  const diagonal = transposedTimes({ ...d, values: d.values.map((v) => v * v) }, curvature);
  for (let j = 0; j < d.columns; j += 1) diagonal[j] = (diagonal[j] as number) + l2;
  return diagonal;
}

function linear({ rows, columns, stride, indices, values }: Design, theta: Float64Array): Float64Array {
  const result = new Float64Array(rows);
  const intercept = theta[columns] as number;
  for (let row = 0, at = 0; row < rows; row += 1) {
    let z = intercept;
    for (let e = 0; e < stride; e += 1, at += 1) z += (values[at] as number) * (theta[indices[at] as number] as number);
    result[row] = z;
  }
  return result;
}

function transposedTimes({ rows, columns, stride, indices, values }: Design, v: Float64Array): Float64Array {
  const result = new Float64Array(columns + 1);
  for (let row = 0, at = 0; row < rows; row += 1) {
    const factor = v[row] as number;
    result[columns] = (result[columns] as number) + factor;
    for (let e = 0; e < stride; e += 1, at += 1) {
      const column = indices[at] as number;
      result[column] = (result[column] as number) + factor * (values[at] as number);
    }
  }
  return result;
}

function moved(theta: Float64Array, direction: Float64Array, scale: number): Float64Array {
  return theta.map((value, j) => value - scale * (direction[j] as number));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, j) => sum + value * (b[j] as number), 0);
}
