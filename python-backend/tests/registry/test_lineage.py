"""Ancestry as a graph."""

from __future__ import annotations

from agent_forge.contract.model import Lineage, ModelKind
from agent_forge.contract.recipe import Leaf, MergeNode, MergeOrigin
from agent_forge.registry.lineage import lineage

from .conftest import Shelf, average, draft, drawn, trained


def edges(graph: Lineage) -> set[tuple[str, str, str]]:
    names = {node.id: node.name for node in graph.nodes}
    return {(names[edge.source], names[edge.target], edge.label) for edge in graph.edges}


def test_from_drawn_weights_to_a_champion(shelf: Shelf) -> None:
    foundation = shelf.add(draft("foundation", trained(7), kind=ModelKind.foundation), drawn(7))
    start = Leaf(model_id=foundation.id, digest=foundation.digest)
    parents = [shelf.add(draft(f"s{seed}", trained(seed, start)), drawn(seed)) for seed in (1, 2)]
    inner = average(*parents)
    recipe = MergeNode(op="ties", inputs=[inner, inner], base=start, parameters={"density": 0.2})
    origin = MergeOrigin(run_id="r", candidate_id="c", recipe=recipe)
    champion = shelf.add(draft("champion", origin, kind=ModelKind.merged), drawn(9))

    graph = lineage(champion, shelf.rows.get)
    assert edges(graph) == {
        ("drawn weights", "foundation", "3 training steps"),
        ("foundation", "s1", "3 training steps"),
        ("foundation", "s2", "3 training steps"),
        ("s1", "average", "input 1"),
        ("s2", "average", "input 2"),
        ("average", "ties", "input 1"),
        ("average", "ties", "input 2"),
        ("foundation", "ties", "base"),
        ("ties", "champion", "result"),
    }
    kinds = {node.name: node.kind for node in graph.nodes}
    assert kinds == {
        "drawn weights": "initialization",
        "foundation": "foundation",
        "s1": "specialist",
        "s2": "specialist",
        "average": "op",
        "ties": "op",
        "champion": "merged",
    }
    seen: set[str] = set()
    order = [node.id for node in graph.nodes]
    for edge in graph.edges:
        assert order.index(edge.source) < order.index(edge.target)
        seen |= {edge.source, edge.target}
    assert seen == set(order)
    ties = next(node for node in graph.nodes if node.name == "ties")
    assert ties.detail["parameters"] == {"density": 0.2}


def test_deleted_ancestors_are_shown_as_such(shelf: Shelf) -> None:
    parent = shelf.parent(1)
    child = shelf.merged("m", parent)
    del shelf.rows[parent.id]
    graph = lineage(child, shelf.rows.get)
    assert (graph.nodes[0].kind, graph.nodes[0].model_id) == ("deleted", None)


def test_an_import_stands_alone(shelf: Shelf) -> None:
    graph = lineage(shelf.add(draft("i"), drawn(1)), shelf.rows.get)
    assert (len(graph.nodes), graph.edges) == (1, [])


def test_a_circle_ends(shelf: Shelf) -> None:
    model = shelf.parent(1)
    origin = MergeOrigin(run_id="r", candidate_id="c", recipe=average(model))
    shelf.rows[model.id] = looped = model.model_copy(update={"origin": origin})
    assert len(lineage(looped, shelf.rows.get).nodes) == 2
