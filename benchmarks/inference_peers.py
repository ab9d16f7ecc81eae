"""Writes the checkpoint that every peer loads, and lets sentence-transformers quantise it its own way.

``PEER_PYTHON benchmarks/inference_peers.py CHECKPOINT TEXTS.txt`` runs where sentence-transformers has its ONNX and
OpenVINO extras, which need older versions of libraries than this project. TEXTS calibrate the static quantisation.
"""

import sys
from pathlib import Path


def main() -> None:
    """Export and quantise for both backends, into the folder of the checkpoint."""
    import openvino
    from optimum.intel import OVModelForFeatureExtraction, OVQuantizationConfig, OVQuantizer
    from sentence_transformers import SentenceTransformer, export_dynamic_quantized_onnx_model
    from transformers import AutoTokenizer

    folder, texts = Path(sys.argv[1]), Path(sys.argv[2]).read_text("utf-8").splitlines()
    onnx = SentenceTransformer(str(folder), backend="onnx", model_kwargs={"export": True}, device="cpu")
    onnx.save_pretrained(str(folder))
    export_dynamic_quantized_onnx_model(onnx, "avx512_vnni", str(folder))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = OVModelForFeatureExtraction.from_pretrained(folder, export=True, compile=False)
    import datasets

    lines = datasets.Dataset.from_dict({"text": texts})
    encoded = lines.map(
        lambda row: tokenizer("query: " + row["text"], padding="max_length", max_length=64, truncation=True),
        remove_columns=["text"],
    )
    OVQuantizer(model).quantize(
        ov_config=_static(OVQuantizationConfig),
        calibration_dataset=encoded,
        save_directory=folder / "openvino",
    )
    print(openvino.get_version())


def _static(config: type) -> object:
    from optimum.intel import OVConfig

    return OVConfig(quantization_config=config())


if __name__ == "__main__":
    main()
