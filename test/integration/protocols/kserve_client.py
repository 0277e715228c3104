"""What the kserve client sends and reads, in both of its protocols; prints one JSON object for the test to judge."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

given = json.loads(sys.argv[1])
URL = f"http://127.0.0.1:{given['port']}"
headers = {"Authorization": f"Bearer {given['key']}"}
MODEL = "leavers"
rows = given["rows"]


def tensor(name, values, dtype, datatype, binary):
    array = np.array(values, dtype=dtype).reshape(-1, 1)
    result = InferInput(name, list(array.shape), datatype)
    result.set_data_from_numpy(array, binary_data=binary)
    return result


def request(binary, outputs=None, contract=None):
    nan = float("nan")
    charges = [nan if r["charge"] is None else r["charge"] for r in rows]
    inputs = [
        tensor("contract", [contract or r["contract"] for r in rows], object, "BYTES", binary),
        tensor("months", [r["months"] for r in rows], np.int64, "INT64", binary),
        tensor("charge", charges, np.float64, "FP64", binary),
        tensor("paperless", [r["paperless"] for r in rows], bool, "BOOL", binary),
    ]
    return InferRequest(MODEL, inputs, request_id="call-8", request_outputs=outputs)


async def error_of(call):
    try:
        await call
    except httpx.HTTPStatusError as error:
        return str(error)
    return None


def probabilities(response):
    return response.get_output_by_name("probability").as_numpy().flatten().tolist()


async def main():
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    binary_outputs = [RequestedOutput("probability", {"binary_data": True})]
    in_json = await v2.infer(URL, request(False), MODEL, headers=dict(headers))
    in_binary = await v2.infer(URL, request(True, binary_outputs), MODEL, headers=dict(headers))
    in_v1 = await v1.infer(URL, {"instances": rows}, MODEL, headers=headers)
    result = {
        "live": await v2.is_server_live(URL),
        "ready": await v2.is_server_ready(URL),
        "modelReady": await v2.is_model_ready(URL, MODEL, headers=headers),
        "v1ModelReady": await v1.is_model_ready(URL, MODEL, headers=headers),
        "otherReady": await v2.is_model_ready(URL, "another", headers=headers),
        "id": in_json.id,
        "warnings": in_json.parameters["warnings"],
        "labels": in_json.get_output_by_name("label").as_numpy().flatten().tolist(),
        "probabilities": {
            "json": probabilities(in_json),
            "binary": probabilities(in_binary),
            "v1": [p["probability"] for p in in_v1["predictions"]],
        },
        "errors": {
            "row": await error_of(v2.infer(URL, request(True, contract="weekly"), MODEL, headers=dict(headers))),
            "v1Row": await error_of(v1.infer(URL, {"instances": [{"contract": "weekly"}]}, MODEL, headers=headers)),
            "v1Model": await error_of(v1.is_model_ready(URL, "another", headers=headers)),
            "explain": await error_of(v1.explain(URL, MODEL, {"instances": rows}, headers=headers)),
            "noKey": await error_of(v1.infer(URL, {"instances": rows}, MODEL)),
        },
    }
    print(json.dumps(result))


asyncio.run(main())
