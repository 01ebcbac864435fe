"""Reports: what they say of a plan is true, and the page shows it without help from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.support.graphs import Net, same
from tests.support.learner import SCHEME, learner_graph

from tinyflash.boards import load_board
from tinyflash.boards.firmware import FirmwareSize
from tinyflash.boards.fits import check_fits
from tinyflash.compiler import Compiled, compile_model
from tinyflash.compiler.lower.program import Planned
from tinyflash.compiler.plan import NONE, plan
from tinyflash.show import report
from tinyflash.show.report import learning
from tinyflash.show.report.advice import advise, lower_peak
from tinyflash.show.report.contents import most
from tinyflash.show.report.memory import memories
from tinyflash.show.report.page import CURVE_HEIGHT, HEIGHT, WIDTH, draw
from tinyflash.show.report.timeline import columns, filled, highest
from tinyflash.zoo.published import schemes
from tinyflash.zoo.reference import reference_network

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    graph = reference_network("mcunet-5fps")
    return compile_model(graph, schemes("mcunet-5fps")["49kb"])


@pytest.fixture(scope="module")
def content(compiled: Compiled) -> report.Report:
    return report.make_report(compiled, check_fits(compiled, load_board("qemu_mps2_an500")))


def trained(compiled: Compiled) -> Planned:
    assert compiled.train is not None
    return compiled.train


def plain(compiled: Compiled) -> Planned:
    """Its training step, every operation whole."""
    graph = trained(compiled).graph
    return Planned(graph, plan(graph, streamed=False, effort=NONE))


# ---- Time ----------------------------------------------------------------------------------------


def test_a_plan_without_streaming_has_a_column_per_node(compiled: Compiled) -> None:
    planned = plain(compiled)
    found = columns(planned.graph, planned.plan.calls)
    assert [c.nodes for c in found] == [(i,) for i in range(len(planned.graph.nodes))]
    assert [(c.first, c.last) for c in found] == [(i, i) for i in range(len(found))]


def test_a_streamed_run_is_one_column(compiled: Compiled) -> None:
    planned = trained(compiled)
    found = columns(planned.graph, planned.plan.calls)
    assert [c for column in found for c in range(column.first, column.last + 1)] == list(
        range(len(planned.plan.calls))
    )
    assert sorted(n for c in found for n in c.nodes) == list(range(len(planned.graph.nodes)))
    for column in found:
        called = {planned.plan.calls[i].node for i in range(column.first, column.last + 1)}
        assert called == set(column.nodes)
        assert column.streamed == (column.last > column.first)
    assert any(column.streamed for column in found)


def test_bytes_in_use_are_those_of_the_plan(compiled: Compiled) -> None:
    for planned in (trained(compiled), plain(compiled)):
        curve, order = filled(planned.plan.placements), planned.plan
        assert 0.98 * order.lower_bound <= highest(curve) <= order.arena_bytes
        assert curve[-1][1] == 0
        stored = sum(p.storage.nbytes for p in order.live_at(len(order.calls) - 1))
        assert most(curve, len(order.calls) - 1, len(order.calls)) == stored


def test_storages_that_share_bytes_count_once(compiled: Compiled) -> None:
    first, *_ = trained(compiled).plan.placements
    twin = replace(first, offset=first.offset + 4)
    assert highest(filled([first, twin])) == first.storage.nbytes + 4


# ---- Advice --------------------------------------------------------------------------------------


def test_advice_lowers_the_peak_and_names_what_stands_there(compiled: Compiled) -> None:
    for planned in (plain(compiled), trained(compiled)):
        found = [advice for advice in lower_peak(planned, None) if advice.saved_bytes > 0]
        assert found
        alive = [p.storage.name for p in planned.plan.live_at(planned.plan.peak_step)]
        assert any(name in advice.text for advice in found for name in alive)
        assert all(a.saved_bytes < highest(filled(planned.plan.placements)) for a in found)
    found = list(advise(compiled))
    assert found[0].text.startswith("Feed the input row by row (--rows): its 49,152 bytes")
    assert [a.saved_bytes for a in found] == sorted((a.saved_bytes for a in found), reverse=True)


def test_advice_stops_at_the_other_plan(compiled: Compiled) -> None:
    """Less for training saves nothing where inference needs as much."""
    planned = trained(compiled)
    of_network = "Use a smaller input"
    free, held = lower_peak(planned, None), lower_peak(planned, planned)
    assert any(a.text.startswith(of_network) and a.saved_bytes > 0 for a in held)
    assert all(a.saved_bytes <= 0 for a in held if not a.text.startswith(of_network))
    held = lower_peak(planned, compiled.infer)
    floor = highest(filled(planned.plan.placements)) - highest(
        filled(compiled.infer.plan.placements)
    )
    for one, other in zip(free, held, strict=True):
        if not one.text.startswith(of_network):
            assert other.saved_bytes == min(one.saved_bytes, floor)


@pytest.mark.parametrize("name", ["mcunet-5fps", "learner", "small", "inference"])
def test_advice_on_rows_is_what_rows_bring(compiled: Compiled, name: str) -> None:
    """The plan of `compile --rows`, for training and inference."""
    graphs = {"learner": learner_graph(), "inference": learner_graph()}
    if name == "small":
        net = Net(np.random.default_rng(3))
        x = net.conv2d(net.input((12, 12, 1)), 2, same((12, 12, 1), 3))
        graphs["small"] = net.graph(net.fully_connected(net.reshape(x, (1, 288)), 4))
    scheme = None if name == "inference" else SCHEME
    whole = compiled if name == "mcunet-5fps" else compile_model(graphs[name], scheme)
    prepared = whole.prepared
    rows = compile_model(prepared, row_source=True)
    saved = whole.program.arena_bytes - rows.program.arena_bytes
    advice = [a.saved_bytes for a in advise(whole) if "--rows" in a.text]
    assert advice == ([saved] if saved > 0 else [])
    assert not any("--rows" in advice.text for advice in advise(rows))


def test_advice_about_what_training_keeps(compiled: Compiled) -> None:
    """The backward half of the plan alone: as if the forward maps were streamed away."""
    planned = plain(compiled)
    nodes = [node.op for node in planned.graph.nodes]
    loss = nodes.index("softmax_loss")
    late = tuple(p for p in planned.plan.placements if p.storage.last > loss)
    curve = filled(late)
    step = next(call for call, nbytes in curve if nbytes == highest(curve))
    backward = replace(planned.plan, placements=late, peak_step=step)
    found = [a for a in lower_peak(replace(planned, plan=backward), None) if a.saved_bytes > 0]
    texts = " ".join(advice.text for advice in found)
    assert re.search(r"Freeze b7\.depthwise to b\d+\.\w+ \(\d+ layers\): .* ends at b8", texts)
    assert re.search(r"Train half as many input channels of b\d+\.pointwise1", texts)
    assert all(a.saved_bytes < highest(curve) for a in found)


# ---- The page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects elements by tag, and checks that they nest."""

    VOID = ("meta", "input", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, list[dict[str, str | None]]] = {}
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.setdefault(tag, []).append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.setdefault(tag, []).append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(compiled: Compiled, content: report.Report) -> None:
    text = report.as_html(content)
    page = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    for tags in page.found.values():
        assert not any({"src", "href"} & set(attributes) for attributes in tags)
    assert f"{compiled.program.arena_bytes:,}" in text


