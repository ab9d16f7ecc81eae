"""Two graphs of a bundle read one file of weights, which holds what is equal in both, such as word embeddings, once."""

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from nlp_service.inference.bundle import GraphFiles

ALIGNMENT = 64
"""Bytes, as vector instructions like it."""


def share_weights(folder: Path, graph: Path, beside: GraphFiles) -> None:
    """Let `graph`, saved with weights of its own, read those of the graph `beside` it in `folder`.

    What the two do not share is appended to that file, so the other graph still reads what it read.
    """
    file, own_file = folder / beside.weights, graph.with_suffix(".bin")
    shared, own = np.memmap(file, np.uint8, "r"), np.memmap(own_file, np.uint8, "r")
    known: defaultdict[int, set[int]] = defaultdict(set)
    for constant in _constants(ElementTree.parse(folder / beside.graph)):  # noqa: S314 - written by this build
        known[int(constant.attrib["size"])].add(int(constant.attrib["offset"]))
    tree = ElementTree.parse(graph)  # noqa: S314 - likewise
    with file.open("ab") as stream:
        for constant in _constants(tree):
            size, start = int(constant.attrib["size"]), int(constant.attrib["offset"])
            values = own[start : start + size]
            places = (place for place in sorted(known[size]) if np.array_equal(shared[place : place + size], values))
            place = next(places, None)
            if place is None:
                stream.write(bytes(-stream.tell() % ALIGNMENT))
                place = stream.tell()
                stream.write(values.data)
            constant.set("offset", str(place))
    tree.write(graph, encoding="utf-8", xml_declaration=True)
    own_file.unlink()


def _constants(tree: "ElementTree.ElementTree[ElementTree.Element]") -> list[ElementTree.Element]:
    return [data for data in tree.iter("data") if {"offset", "size"} <= set(data.keys())]
