"""Files of others: their values, rates, labels and gaps arrive, damaged ones end in one line.

The files are written by other programs' libraries: soundfile, Pillow, cbor2, json, csv.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.commands import tinyflash

from tinyflash.data import text
from tinyflash.data.dataset import load
from tinyflash.data.intake.audio import read_audio
from tinyflash.data.intake.csvs import read_csv
from tinyflash.data.intake.edge_impulse import read_edge_impulse
from tinyflash.data.intake.files import Intake, files_in, import_files
from tinyflash.data.intake.pictures import read_picture
from tinyflash.data.intake.recorded import compact, recording_name
from tinyflash.data.shards import read
from tinyflash.errors import DataError, TinyflashWarning

VALUES = np.array([[0.1, -2.0], [3.25, 4.0], [1e-7, 5e6]])


def write_csv(path: Path, header: list[str], rows: list[list[Any]], separator: str = ",") -> Path:
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter=separator)
        table.writerows([header, *rows] if header else rows)
    return path


# ---- CSV ----


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_values_and_labels(separator: str, tmp_path: Path) -> None:
    rows = [[*values, label] for values, label in zip(VALUES, ["a", "a", "b, c"], strict=True)]
    path = write_csv(tmp_path / "x.csv", ["ax", "ay", "Activity"], rows, separator)
    found = read_csv(path, rate=20.0)
    assert np.array_equal(found.values, VALUES)
    assert found.labels == ["a", "a", "b, c"]
    assert found.frames.channels == ("ax", "ay")
    assert found.frames.rate == 20.0
    assert found.numbers.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("column", "unit"), [("time", 1.0), ("Timestamp", 1.0), ("time_ms", 1e3), ("us", 1e6)]
)
def test_csv_times_give_the_rate_and_the_gaps(column: str, unit: float, tmp_path: Path) -> None:
    moments = [0, 1, 2, 3, 7, 8, 9, 10, 12]  # of 0.02 s; 4 to 6 and 11 are missing
    rows = [[moment * 0.02 * unit + 5.0, moment] for moment in moments]
    found = read_csv(write_csv(tmp_path / "x.csv", [column, "v"], rows))
    assert found.frames.rate == 50.0
    assert found.numbers.tolist() == moments
    assert found.values[:, 0].tolist() == moments
    assert found.frames.channels == ("v",)


def test_csv_without_a_header_has_numbered_channels(tmp_path: Path) -> None:
    found = read_csv(write_csv(tmp_path / "x.csv", [], [[1, 2], [3, 4]]))
    assert found.frames.channels == ("c0", "c1")
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert found.values.dtype == np.int16
    assert found.labels == ["", ""]


def test_csv_of_spreadsheets_and_loggers(tmp_path: Path) -> None:
    """Decimal commas, times of day across midnight, and an empty column at the end."""
    path = tmp_path / "x.csv"
    clock = ("23:59:59.96", "23:59:59.98", "00:00:00.00", "00:00:00.06", "00:00:00.08")
    rows = "".join(f"{time};{at},5;-1,25;\n" for at, time in enumerate(clock))
    path.write_text(f"Time;a;b;Unnamed: 3\n{rows}")
    found = read_csv(path)
    assert found.frames.channels == ("a", "b")
    assert found.values.tolist() == [[at + 0.5, -1.25] for at in range(5)]
    assert found.frames.rate == 50.0
    assert found.numbers.tolist() == [0, 1, 2, 5, 6]
    path.write_text("timestamp,a\n2026-01-31T23:59:59.5,1\n2026-02-01 00:00:00.0,2\n")
    assert read_csv(path).frames.rate == 2.0
    path.write_text("time,a\n17:10:41,1\n17:xx,2\n")
    with pytest.raises(DataError, match=r"line 3, column time: '17:xx' is no time; write seconds"):
        read_csv(path)


CSV_FAULTS = {
    "": "is empty",
    "a,b\n": "has no row of numbers",
    "a,b\n1,2\n3\n": "line 3: 1 columns instead of 2",
    "a,b,a\n1,2,3\n": "has 2 columns called 'a'; give each a name of its own",
    "time,a,time\n0,2,3\n1,2,3\n": "has 2 columns called 'time'",
    ",a,\n1,2,3\n": "has 2 columns without a name",
    "a,b\n1,2\n3,x\n": "line 3, column b: 'x' is not a number",
    "a,b\n1,nan\n": "line 2, column b: no number",
    "time,label\n1,x\n": "has no column of values",
    "time,v\n1,2\n1,3\n": "the time does not rise from row 1 to row 2",
    "time,v\n0,1\n1,2\n2,3\n1e18,4\n": "row 4 is too far in time from the row before",
}


@pytest.mark.parametrize("content", CSV_FAULTS)
def test_damaged_csv_ends_in_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=CSV_FAULTS[content]) as refusal:
        read_csv(path)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_csv_with_a_name_twice_may_leave_it_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b,a,,\n1,2,3,,\n")
    assert read_csv(path, columns=("b",)).values.tolist() == [[2]]
    with pytest.raises(DataError, match="2 columns called 'a'"):
        read_csv(path, columns=("a", "b"))


def test_csv_that_is_no_text_or_lacks_a_column(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not text; save it as CSV in UTF-8"):
        read_csv(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="has no column 'kind'; it has a, b"):
        read_csv(path, label_column="kind")


@pytest.mark.parametrize("name", ["ts", "DateTime"])
def test_csv_whose_time_is_called_otherwise(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{name},v\n" + "".join(f"2025-08-10 00:04:5{n},{n}\n" for n in range(4)))
    found = read_csv(path)
    assert (found.frames.rate, found.frames.channels) == (1.0, ("v",))


def test_classes_that_differ_in_case_only_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("v,label\n1,Walk\n2,sit\n3,walk\n")
    result = tinyflash("data", "import", path, "--rate", 10, "-o", tmp_path / "set")
    assert result.exit_code == 0
    assert "warning: classes Walk, walk differ in upper and lower case only" in result.stderr
    assert load(tmp_path / "set").classes == ("Walk", "sit", "walk")


def test_csv_of_three_axes_has_no_labels_in_y(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("x,y,z,time\n1,2,3,0\n4,5,6,1\n")
    found = read_csv(path)
    assert found.frames.channels == ("x", "y", "z")
    assert found.labels == ["", ""]
    assert read_csv(path, label_column="y").labels == ["2", "5"]
    path.write_text("a,target\n1,0.5\n2,1\n")  # a measured value, not the name of a class
    assert read_csv(path).frames.channels == ("a", "target")
    path.write_text("a,y\n1,0\n2,1\n")
    assert read_csv(path).labels == ["0", "1"]


@pytest.mark.parametrize("unit", [1e3, 1e6, 1e9])
def test_csv_times_since_1970_in_any_unit(unit: float, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("timestamp,a\n" + "".join(f"{int((1.5e9 + t) * unit)},1\n" for t in range(9)))
    assert read_csv(path).frames.rate == 1.0
    path.write_text("timestamp,a\n1500000000,1\n1500000002,1\n")
    assert read_csv(path).frames.rate == 0.5


def test_csv_with_the_line_ends_of_old_macs(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\r1,2\r3,4\r")
    assert read_csv(path).values.tolist() == [[1, 2], [3, 4]]


# ---- Sound ----

SUBTYPES = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *[("WAV", kind) for kind in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32")],
        *[("FLAC", kind) for kind in ("PCM_S8", "PCM_16", "PCM_24")],
        ("AIFF", "PCM_16"),
    ],
)
def test_sound_keeps_every_number(kind: str, subtype: str, channels: int, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    bits = SUBTYPES[subtype]
    random = np.random.default_rng(bits)
    values = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (500, channels))
    path = tmp_path / f"x.{kind.lower()}"
    soundfile.write(path, (values << (32 - bits)).astype(np.int32), 16000, subtype, format=kind)
    found = read_audio(path)
    assert np.array_equal(found.values, values)
    assert found.frames.rate == 16000
    assert found.frames.scale == 2.0 ** (1 - bits)
    assert found.frames.shape == (channels,)


def test_sound_of_floats(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    values = np.linspace(-1, 1, 100, dtype=np.float32)
    soundfile.write(tmp_path / "x.wav", values, 8000, "FLOAT")
    found = read_audio(tmp_path / "x.wav")
    assert np.array_equal(found.values[:, 0], values)
    assert found.frames.scale == 1.0


def test_damaged_sound_ends_in_one_line(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="is not a whole file of sound: "):
        read_audio(path)
    soundfile.write(path, np.zeros(0), 8000)
    with pytest.raises(DataError, match="has no sound in it"):
        read_audio(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_audio(tmp_path / "absent.wav")


# ---- Pictures ----


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("P", 3), ("1", 1)])
def test_pictures(mode: str, channels: int, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    (tmp_path / "cat").mkdir()
    drawn = Image.fromarray(random.integers(0, 256, (5, 7, 3), np.uint8)).convert(mode)
    path = tmp_path / "cat" / "x.png"
    drawn.save(path)
    found = read_picture(path)
    expected = np.asarray(drawn.convert("L" if channels == 1 else "RGB")).reshape(5, 7, channels)
    assert np.array_equal(found.values, expected[None])
    assert found.labels == ["cat"]
    assert read_picture(path, (4, 3)).values.shape == (1, 3, 4, channels)


def test_damaged_pictures_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("no picture")
    with pytest.raises(DataError, match="is not a picture"):
        read_picture(path)
    Image.new("RGB", (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:70])
    with pytest.raises(DataError, match=r"x\.png"):
        read_picture(path)


# ---- Edge Impulse ----


def payload(values: Any, interval: object = 10) -> dict[str, Any]:
    sensors = [{"name": "accX", "units": "m/s2"}, {"name": "accY", "units": "m/s2"}]
    about = {"device_type": "X", "interval_ms": interval, "sensors": sensors, "values": values}
    return {"protected": {"ver": "v1", "alg": "none"}, "signature": "0", "payload": about}


@pytest.mark.parametrize("kind", ["json", "cbor"])
def test_edge_impulse(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    path = folder / f"wave.3abc.{kind}"
    content = payload(VALUES.tolist())
    if kind == "json":
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(pytest.importorskip("cbor2").dumps(content))
    found = read_edge_impulse(path)
    assert np.array_equal(found.values, VALUES)
    assert found.frames.rate == 100.0
    assert found.frames.channels == ("accX", "accY")
    assert found.frames.units == ("m/s2", "m/s2")
    assert (found.labels, found.part) == (["wave"] * 3, "train")
    entry = {"path": f"training/{path.name}", "category": "testing"}
    label = {"type": "label", "label": "snake"}
    (tmp_path / "info.labels").write_text(json.dumps({"files": [{**entry, "label": label}]}))
    found = read_edge_impulse(path)
    assert (found.labels, found.part) == (["snake"] * 3, "test")


@pytest.mark.parametrize("label", [True, 1, ["a"], {"label": True}])
def test_a_label_of_edge_impulse_is_a_text(label: object, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(payload(VALUES.tolist())))
    entry = {"path": path.name, "category": "testing", "label": label}
    (tmp_path / "info.labels").write_text(json.dumps({"files": [entry]}))
    with pytest.raises(DataError, match=r"info\.labels is not a list of labels"):
        read_edge_impulse(path)


JSON_FAULTS = {
    "{": "is not JSON: ",
    "[]": "is not an Edge Impulse export: it lacks payload",
    "{}": "is not an Edge Impulse export: it lacks payload",
    json.dumps(payload([[1, 2], [3]])): "its values are not rows of numbers of one length",
    json.dumps(payload([[1, 2, 3]])): r"has values of shape \(1, 3\) for 2 sensors",
    json.dumps(payload([])): "has values of shape",
    json.dumps(payload([[1, 2]], "x")): "interval_ms 'x' is not a time",
    json.dumps(payload([[1, 2]], -1)): "interval_ms '-1' is not a time",
    json.dumps(payload([[1, True]])): "its values are not rows of numbers",
    json.dumps(payload([[1, "1"]])): "its values are not rows of numbers",
    json.dumps(payload([[1, None]])): "its values are not rows of numbers",
    json.dumps(payload([[1, float("inf")]])): "has values that are no numbers",
    "[" * 100_000: "is not JSON: ",
}


@pytest.mark.parametrize("content", JSON_FAULTS, ids=lambda text: text[:8])
def test_damaged_json_ends_in_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=JSON_FAULTS[content]) as refusal:
        read_edge_impulse(path)
    assert "\n" not in str(refusal.value)


def test_damaged_cbor_ends_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("cbor2")
    path = tmp_path / "x.cbor"
    for content in (b"\xff", b"\xa1", b"\x81" * 100_000):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.cbor is not"):
            read_edge_impulse(path)


# ---- All of them ----


def test_numbers_take_the_smallest_type_that_holds_them() -> None:
    for values, kind in (([1, -3], np.int16), ([1, 40000], np.int32), ([0.5, 2], np.float32)):
        assert compact(np.array(values, np.float64)).dtype == kind
    assert compact(np.array([0.1])).dtype == np.float64
    assert compact(np.array([1e30])).dtype == np.float64
    assert compact(np.array([2.0**40])).dtype == np.float32


def test_names_of_recordings_are_printable_and_unlike() -> None:
    assert recording_name(Path("a b/Möwe (2).csv"), set()) == "M-we-2"
    assert recording_name(Path("x.csv"), {"x", "x-2"}) == "x-3"
    assert recording_name(Path("...csv"), set()) == "recording"


def test_an_import_adds_to_a_set(tmp_path: Path) -> None:
    for name in ("S1_walk", "S2_walk", "S2_run"):
        write_csv(tmp_path / f"{name}.csv", ["a", "b"], VALUES.tolist())
    intake = Intake(rate=25.0, by_folder=True, subject_pattern=r"(S\d)_", session="one")
    folder = tmp_path / "set"
    paths = files_in([tmp_path])
    text.save(import_files(folder, paths, intake))
    text.save(import_files(folder, paths[:1], Intake(rate=25.0, label="other")))
    dataset = load(folder)
    assert [one.name for one in dataset.recordings] == ["S1_walk", "S2_run", "S2_walk", "S1_walk-2"]
    assert [one.subject for one in dataset.recordings] == ["S1", "S2", "S2", ""]
    assert dataset.classes == (tmp_path.name, "other")
    assert read(dataset, dataset.recordings[3]).labels.tolist() == [1, 1, 1]


def test_a_file_that_cannot_be_read_adds_nothing(tmp_path: Path) -> None:
    good = write_csv(tmp_path / "good.csv", ["a", "b"], VALUES.tolist())
    folder = tmp_path / "set"
    text.save(import_files(folder, [good], Intake()))
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    other = write_csv(tmp_path / "other.csv", ["a", "b", "c"], [[1, 2, 3]])
    slow = write_csv(tmp_path / "slow.csv", ["a", "b", "time"], [[1, 2, 0], [1, 2, 9]])
    torn = tmp_path / "torn.csv"
    torn.write_text("a,b\n1,2\n3,")
    for bad, why in ((other, "channels a, b, c is not"), (torn, "line 3"), (slow, "rate 0.111")):
        with pytest.raises(DataError, match=why):
            import_files(folder, [good, bad], Intake())
        assert before == {path: path.read_bytes() for path in folder.rglob("*.*")}


def test_columns_are_chosen_and_rates_differ_a_little(tmp_path: Path) -> None:
    """As loggers of one kind write them."""
    for name, period, more in (("x", 10, []), ("y", 10.1, ["c"])):
        rows = [[period * t, t, 2 * t, *[5 for _ in more]] for t in range(9)]
        write_csv(tmp_path / f"{name}.csv", ["time_ms", "a", "b", *more], rows)
    dataset = import_files(tmp_path / "set", files_in([tmp_path]), Intake(columns=("b",)))
    assert dataset.frames.channels == ("b",)
    assert dataset.frames.rate == 100.0
    assert read(dataset, dataset.recordings[1]).frames[:, 0].tolist() == list(range(0, 18, 2))
    with pytest.raises(DataError, match="has no column 'd'; it has time_ms, a, b"):
        import_files(tmp_path / "other", files_in([tmp_path]), Intake(columns=("d",)))


def test_a_set_whose_scale_was_edited_takes_more_files(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", ["a"], [[1], [2]])
    text.save(import_files(tmp_path / "set", [path], Intake()))
    listed = tmp_path / "set" / "dataset.toml"
    listed.write_text(listed.read_text().replace("scale = 1.0", "scale = 0.5"))
    other = write_csv(tmp_path / "y.csv", ["a"], [[3]])
    assert import_files(tmp_path / "set", [other], Intake()).frames.scale == 0.5


def test_sources_that_are_missing_or_unknown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        files_in([tmp_path / "absent"])
    with pytest.raises(DataError, match="has no file that a reader knows"):
        files_in([tmp_path])
    (tmp_path / "x.doc").write_text("")
    with pytest.raises(DataError, match=r"has a kind that no reader knows; give \.csv"):
        import_files(tmp_path / "set", [tmp_path / "x.doc"], Intake())
    csv_file = write_csv(tmp_path / "x.csv", ["a"], [[1]])
    for pattern, why in (("(", "--subject-pattern"), ("S(9)", "finds no subject"), ("x", "group")):
        with pytest.raises(DataError, match=why):
            import_files(tmp_path / "set", [csv_file], Intake(subject_pattern=pattern))


def test_many_pictures_share_shards(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        (tmp_path / "all" / kind).mkdir(parents=True)
        for number in range(130):
            value = number + (100 if kind == "dog" else 0)
            picture = Image.new("L", (4, 4), value)
            picture.save(tmp_path / "all" / kind / f"{number:03}.png")
    dataset = import_files(tmp_path / "set", files_in([tmp_path / "all"]), Intake())
    text.save(dataset)
    assert len(dataset.digests) == 2
    assert len(dataset.recordings) == 260
    for one in load(tmp_path / "set").recordings[::37]:
        track = read(dataset, one)
        kind = dataset.classes[track.labels[0]]
        number = int(one.source.split(".")[0])
        assert (track.frames == number + (100 if kind == "dog" else 0)).all()


def test_a_file_that_is_named_twice_is_one_recording(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = write_csv(tmp_path / "in" / "x.csv", ["a"], [[1]])
    (tmp_path / "in" / "link.csv").symlink_to(path)
    assert files_in([path, tmp_path / "in", path]) == [path]


# ---- What a set cannot have ----


def export_of(folder: Path, name: str, label: str, category: str) -> Path:
    """A file of an Edge Impulse export, which info.labels lists."""
    path = folder / category / name
    path.parent.mkdir(parents=True)
    entry = {"path": f"{category}/{name}", "category": category, "label": {"label": label}}
    (folder / "info.labels").write_text(json.dumps({"files": [entry]}))
    return path


def test_sound_and_pictures_of_an_edge_impulse_export_have_its_labels(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    sound = export_of(tmp_path / "a", "noise.3ru1.wav", "noise", "training")
    soundfile.write(sound, np.zeros(8), 16000)
    found = import_files(tmp_path / "sounds", [sound], Intake())
    assert found.classes == ("noise",)
    assert found.splits == {"train": ("noise.3ru1",)}
    picture = export_of(tmp_path / "b", "whisky.5n40.png", "Whisky", "testing")
    Image.new("L", (4, 3)).save(picture)
    found = import_files(tmp_path / "pictures", [picture], Intake())
    assert found.classes == ("Whisky",)
    assert found.splits == {"test": ("whisky.5n40",)}
    moved = picture.rename(tmp_path / "b" / picture.name)
    assert import_files(tmp_path / "moved", [moved], Intake()).classes == ("Whisky",)
    picture = moved.rename(picture)
    found = import_files(tmp_path / "named", [picture], Intake(label="mine"))
    assert found.classes == ("mine",)


def test_pictures_of_more_than_8_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((3, 4), 40000, np.uint16)).save(path)
    with pytest.raises(DataError, match=r"deep.png has more than 8 bits for each channel"):
        read_picture(path)


@pytest.mark.parametrize(
    ("interval", "sensors", "values"),
    [("1e-320", ["a"], [[1]]), ("9" * 400, ["a"], [[1]]), ("10", [], [[], []])],
)
def test_a_set_that_could_not_be_read_is_not_written(
    interval: str, sensors: list[str], values: list[list[int]], tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    names = json.dumps([{"name": name} for name in sensors])
    path.write_text(
        f'{{"payload": {{"interval_ms": {interval}, "sensors": {names}, "values": {values}}}}}'
    )
    with pytest.raises(DataError, match=r"x\.json"):
        import_files(tmp_path / "set", [path], Intake())
    assert not list((tmp_path / "set").glob("*"))


def test_texts_that_utf8_cannot_hold_or_a_terminal_obeys(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    sensors = [{"name": "a\ud800", "units": "\udcff"}]
    content = {"payload": {"interval_ms": 10, "sensors": sensors, "values": [[1], [2]]}}
    path.write_text(json.dumps(content))
    import_files(tmp_path / "set", [path], Intake())
    assert load(tmp_path / "set").frames.channels == ("a?",)
    path = write_csv(tmp_path / "x.csv", ["v", "label"], [[1, "a\x1b[31m\n"]])
    found = import_files(tmp_path / "other", [path], Intake(subject="\x7f"))
    assert found.classes == ("a?[31m",)
    assert found.recordings[0].subject == "?"


def test_numbers_that_no_network_holds(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ["time", "ax"], [[0, 1], [0.01, 1e39]])
    with pytest.raises(DataError, match=r"line 3, column ax: 1e\+39 is beyond 3\.4e\+38"):
        read_csv(path)
    (tmp_path / "a.json").write_text(json.dumps(payload([[1, -1e39]])))
    with pytest.raises(DataError, match=r"values beyond 3\.4e\+38"):
        read_edge_impulse(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_of_a_table_is_no_channel(tmp_path: Path, name: str) -> None:
    """As pandas.DataFrame.to_csv writes it: it would tell a network how far a recording is."""
    (tmp_path / "x.csv").write_text(f"{name},a\n7,0.5\n8,0.25\n9,0\n")
    with pytest.warns(TinyflashWarning, match="counts the rows"):
        assert read_csv(tmp_path / "x.csv", 50.0).frames.channels == ("a",)
    (tmp_path / "x.csv").write_text(f"{name},a\n7,0.5\n9,0.25\n11,0\n")
    assert read_csv(tmp_path / "x.csv", 50.0).frames.shape == (2,)


def test_a_rate_that_the_times_contradict_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,a\n0,1\n1,2\n2,3\n")
    with pytest.warns(TinyflashWarning, match="its times say 1 frames per second, not 50"):
        assert read_csv(tmp_path / "x.csv", 50.0).frames.rate == 50