def test_the_parts_of_sram_are_all_of_it(content: report.Report) -> None:
    sram, flash = memories(content)
    assert sram.used == content["sram_bytes"] <= (sram.limit or 0)
    assert all(part.nbytes > 0 for part in (*sram.parts, *flash.parts))
    assert f"{sram.used:,} bytes  of {sram.limit:,}" in report.as_text(content)


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


@pytest.fixture(scope="module", params=["mcunet", "linked", "guarded", "infer", "hostless"])
def any_content(request: pytest.FixtureRequest, content: report.Report) -> report.Report:
    """Reports of every kind: with a board, an image, a guard, no training, no board."""
    linked = {"flash_bytes": 500_000, "sram_bytes": content["sram_bytes"], "replay_bytes": 0}
    return {
        "mcunet": lambda: content,
        "linked": lambda: {**content, "linked": linked},
        "guarded": lambda: {
            **content,
            "linked": {**linked, "sram_bytes": linked["sram_bytes"] + 99},
        },
        "infer": lambda: report.make_report(compile_model(learner_graph())),
        "hostless": lambda: report.make_report(compile_model(learner_graph(), SCHEME)),
    }[request.param]()


def test_the_lines_of_the_text_add_up(any_content: report.Report) -> None:
    """Each memory to its total, each part of a part, and the buffers at the peak."""
    text = report.as_text(any_content)
    for memory, total in zip(memories(any_content), ("SRAM", "Flash"), strict=True):
        lines = {
            line.split()[0]: line
            for line in text.splitlines()
            if " bytes" in line and line[0:2] == "  "
        }
        parts = [numbers(lines[part.name])[0] for part in memory.parts if part.nbytes]
        assert sum(parts) == numbers(lines[total])[0] == memory.used
        for name in ("trained", "firmware"):
            if total == "SRAM" and name in lines:
                whole, *inner = numbers(lines[name])
                assert sum(inner) == whole
    found = re.search(r"peak is at .*, with ([\d,]+) bytes in use of ([\d,]+) reserved(.*):", text)
    assert found
    in_use, reserved = numbers(found[1])[0], numbers(found[2])[0]
    shared = sum(numbers(found[3]))
    buffers = [numbers(line)[0] for line in text[found.end() :].splitlines() if " at " in line]
    assert sum(buffers) - shared == in_use <= reserved == any_content["arena_bytes"]


