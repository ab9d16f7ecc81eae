"""OpenVINO without its telemetry.

Unless a user opted out by hand, `openvino` and `nncf` report conversions to a foreign server, through the package
`openvino_telemetry`. Both work without it, so it is made unavailable before they are imported.
"""

import sys
from types import ModuleType


def import_openvino() -> ModuleType:
    """Return the `openvino` module; call this before anything else imports it or `nncf`."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # makes `import openvino_telemetry` fail
    import openvino

    return openvino  # type: ignore[no-any-return]
