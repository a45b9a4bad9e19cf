// Activation functions and their derivatives.
import { normalCdf, normalPdf, sigmoid } from "./math.js";

/** The same pairs as activation() in utils/layers/activations.py: name → [f, f′]. */
export const ACTIVATIONS = {
  step: [(z) => (z > 0 ? 1 : 0), () => 0],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z)],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  ReLU: [(z) => (z > 0 ? z : 0), (z) => (z > 0 ? 1 : 0)],
  "leaky ReLU": [(z, alpha) => (z > 0 ? z : alpha * z), (z, alpha) => (z > 0 ? 1 : alpha)],
  GELU: [(z) => z * normalCdf(z), (z) => normalCdf(z) + z * normalPdf(z)],
  identity: [(z) => z, () => 1],
};