def test_the_figures_of_the_page_add_up(any_content: report.Report) -> None:
    """As a reader adds them: the bars, the buffers of the peak, the layers that are trained."""
    page = report.as_html(any_content)
    for name, bar in zip(("SRAM", "Flash"), page.split('<div class="memory">')[1:], strict=True):
        head = re.search(rf"<h3>{name} <span>(.*?)</span>", bar)
        parts = re.findall(r"<li><i class=\"m-\w+\"></i>\w+ <b>([\d,]+)</b>", bar)
        assert head
        assert parts
        assert sum(numbers(part)[0] for part in parts) == numbers(head[1])[0]
        widths = re.findall(r"width:([\d.]+)%", bar[: bar.index("</ul>")])
        assert sum(map(float, widths)) <= 100.1
        if any_content["limits"] is None or (name == "Flash" and any_content["linked"] is None):
            assert "without" in head[1]
        else:
            assert "without" not in head[1]
    lead = re.search(r"in <b>([\d,]+) bytes</b>\s+of SRAM", page)
    assert lead
    assert numbers(lead[1])[0] == memories(any_content)[0].used
    table = page[page.index('<table id="alive">') : page.index('<p class="note" id="sum">')]
    sizes = [numbers(size)[0] for size in re.findall(r'<td class="n">([\d,]+)</td>', table)]
    told = re.search(r'<p class="note" id="sum">(.*?)</p>', page)
    assert told
    count, in_use, reserved, *shared = numbers(told[1])
    assert count == len(sizes)
    assert sum(sizes) - sum(shared) == in_use <= reserved
    assert f"most in use here: {in_use:,} of {reserved:,} bytes reserved" in page
    if "train" in any_content["plans"]:
        kinds = ("weight_bytes", "bias_bytes")
        sums = [sum(layer[kind] for layer in any_content["trained"]) for kind in kinds]
        assert sums == [any_content[kind] for kind in kinds]
        assert sum(n["trained_bytes"] for n in any_content["network"]) == sum(sums)


def test_the_figures_of_the_json_add_up(any_content: report.Report) -> None:
    for one in any_content["plans"].values():
        assert max(nbytes for _, nbytes in one["filled"]) == one["in_use_bytes"]
        assert one["in_use_bytes"] <= one["arena_bytes"] <= any_content["arena_bytes"]
        assert sum(o["calls"] for o in one["operations"]) == one["calls"]
        assert max(column["filled"] for column in one["columns"]) == one["in_use_bytes"]
    peak = any_content["peak"]
    assert peak["in_use_bytes"] == any_content["plans"][any_content["fuller"]]["in_use_bytes"]
    assert peak["step"] == any_content["plans"][any_content["fuller"]]["peak_call"]
    for ring in any_content["streaming"]["rings"]:
        assert ring["bytes"] * ring["of_rows"] == ring["whole_bytes"] * ring["rows"]


def test_the_flash_of_a_linked_image(content: report.Report) -> None:
    linked = {"flash_bytes": 500_000, "sram_bytes": content["sram_bytes"] + 99, "replay_bytes": 0}
    page = report.as_html({**content, "linked": linked})
    assert "Flash <span>500,000 of " in page
    assert re.search(r"guard <b>99</b>", page)
    assert "known once it is built" not in page
    assert "known once it is built" in report.as_html(content)


