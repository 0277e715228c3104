"""What tritonclient[http] sends and reads; prints one JSON object for the test to judge."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

given = json.loads(sys.argv[1])
client = triton.InferenceServerClient(url=f"127.0.0.1:{given['port']}")
MODEL = "leavers"


def headers():
    # New each time: the client writes its own headers into what it is given.
    return {"X-API-Key": given["key"]}


def column(name, values, dtype, datatype, binary=True):
    array = np.array(values, dtype=dtype).reshape(-1, 1)
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def inputs(binary=True, charge="FP64"):
    rows = given["rows"]
    nan = float("nan")
    charges = [nan if r["charge"] is None else r["charge"] for r in rows]
    return [
        column("contract", [r["contract"] for r in rows], object, "BYTES", binary),
        column("months", [r["months"] for r in rows], np.int64, "INT64", binary),
        column("charge", charges, np.float64 if charge == "FP64" else np.float32, charge, binary),
        column("paperless", [r["paperless"] for r in rows], bool, "BOOL", binary),
    ]


def probabilities(**options):
    result = client.infer(MODEL, options.pop("inputs", None) or inputs(), headers=headers(), **options)
    return result.as_numpy("probability").flatten().tolist()


def error_of(call):
    try:
        call()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


json_outputs = [triton.InferRequestedOutput("probability", binary_data=False)]
binary_outputs = [triton.InferRequestedOutput(n) for n in ("label", "probability", "model_version", "request_id")]
full = client.infer(MODEL, inputs(), request_id="call-7", headers=headers())
chosen = client.infer(MODEL, inputs(), outputs=binary_outputs, headers=headers())
short = inputs()[:1] + [column("months", [1], np.int64, "INT64")] + inputs()[2:]
wrong_row = [column("contract", ["weekly"] * len(given["rows"]), object, "BYTES")] + inputs()[1:]
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "modelReady": client.is_model_ready(MODEL, headers=headers()),
            "versionReady": client.is_model_ready(MODEL, "1", headers=headers()),
            "otherReady": client.is_model_ready("another", headers=headers()),
            "server": client.get_server_metadata(headers=headers()),
            "metadata": client.get_model_metadata(MODEL, headers=headers()),
            "index": client.get_model_repository_index(headers=headers()),
            "response": full.get_response(),
            "labels": [v.decode() for v in full.as_numpy("label").flatten()],
            "versions": chosen.as_numpy("model_version").flatten().tolist(),
            "requestIds": [v.decode() for v in chosen.as_numpy("request_id").flatten()],
            "probabilities": {
                "binary": full.as_numpy("probability").flatten().tolist(),
                "chosen": chosen.as_numpy("probability").flatten().tolist(),
                "json": probabilities(inputs=inputs(binary=False), outputs=json_outputs),
                "mixed": probabilities(inputs=inputs(binary=False)[:2] + inputs()[2:]),
                "gzip": probabilities(request_compression_algorithm="gzip"),
                "deflate": probabilities(request_compression_algorithm="deflate"),
                "compressedAnswer": probabilities(response_compression_algorithm="gzip"),
                "version": probabilities(model_version="1"),
                "float32": probabilities(inputs=inputs(charge="FP32")),
            },
            "errors": {
                "shape": error_of(lambda: client.infer(MODEL, short, headers=headers())),
                "row": error_of(lambda: client.infer(MODEL, wrong_row, headers=headers())),
                "noKey": error_of(lambda: client.infer(MODEL, inputs())),
                "model": error_of(lambda: client.infer("another", inputs(), headers=headers())),
                "load": error_of(lambda: client.load_model(MODEL, headers=headers())),
                "adminLoad": error_of(lambda: client.load_model(MODEL, headers={"X-API-Key": given["adminKey"]})),
                "unload": error_of(lambda: client.unload_model(MODEL, headers={"X-API-Key": given["adminKey"]})),
            },
        }
    )
)
