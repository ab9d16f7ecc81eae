"""No telemetry: neither when serving nor when building."""

import subprocess
import sys

PROGRAM = """
import sys
from nlp_service.inference.openvino_import import import_openvino
import_openvino()
import nncf
loaded = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module is not None]
print("loaded:", loaded)
"""


def test_openvino_and_nncf_load_without_their_telemetry() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("loaded: []"), done.stdout + done.stderr
