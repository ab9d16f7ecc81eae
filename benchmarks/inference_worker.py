"""One runtime in a process of its own, told by lines of JSON on standard input what to encode.

``python benchmarks/inference_worker.py RUNTIME FOLDER THREADS`` imports nothing of this project unless RUNTIME is
``ours``, so it runs in the environment of a peer as well. FOLDER holds the checkpoint of sentence-transformers, for
``ours`` the bundle.

Commands: ``{"time": [[text, …], …], "seconds": s}`` encodes batch after batch, over and over, for about so long, and
answers ``{"texts", "seconds", "cpu"}``; ``{"vectors": [text, …], "to": file}`` writes the vectors as .npy.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

Encode = Callable[[list[str]], Any]
PREFIX = "query: "
PATIENCE = 120
"""Seconds for a batch of infinity-emb."""


def ours(folder: Path, threads: int) -> Encode:
    """The encoder as the service runs it."""
    from nlp_service.inference.encoder import Encoder

    encoder = Encoder.load(folder, threads=threads)
    return lambda texts: encoder.encode(texts)


def pipeline(folder: Path, threads: int) -> Encode:
    """`transformers.pipeline` in float32; pooling is what it has to do beside."""
    import torch
    from transformers import pipeline as make

    torch.set_num_threads(threads)
    run = make("feature-extraction", model=str(folder), tokenizer=str(folder), device="cpu", return_tensors=True)

    def encode(texts: list[str]) -> Any:
        states = run([PREFIX + text for text in texts], batch_size=32, truncation=True)
        return np.stack([one.reshape(-1, one.shape[-1]).mean(0).numpy() for one in states])

    return encode


def sentence_transformers(folder: Path, threads: int, backend: Literal["onnx", "openvino"], file: str) -> Encode:
    """A backend of sentence-transformers; `file` is what its own export and quantisation wrote."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    options: dict[str, Any] = {"file_name": file}
    if backend == "openvino":
        options["ov_config"] = {"INFERENCE_NUM_THREADS": threads}
    if backend == "onnx":
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = threads
        options["session_options"] = session
        options["provider"] = "CPUExecutionProvider"
    model = SentenceTransformer(str(folder), backend=backend, model_kwargs=options, device="cpu")
    return lambda texts: model.encode([PREFIX + text for text in texts], batch_size=32, normalize_embeddings=False)


def infinity(folder: Path, threads: int, engine: Literal["torch", "optimum"]) -> Encode:
    """infinity-emb, in this process, without its HTTP server.

    A failure in one of its threads is answered to nobody, and these threads would keep a failed process from ending.
    """
    import asyncio

    import torch
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    torch.set_num_threads(threads)
    if engine == "optimum":
        _limit_onnxruntime(threads)
        folder = _with_onnx(folder)
    loop = asyncio.new_event_loop()
    made = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=str(folder),
            engine=engine,
            device="cpu",
            pooling_method="mean",
            model_warmup=False,
            lengths_via_tokenize=False,
        )
    )
    loop.run_until_complete(made.astart())

    def encode(texts: list[str]) -> Any:
        try:
            asked = asyncio.wait_for(made.embed(sentences=[PREFIX + text for text in texts]), PATIENCE)
            vectors, _ = loop.run_until_complete(asked)
        except BaseException:
            loop.run_until_complete(made.astop())
            raise
        return np.stack(vectors)

    return encode


def _limit_onnxruntime(threads: int) -> None:
    """Let every session that a library opens use so many threads; infinity-emb has no setting for it."""
    import onnxruntime

    build = onnxruntime.InferenceSession.__init__

    def limited(session: Any, model: Any, sess_options: Any = None, *rest: Any, **named: Any) -> None:
        options = sess_options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        build(session, model, options, *rest, **named)

    onnxruntime.InferenceSession.__init__ = limited


def _with_onnx(folder: Path) -> Path:
    """The checkpoint as ONNX, in a folder of its own: infinity-emb takes whichever file it finds and writes beside."""
    import torch
    from optimum.onnxruntime import ORTModelForFeatureExtraction
    from transformers import AutoTokenizer

    torch.onnx.export = partial(torch.onnx.export, dynamo=False)  # an Optimum of that age reads what no other writes
    made = folder.with_name("infinity")
    ORTModelForFeatureExtraction.from_pretrained(folder, export=True).save_pretrained(made)
    AutoTokenizer.from_pretrained(folder).save_pretrained(made)
    return made


def snownlp(_folder: Path, _threads: int) -> Encode:
    """SnowNLP's sentiment: another model, for what it costs."""
    from snownlp import SnowNLP

    return lambda texts: np.array([[SnowNLP(text).sentiments] for text in texts])


RUNTIMES: dict[str, Callable[[Path, int], Encode]] = {
    "ours": ours,
    "pipeline": pipeline,
    "st-onnx-int8": lambda folder, threads: sentence_transformers(
        folder, threads, "onnx", "onnx/model_qint8_avx512_vnni.onnx"
    ),
    "st-openvino-int8": lambda folder, threads: sentence_transformers(
        folder, threads, "openvino", "openvino/openvino_model.xml"
    ),
    "infinity-torch": lambda folder, threads: infinity(folder, threads, "torch"),
    "infinity-optimum": lambda folder, threads: infinity(folder, threads, "optimum"),
    "snownlp": snownlp,
}


def timed(encode: Encode, batches: list[list[str]], seconds: float) -> dict[str, float]:
    """Batch after batch until the time is over, each at least once."""
    for batch in batches:
        encode(batch)
    started, worked, texts = time.perf_counter(), time.process_time(), 0
    while True:
        for batch in batches:
            encode(batch)
            texts += len(batch)
        passed = time.perf_counter() - started
        if passed >= seconds:
            return {"texts": texts, "seconds": passed, "cpu": time.process_time() - worked}


def main() -> None:
    """Answer commands until the input ends."""
    runtime, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    encode = RUNTIMES[runtime](folder, threads)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "vectors" in command:
            np.save(command["to"], np.concatenate([encode([text]) for text in command["vectors"]]).astype(np.float32))
            answer: dict[str, Any] = {"written": command["to"]}
        else:
            answer = timed(encode, command["time"], command["seconds"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
