"""What is dropped from ONNX files, and what must stay."""

import onnx
from onnx import TensorProto, helper

from mirtrim.deploy.onnx_tidy import drop_unread_constants, reads, shorten_names, strip


def model(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [1.0]) for n in ("used", "unread")]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "made/somewhere",
            [value("x", TensorProto.FLOAT, [1])],
            [value("y", TensorProto.FLOAT, [1])],
            constants,
            value_info=[value("inner", TensorProto.FLOAT, [1])],
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("somebody", 1)],
        ir_version=8,
        producer_name="maker",
        producer_version="1.2",
        doc_string="told",
    )


def chain() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Add", ["x", "used"], ["inner"], name="first", doc_string="a.py:3"),
        helper.make_node("Clip", ["inner", "", "used", ""], ["y"], name="second"),
    ]


def choice() -> onnx.NodeProto:
    """A node whose branches read a constant of the outer graph."""
    branches = [
        helper.make_graph(
            [helper.make_node("Add", ["x", "used"], [out])],
            "branch",
            [],
            [helper.make_tensor_value_info(out, TensorProto.FLOAT, [1])],
        )
        for out in ("one", "other")
    ]
    return helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])


def test_strip() -> None:
    stripped = model(*chain())
    stripped.metadata_props.add(key="k", value="v")
    strip(stripped)
    assert (stripped.producer_name, stripped.producer_version) == ("mirtrim", "")
    assert [opset.domain for opset in stripped.opset_import] == [""]
    assert [list(node.input) for node in stripped.graph.node] == [
        ["x", "used"],
        ["inner", "", "used"],
    ]
    content = stripped.SerializeToString()
    assert not [word for word in (b"maker", b"told", b"a.py", b"somewhere") if word in content]
    assert not stripped.metadata_props
    assert not stripped.graph.value_info


def test_unread_constants() -> None:
    for nodes in (chain(), [choice()]):
        graph = model(*nodes).graph
        drop_unread_constants(graph)
        assert [tensor.name for tensor in graph.initializer] == ["used"]


def test_reads() -> None:
    assert list(reads(model(*chain()).graph)) == ["y", "x", "used", "inner", "", "used", ""]
    assert sorted(reads(model(choice()).graph)) == sorted(
        ["y", "c", "one", "x", "used", "other", "x", "used"]
    )


def test_short_names() -> None:
    graph = model(*chain()).graph
    shorten_names(graph)
    (first, second) = graph.node
    assert (list(first.input), list(first.output)) == (["x", "t3"], ["t4"])
    assert (list(second.input), list(second.output)) == (["t4", "", "t3", ""], ["y"])
    assert (first.name, second.name) == ("", "")
    assert graph.initializer[0].name == "t3"


def test_names_that_inner_graphs_read_stay() -> None:
    graph = model(choice()).graph
    before = graph.SerializeToString()
    shorten_names(graph)
    assert graph.SerializeToString() == before
