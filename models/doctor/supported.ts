/** What the onnxruntime in use can run. A test asks the library itself whether this is still so. */

export const IR_VERSION_MAX = 13;
/** Newest operator set by domain. Other domains hold operators that are not part of ONNX. */
export const OPSET_MAX: Readonly<Record<string, number>> = { '': 26, 'ai.onnx': 26, 'ai.onnx.ml': 5 };
