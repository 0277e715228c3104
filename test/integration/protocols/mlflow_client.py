"""What MLflow's own scoring client sends and reads; prints one JSON object for the test to judge."""

import json
import sys
import types

# The client looks for scipy.sparse and takes no scipy at all for an error: an empty package is enough for it.
sys.modules["scipy"] = types.ModuleType("scipy")
sys.modules["scipy"].__path__ = []

import pandas as pd
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

given = json.loads(sys.argv[1])
ADDRESS = f"http://127.0.0.1:{given['port']}"
# The client has no place for a header: the key goes where a URL has its user.
client = ScoringServerClient(f"{given['key']}:@127.0.0.1", given["port"])
frame = pd.DataFrame(given["rows"])


def error_of(call):
    try:
        call()
    except Exception as error:
        return str(error)
    return None


def table(answer):
    return answer.get_predictions()[["probability", "label"]].to_dict("list")


client.wait_server_ready(timeout=20)
csv = requests.post(
    f"{ADDRESS}/invocations",
    data=frame.to_csv(index=False),
    headers={"Content-Type": "text/csv", "X-API-Key": given["key"]},
)
print(
    json.dumps(
        {
            "version": client.get_version(),
            "frame": table(client.invoke(frame)),
            "list": table(client.invoke(given["rows"])),
            "params": table(client.invoke(frame, params={"temperature": 1})),
            "csv": [p["probability"] for p in csv.json()["predictions"]],
            "errors": {
                "row": error_of(lambda: client.invoke(frame.assign(contract="weekly"))),
                "column": error_of(lambda: client.invoke(frame.rename(columns={"charge": "charges"}))),
                "noKey": error_of(lambda: ScoringServerClient("127.0.0.1", given["port"]).invoke(frame)),
            },
        }
    )
)