def test_a_build_adds_its_image_to_the_report(compiled: Compiled, tmp_path: Path) -> None:
    """Of the board that the report is for, and only to a report that this version wrote."""
    board, other = load_board("qemu_mps2_an500"), load_board("qemu_stm32f405")
    report.write_compilation(compiled, tmp_path, check_fits(compiled, board))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == set(report.compilation())
    size = FirmwareSize(600_123, 93_000, 2048, 700, 0)
    report.add_image(tmp_path, other, size)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    report.add_image(tmp_path, board, size)
    assert "600,123 of " in (tmp_path / "report.html").read_text()
    assert "600,123 bytes  of " in (tmp_path / "report.txt").read_text()
    again = json.loads((tmp_path / "report.json").read_text())
    image = {"flash_bytes": 600_123, "sram_bytes": 93_000, "replay_bytes": 0}
    assert again["linked"] == image
    for damaged in ('{"board": "qemu_mps2_an500"}', "[]", "x"):
        (tmp_path / "report.json").write_text(damaged)
        page = (tmp_path / "report.html").read_bytes()
        report.add_image(tmp_path, board, size)
        assert (tmp_path / "report.json").read_text() == damaged
        assert (tmp_path / "report.html").read_bytes() == page


def test_one_of_a_kind_is_not_several(content: report.Report) -> None:
    streaming = {**content["streaming"], "rings": content["streaming"]["rings"][:1]}
    page = report.as_html({**content, "streaming": streaming})
    assert "<summary>1 ring</summary>" in page
    assert not re.search(r"\b1 (rings|layers|calls|rows|buffers|bytes|channels)\b", page)


def test_text_is_11_pixels_high_or_more_at_every_width(content: report.Report) -> None:
    """In a drawing, a unit is as many pixels as its width, or its least width, gives it."""
    page = report.as_html(content)
    style = page[page.index("<style>") : page.index("@media print")]
    sizes = [float(size) for size in re.findall(r"font(?:-size)?:[^;}]*?([\d.]+)px", style)]
    assert min(sizes) >= 11
    svg = re.search(r"\nsvg {[^}]*min-width: (\d+)px;[^}]*font: (\d+)px", style)
    box = re.search(r'<svg class="map" viewBox="\S+ \S+ ([\d.]+) ', page)
    hint = re.search(r"@media \(max-width: (\d+)px\) { \.swipe:not\(\.narrow\)", style)
    assert svg
    assert box
    assert hint
    least, height = int(svg[1]), int(svg[2])
    assert height * least / float(box[1]) >= 11
    assert not re.search(r"\.(label|axis|peak-text)[^}]*font-size", style)
    beside = 2 * (20 + 1 + 20)  # the paddings of page and section, a border
    assert int(hint[1]) + 1 - beside >= least > int(hint[1]) - 1 - beside
    assert page.count("Swipe or scroll the drawing") == len(content["plans"])
    curve = re.search(r"svg\.learning {[^}]*min-width: (\d+)px;[^}]*font-size: (\d+)px", style)
    hint = re.search(r"@media \(max-width: (\d+)px\) { \.swipe\.narrow", style)
    assert curve
    assert hint
    least, height = int(curve[1]), int(curve[2])
    assert height * least / (learning.WIDTH + 80) >= 11  # as the view box in learning.html
    beside = 2 * (12 + 1 + 16)
    assert int(hint[1]) + 1 - beside >= least > int(hint[1]) - 1 - beside


def test_the_page_shows_every_buffer_in_its_place(
    compiled: Compiled, content: report.Report
) -> None:
    content = content["plans"]["train"]
    drawing = draw("train", content)
    assert len(drawing.boxes) == len(content["buffers"]) == len(trained(compiled).plan.placements)
    for box, buffer in zip(drawing.boxes, content["buffers"], strict=True):
        assert 0 <= box.x < box.x + box.width <= WIDTH + 1e-6
        assert box.y + 1e-6 >= 0
        assert box.y + box.height <= HEIGHT + 1e-6
        assert box.height / HEIGHT == pytest.approx(buffer["bytes"] / content["arena_bytes"])
    levels = [float(point.split(",")[1]) for point in drawing.curve.split()]
    assert min(levels) >= 0
    assert max(levels) == CURVE_HEIGHT


def test_names_cannot_break_the_page(content: report.Report) -> None:
    name = '</script><b title="'
    Page(report.as_html({**content, "model": name}))
    assert name not in report.as_html({**content, "model": name})
    network = [{**layer, "layer": name} for layer in content["network"]]
    assert name not in report.as_html({**content, "network": network})


