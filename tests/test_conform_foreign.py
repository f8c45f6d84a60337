"""Programs in other languages: the example in C holds, and what goes wrong has its sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import isoref
from isoref.cli import main
from isoref.conformance.adapter import METHODS
from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.calls import Failure
from isoref.conformance.foreign import Foreign
from isoref.conformance.run import conform as conformance
from isoref.conformance.spoken import ARGUMENTS, RESULTS, encoded, result
from isoref.conformance.vectors import FOLDER, load
from isoref.layer import Layer
from isoref.network import Network, Tangent
from tests import small_vectors

SOURCE = Path(isoref.__file__).parent / "conformance" / "adapters" / "c" / "isoref_json.c"

PROGRAM = '''
"""The activation of tanh in a few lines, which can go wrong in many ways."""
import json, math, os, sys, time

def spell(x):
    return x.hex() if math.isfinite(x) else "NaN" if x != x else "Infinity"

def activation(profile, a, q):
    rows, n = a["shape"]
    h, g = [], []
    for k in range(rows):
        row = a["data"][k * n : (k + 1) * n]
        r = math.hypot(*row, math.sqrt(q))
        gain = math.tanh(r) / r if r else 1.0
        h += [spell(gain * x) for x in row]
        g += [spell(gain)]
    return {"h": {"shape": [rows, n], "data": h}, "g": {"shape": [rows, 1], "data": g}}

HELLO = {"numerics": {"storage": "float64"}, "profiles": ["tanh"], "methods": ["activation"]}
mode = sys.argv[1]
for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request["id"]}
    if request["method"] == "hello":
        assert request["arguments"] == {"protocol": 1}
        if mode == "mute":
            time.sleep(60)
        answer["result"] = HELLO if mode != "methods" else {**HELLO, "methods": ["jump"]}
        if mode == "shy":
            answer = {"id": request["id"], "error": "go away"}
    else:
        result = activation(**request["arguments"])
        if mode == "end":
            sys.exit("out of luck")
        if mode == "signal":
            os.kill(os.getpid(), 9)
        if mode == "close":
            os.close(1)
            time.sleep(60)
        if mode == "hang":
            time.sleep(60)
        if mode == "text":
            print("computing ...", flush=True)
        if mode == "id":
            answer["id"] += 1
        if mode == "part":
            del result["g"]
        if mode == "data":
            result["h"]["data"] = result["h"]["data"][:-1] + [0.0, 0.0]
        if mode == "null":
            result["g"]["data"] = [None] * result["g"]["shape"][0]
        if mode == "bare":
            result["h"] = [1.0]
        if mode == "word":
            result["g"]["data"] = ["many"] * result["g"]["shape"][0]
        if mode == "shape":
            result["g"]["shape"] = result["g"]["shape"][:1]
        if mode == "list":
            result = [result]
        answer["result"] = result
        if mode == "error":
            answer = {"id": request["id"], "error": "not today"}
        if mode == "once" and not os.path.exists("ended"):
            open("ended", "w").close()
            sys.exit(3)
    print(json.dumps(answer), flush=True)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small_vectors.write(tmp_path / "vectors")
    Path("program.py").write_text(PROGRAM)
    return tmp_path


def conform(mode: str, *words: str) -> int:
    command = f"{sys.executable} program.py {mode}"
    return main(["conform", "--exec", command, "--vectors", "vectors", *words])


FAST = ("--only", "L1.values", "L1.conduct", "--time-limit", "2")


def test_a_right_program_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform("right", "--level", "1") == 0
    out = capsys.readouterr().out
    assert "Foreign" not in out.split("\n\n")[0]
    assert "6 UNSUPPORTED" in out


# What a program can do wrong in a call, with the sentence.
WRONG = {
    "end": "the program ended with exit code 1 without an answer; its last words: out of luck",
    "signal": "activation: the program ended by a signal (Killed) without an answer",
    "close": "activation: the program closed its output without an answer",
    "hang": "activation gave no answer in 0.3 s",
    "text": 'must be a line such as {"id": 2, "result": {…}}, got \'computing ...\'',
    "id": "activation: the answer must have the id of its request, 2, got '3'",
    "part": "activation: the result must have g",
    "data": 'h must be {"shape": [2, 3], "data": [six numbers]}, got ',
    "null": 'g must be made of numbers, "NaN", "Infinity" or hexadecimal ones, got null',
    "bare": 'h must be {"shape": [2, 3], "data": [six numbers]}, got [1.0]',
    "word": 'g must be made of numbers, "NaN", "Infinity" or hexadecimal ones, got \'many\'',
    "shape": "g must have shape (2, 1), got (2,)",
    "list": "activation: the result must be an object, by names",
    "error": "activation answered with an error: not today",
}


@pytest.mark.parametrize("mode", WRONG)
def test_every_wrong_answer_has_its_sentence(
    mode: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = "0.3" if mode == "hang" else "5"
    words = ["--only", "L1.values.tanh.000", "--time-limit", limit]
    assert conform(mode, *words) == 1
    captured = capsys.readouterr()
    assert WRONG[mode] in captured.out
    assert "ERROR  L1.values.tanh.000" in captured.out
    assert "Traceback" not in captured.out + captured.err
    assert f"--exec '{sys.executable} program.py {mode}' --only" in captured.out


def test_a_program_that_ended_is_started_again(folder: Path) -> None:
    with Foreign(f"{sys.executable} program.py once") as program:
        given = (isoref.named("tanh"), np.ones((1, 2)), np.array(0.5))
        with pytest.raises(Failure, match="ended with exit code 3"):
            program.activation(*given)
        h, g = program.activation(*given)
        assert h.shape == (1, 2)
        assert g.shape == (1, 1)


# What stops it before the first test: exit code 2.
STOPPED = {
    "mute": "hello gave no answer in 0.5 s",
    "shy": "hello answered with an error: go away",
    "methods": "hello must name methods, a list of activation, forward",
}


@pytest.mark.parametrize("mode", STOPPED)
def test_programs_that_do_not_say_hello_exit_with_2(
    mode: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conform(mode, "--time-limit", "0.5") == 2
    captured = capsys.readouterr()
    assert STOPPED[mode] in captured.err
    assert captured.out == ""


def test_arguments_and_results_have_names_for_every_method() -> None:
    assert set(ARGUMENTS) == set(RESULTS) == set(METHODS)


def net() -> Network:
    rng = np.random.default_rng(0)
    first = Layer(rng.standard_normal((4, 2, 3)), np.zeros(4), q=0.5, padding=1)
    middle = Layer(
        rng.standard_normal((4, 4, 3)), np.zeros(4), psi=np.ones((4, 3)), q=0.5, padding=1
    )
    last = Layer(rng.standard_normal((2, 4, 1)), np.zeros(2), psi=np.ones((2, 1)))
    return Network([first, middle, last], "relu(tau=0.5)", skips=[(1, 2)])


def test_networks_and_states_survive_the_journey() -> None:
    tree = Tangent.random(net(), seed=1)
    state = {"steps": 3, "moments": {"velocity": tree}}
    given = encoded({"net": net(), "state": state, "space": 1})
    text = json.loads(json.dumps(given, allow_nan=False))
    assert text["net"]["profile"] == "relu"
    assert text["net"]["tau"] == 0.5
    assert text["net"]["skips"] == [[1, 2]]
    assert text["net"]["layers"][0]["padding"] == 1
    assert text["net"]["layers"][0]["psi"] is None
    found, moved = result("step", text, "float64")
    for layer, own in zip(found, net().layers, strict=True):
        for name, array in layer.items():
            assert np.array_equal(array, getattr(own, name))
    assert moved["steps"] == 3
    velocity = moved["moments"]["velocity"][1]
    assert np.array_equal(velocity["psi"], tree.layers[1].psi)


class Travelled:
    """isoref, with every argument and result written as JSON and read again."""

    numerics: ClassVar = {"storage": "float64"}
    profiles = ("tanh",)

    def __getattr__(self, method: str) -> Any:
        if method not in METHODS:
            raise AttributeError(method)
        return lambda *given: self._travelled(method, given)

    def _travelled(self, method: str, given: tuple[Any, ...]) -> Any:
        sent = encoded(dict(zip(ARGUMENTS[method], given, strict=True)))
        read = json.loads(json.dumps(sent, allow_nan=False))
        # What a program reads is what it was sent: compare, then answer from the original.
        assert read == sent
        found = getattr(Adapter(), method)(*given)
        parts = found if len(RESULTS[method]) > 1 else (found,)
        answer = encoded(dict(zip(RESULTS[method], parts, strict=True)))
        return result(method, json.loads(json.dumps(answer, allow_nan=False)), "float64")


def test_every_method_survives_the_journey(folder: Path) -> None:
    only = ["L4", "L5", "L6", "L3.sums", "L2.conduct"]
    outcome = conformance(Travelled, only=only, corpus=load("vectors"))
    assert not outcome.red, outcome.red[0]
    assert {check.level for check in outcome.checks} >= {2, 3}
    assert outcome.passed > 10


@pytest.mark.parametrize("storage", ["float64", "float32"])
def test_numbers_survive_the_journey(storage: str) -> None:
    info = np.finfo(storage)
    values = [0.1, -0.0, info.max, info.smallest_subnormal, np.inf, -np.inf, np.nan, np.pi]
    x = np.array([values], storage)
    text = json.loads(json.dumps({"y": encoded(x)}, allow_nan=False))
    back = result("forward", text, storage)
    assert back.dtype == x.dtype
    assert back.tobytes() == x.tobytes()
    empty = result("forward", {"y": encoded(np.zeros((0, 3), storage))}, storage)
    assert empty.shape == (0, 3)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler, cc")
    program = tmp_path_factory.mktemp("c") / "isoref_json"
    words = ["-O2", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *words, "-o", program, SOURCE, "-lm"], check=True)
    return program


def test_the_example_in_c_holds(
    compiled: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--level", "1-3", "--vectors", "vectors", "--json", "-"]
    assert main(["conform", "--exec", str(compiled), *words]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert facts["info"]["name"] == "isoref_json.c"
    assert facts["passed"] == facts["claimed"] > 100
    judged = {check["id"] for check in facts["checks"] if check["status"] == "PASS"}
    assert judged >= {"L1.values", "L2.values", "L3.activation", "L3.jvp", "L3.backward"}


@pytest.mark.skipif(not (FOLDER / "manifest.json").exists(), reason="no vectors ship yet")
def test_the_example_in_c_holds_for_the_vectors_that_ship(compiled: Path) -> None:
    with Foreign(str(compiled)) as program:
        outcome = conformance(program, levels=[1, 2, 3], only=["L?.values", "L3.*"])
    assert not outcome.red, outcome.red[0]
    assert outcome.code(outcome.least) == 0


def test_the_example_in_c_refuses_what_it_lacks(compiled: Path) -> None:
    requests = [
        {"id": 1, "method": "jump", "arguments": {}},
        {
            "id": 2,
            "method": "activation",
            "arguments": {"profile": "gelu", "a": encoded(np.ones((1, 2))), "q": 0},
        },
        {
            "id": 3,
            "method": "forward",
            "arguments": {"net": encoded(net()), "x": encoded(np.ones((1, 2, 5)))},
        },
        {"id": 4, "method": "forward", "arguments": {}},
        {"id": 5, "method": "hello", "arguments": {}},
    ]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    found = subprocess.run([compiled], input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in found.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.get("error") for answer in answers[:2]] == [
        "there is no such method",
        "the profiles are tanh and softsign",
    ]
    assert "error" in answers[2]
    assert "error" in answers[3]
    assert set(answers[4]["result"]["methods"]) | set(answers[4]["result"]["unsupported"]) == {
        *METHODS,
        "convolution",
        "skip",
    }
