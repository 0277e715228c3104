/** Relative residual at which conjugate gradients stop: far below what a Newton step needs. */
const RESIDUAL_MAX = 1e-10;
const CG_STEPS_MAX = 1000;

/**
 * Solves `A x = b` for a symmetric positive definite `A`, given as its lower triangle (row-major, overwritten by its
 * Cholesky factor).
 */
export function solveByCholesky(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = a[i * n + j] as number;
      for (let k = 0; k < j; k += 1) sum -= (a[i * n + k] as number) * (a[j * n + k] as number);
      a[i * n + j] = i === j ? Math.sqrt(sum) : sum / (a[j * n + j] as number);
    }
  }
  const x = b.slice();
  for (let i = 0; i < n; i += 1) {
    let sum = x[i] as number;
    for (let k = 0; k < i; k += 1) sum -= (a[i * n + k] as number) * (x[k] as number);
    x[i] = sum / (a[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    let sum = x[i] as number;
    for (let k = i + 1; k < n; k += 1) sum -= (a[k * n + i] as number) * (x[k] as number);
    x[i] = sum / (a[i * n + i] as number);
  }
  return x;
}

/** Conjugate gradients with the diagonal as preconditioner (Nocedal and Wright, algorithm 5.3): `A` only as a product. */
export function solveByConjugateGradient(
  multiply: (v: Float64Array) => Float64Array,
  diagonal: Float64Array,
  b: Float64Array,
): Float64Array {
  const x = new Float64Array(b.length);
  const residual = b.slice();
  let z = residual.map((r, i) => r / (diagonal[i] as number));
  const direction = z.slice();
  let rho = inner(residual, z);
  const enough = RESIDUAL_MAX ** 2 * rho;
  for (let step = 0; step < CG_STEPS_MAX && rho > enough; step += 1) {
    const product = multiply(direction);
    const alpha = rho / inner(direction, product);
    for (let i = 0; i < x.length; i += 1) {
      x[i] = (x[i] as number) + alpha * (direction[i] as number);
      residual[i] = (residual[i] as number) - alpha * (product[i] as number);
    }
    z = residual.map((r, i) => r / (diagonal[i] as number));
    const next = inner(residual, z);
    for (let i = 0; i < x.length; i += 1) direction[i] = (z[i] as number) + (next / rho) * (direction[i] as number);
    rho = next;
  }
  return x;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