def test_a_model_that_only_infers_and_no_board() -> None:
    compiled = compile_model(reference_network("mcunet-5fps"))
    text = report.as_html(report.make_report(compiled))
    Page(text)
    assert "without firmware and stack" in text
    assert "What is trained" not in text


def test_the_page_of_a_streamed_plan(compiled: Compiled, content: report.Report) -> None:
    plan = trained(compiled).plan
    page, streaming = Page(report.as_html(content)), content["streaming"]
    every = [c for p in content["plans"].values() for c in p["columns"]]
    drawn = [r for r in page.found["rect"] if r.get("class") == "streamed"]
    assert len(drawn) == sum(len(c["nodes"]) > 1 for c in every) >= len(streaming["runs"]) > 0
    assert {ring["name"]: ring["rows"] for ring in streaming["rings"]} == dict(plan.rings)
    hatched = [r for r in page.found["rect"] if r.get("class") == "over"]
    assert len(hatched) >= len(plan.rings)
    assert streaming["plain_bytes"] > streaming["arena_bytes"] == plan.arena_bytes


def test_the_report_survives_json(content: report.Report) -> None:
    again = json.loads(json.dumps(content))
    assert report.as_html(again) == report.as_html(content)


# ---- A browser -----------------------------------------------------------------------------------

ACTS = """
const tell = [];
const at = (element, type) => {
  const box = element.getBoundingClientRect();
  const place = { bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  element.dispatchEvent(new PointerEvent(type, place));
};
const tip = document.getElementById("tip");
at(document.querySelector(".box"), "pointermove"); tell.push(tip.textContent);
at(document.querySelector(".strip [data-l]"), "pointermove"); tell.push(tip.textContent);
at(document.querySelector("h1"), "pointermove"); tell.push(String(tip.hidden));
const rows = () => [...document.querySelectorAll("#operations tbody tr:not([hidden])")];
tell.push(String(rows().length));
document.querySelector("[data-phase=forward]").click();
const filter = document.getElementById("filter");
filter.value = "b9"; filter.dispatchEvent(new Event("input")); tell.push(String(rows().length));
filter.value = ""; filter.dispatchEvent(new Event("input"));
document.querySelectorAll("#operations th")[5].click(); tell.push(rows()[0].cells[5].textContent);
rows()[0].click(); tell.push(document.getElementById("where").textContent);
document.querySelector("[data-tab=infer]").click();
tell.push(document.querySelector("[data-panel=train]").hidden + "");
at(document.querySelector("[data-panel=infer] svg"), "click");
tell.push(document.getElementById("where").textContent);
document.body.dataset.told = JSON.stringify(tell);
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_the_page_in_a_browser(content: report.Report, tmp_path: Path) -> None:
    text = report.as_html(content)
    path = tmp_path / "report.html"
    path.write_text(text.replace("</body>", f"<script>{ACTS}</script></body>"), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'browser'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    told = re.search(r"data-told=\"([^\"]*)\"", done.stdout)
    assert told, done.stderr[-2000:]
    buffer, layer, hidden, every, some, most, where, changed, moment = json.loads(
        told[1].replace("&quot;", '"').replace("&amp;", "&")
    )
    content = content["plans"]["train"]
    first = content["buffers"][0]
    assert first["name"] in buffer
    assert f"{first['bytes']:,} bytes" in buffer
    assert (first["made_by"] or "given by the caller") in buffer
    assert layer.startswith("first")
    assert hidden == "true"
    operations = content["operations"]
    assert every == str(len(operations))
    later = [o for o in operations if o["phase"] != "forward"]
    assert some == str(sum("b9" in o["layer"] for o in later))
    assert most == f"{max(o['macs'] for o in later):,}"
    assert where.split()[0] in {o["operation"] for o in later}
    assert changed == "true"
    assert moment.split()[0] in {"conv2d", "depthwise", "add"}


SCRIPT = """
from tinyflash.compiler import compile_model
from tinyflash.show.report import as_html, make_report
from tinyflash.zoo.published import schemes
from tinyflash.zoo.reference import reference_network
compiled = compile_model(reference_network("mcunet-5fps"), schemes("mcunet-5fps")["49kb"])
print(as_html(make_report(compiled)))
"""


def test_a_report_is_the_same_from_run_to_run() -> None:
    """Whatever order sets of names have in a process."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("2", "3")  # which order the rings of this network differently
    ]
    assert runs[0] == runs[1]
