"""`isoref conform`: the exit code and the sentence for every way in which a run can end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isoref.cli import main
from tests import small_vectors

BASE = """
import time
import numpy as np
from isoref.conformance.adapters.reference import Adapter as Right

class Adapter(Right):
    profiles = ("tanh",)
"""

Run = Any
"""(code, standard output, standard error) of words on the command line."""


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("vectors")
    small_vectors.write(folder)
    return str(folder)


@pytest.fixture
def run(
    vectors: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def of(*words: str, body: str | None = None) -> tuple[int, str, str]:
        if body is not None:
            lines = [f"    {line}" if line else "" for line in body.splitlines()]
            Path("mine.py").write_text(BASE + "\n".join(lines) + "\n")
            words = ("mine.py:Adapter", *words)
        chosen = words if "--vectors" in words else (*words, "--vectors", vectors)
        try:
            code = main(["conform", *chosen])
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return of


def test_a_right_implementation_holds(run: Run) -> None:
    code, out, err = run("--level", "1-3", body="")
    assert code == 0
    assert err == ""
    assert "passed 3 of 3" not in out
    assert "L3.backward" in out
    assert out.rstrip().endswith("holds")
    assert "precision float64, products claimed auto, measured W h 53 bits" in out
    lines = [line for line in out.splitlines() if line.startswith("passed ")]
    assert [line.split()[-1] for line in lines] == ["claimed", "all"]


# What a call can do wrong: the body of an adapter, the level, and the status and sentence.
WRONG = {
    "raises": (
        "def forward(self, net, x):\n    raise RuntimeError('no kernel')",
        "2",
        "ERROR",
        "forward raised RuntimeError: no kernel",
    ),
    "exits": (
        "def forward(self, net, x):\n    raise SystemExit(0)",
        "2",
        "ERROR",
        "forward raised SystemExit: 0",
    ),
    "type": (
        "def forward(self, net, x):\n    return super().forward(net, x).tolist()",
        "2",
        "ERROR",
        "y must be a NumPy array of float64, got list",
    ),
    "shape": (
        "def forward(self, net, x):\n    return super().forward(net, x)[:, :1]",
        "2",
        "ERROR",
        "y must have shape (4, 2), got (4, 1)",
    ),
    "dtype": (
        "def forward(self, net, x):\n    return super().forward(net, x).astype('float32')",
        "2",
        "ERROR",
        "y must keep the dtype float64, got float32",
    ),
    "parts": (
        "def activation(self, profile, a, q):\n    return super().activation(profile, a, q)[0]",
        "1",
        "ERROR",
        "activation must return a tuple of 2, got ndarray",
    ),
    "layers": (
        "def backward(self, net, x, ybar):\n    return [], x",
        "3",
        "ERROR",
        "gradient must be shaped like the network",
    ),
    "odd layers": (
        "def backward(self, net, x, ybar):\n    return [None] * len(net.layers), x",
        "3",
        "ERROR",
        "gradient[0].weight is missing; the layer is a NoneType",
    ),
    "odd names": (
        "def backward(self, net, x, ybar):\n    return [{'weight.grad': 0} for _ in net.layers], x",
        "3",
        "ERROR",
        "gradient[0].weight is missing; there is weight.grad",
    ),
    "tensor": (
        "class Tensor: pass\ndef forward(self, net, x):\n    return self.Tensor()",
        "2",
        "ERROR",
        "y must be a NumPy array of float64, got Tensor; return y.detach().cpu().numpy()",
    ),
    "nan": (
        "def forward(self, net, x):\n    return super().forward(net, x) * np.nan",
        "2",
        "FAIL",
        ": ρ = ∞\n",
    ),
    "writes": (
        "def forward(self, net, x):\n    x *= 2\n    return super().forward(net, x)",
        "2",
        "ERROR",
        "forward wrote to its arguments; it must copy them",
    ),
    "writes parameters": (
        "def forward(self, net, x):\n    net.layers[0].weight[0] = 0",
        "2",
        "ERROR",
        "forward raised ValueError: assignment destination is read-only (mine.py, line ",
    ),
    "keeps state": (
        "mean = 0.0\n"
        "def forward(self, net, x):\n"
        "    self.mean = 0.9 * self.mean + 0.1 * float(x.sum())\n"
        "    return super().forward(net, x) + self.mean",
        "2",
        "FAIL",
        "a second call with the same arguments gives another answer",
    ),
    "answers differently": (
        "calls = 0\n"
        "def activation(self, profile, a, q):\n"
        "    self.calls += 1\n"
        "    h, g = super().activation(profile, a, q)\n"
        "    return h * (1 + 2e-16 * (self.calls % 2)), g",
        "1",
        "FAIL",
        "a second call with the same arguments gives another answer",
    ),
    "is missing": ("jvp = None", "3", "MISSING", "the adapter has no jvp; write it, or declare it"),
}

ONLY = {
    "1": ("L1.values", "L1.conduct"),
    "2": ("L2.values", "L2.conduct"),
    "3": ("L3.jvp", "L3.backward"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_answer_has_its_sentence(name: str, run: Run) -> None:
    body, level, status, sentence = WRONG[name]
    code, out, err = run("--level", level, "--only", *ONLY[level], body=body)
    assert code == 1
    assert sentence in out
    assert any(line.startswith(f"{status}  L{level}.") for line in out.splitlines())
    assert "Traceback" not in out + err


def test_a_call_that_hangs_is_given_up(run: Run) -> None:
    body = (
        "def forward(self, *given):\n    time.sleep(30)\n"
        "def backward(self, *given):\n    time.sleep(30)\n"
    )
    code, out, _ = run("--level", "2-3", "--time-limit", "0.1", body=body)
    assert code == 1
    assert "forward gave no answer in 0.1 s" in out
    assert "3 calls gave no answer: no more are made" in out
    assert "passed 0 of" in out
    assert "--time-limit 0.1" in out  # it belongs to the line that repeats


# Degenerate adapters earn nothing: zeros, the identity, NaN.
DEGENERATE = {
    "zeros": "h * 0, g * 0",
    "identity": "a, np.ones_like(g)",
    "nan": "h * np.nan, g * np.nan",
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_activations_are_red(name: str, run: Run) -> None:
    body = (
        "def activation(self, profile, a, q):\n"
        "    h, g = super().activation(profile, a, q)\n"
        f"    return {DEGENERATE[name]}\n"
    )
    code, out, _ = run("--level", "1", "--only", "L1.values", body=body)
    assert code == 1
    assert "passed 0 of 3 claimed" in out


@pytest.mark.parametrize("factor", ["0", "np.nan"])
def test_degenerate_networks_are_red(factor: str, run: Run) -> None:
    body = (
        f"def forward(self, net, x):\n    return super().forward(net, x) * {factor}\n"
        "def jvp(self, *given):\n"
        f"    return tuple({factor} * v for v in super().jvp(*given))\n"
        "def backward(self, *given):\n"
        "    gradient, xbar = super().backward(*given)\n"
        f"    return gradient * float({factor}), xbar * {factor}\n"
        "def activation_vjp(self, *given):\n"
        f"    return tuple({factor} * v for v in super().activation_vjp(*given))\n"
    )
    only = ["L2.values", "L3.activation", "L3.jacobian", "L3.jvp", "L3.backward"]
    code, out, _ = run("--only", *only, body=body)
    assert code == 1
    assert "passed 0 of 15 claimed" in out


def test_what_depends_on_a_failure_is_blocked_and_names_the_first(run: Run) -> None:
    body = (
        "def activation_vjp(self, *given):\n"
        "    return tuple(2 * v for v in super().activation_vjp(*given))\n"
    )
    code, out, _ = run("--level", "1-3", body=body)
    assert code == 1
    (line,) = (line for line in out.splitlines() if " --only " in line and "L3.sums" in line)
    assert "L3.sums.tanh" in line
    sentences = {line.strip() for line in out.splitlines() if "mend that first" in line}
    assert sentences == {"L3.activation fails for tanh: mend that first"}
    last = out.rstrip().splitlines()[-1]
    assert last.startswith("begin with isoref conform mine.py:Adapter --only L3.activation.tanh")


def test_the_line_that_repeats_a_failure_repeats_it(run: Run) -> None:
    body = (
        "def forward(self, net, x):\n"
        "    return super().forward(net, x) * (1 + 1e-9 * (len(net.layers) == 3))"
    )
    _, out, _ = run("--level", "2", "--seed", "5", body=body)
    lines = out.splitlines()
    k = next(i for i, line in enumerate(lines) if line.startswith("FAIL  L2.values"))
    words = shlex.split(lines[k + 2])
    assert words[:2] == ["isoref", "conform"]
    code, again, _ = run(*words[2:])
    assert code == 1
    assert lines[k + 1] in again.splitlines()
    assert "passed 0 of 1 claimed" in again


# Usage: sentences on standard error, exit code 2, nothing on standard output.
USAGE = {
    "no file": (["nowhere.py:Adapter"], "there is no file nowhere.py"),
    "no module": (["nowhere.at.all:Adapter"], "No module named 'nowhere'"),
    "no class": (["mine.py:Other"], "mine.py has no Other; it has the classes Right, Adapter"),
    "form": (["mine.py"], "TARGET must be package.module:Adapter or path/file.py:Adapter"),
    "nothing": ([], "give TARGET or --exec COMMAND"),
    "both": (["mine.py:Adapter", "--exec", "./p"], "give TARGET or --exec COMMAND"),
    "level": (["mine.py:Adapter", "--level", "7"], "must be a level 1 … 6"),
    "order": (["mine.py:Adapter", "--level", "3-1"], "must be a level 1 … 6"),
    "only": (["mine.py:Adapter", "--only", "L1.vaules"], "--only L1.vaules names no test"),
    "folder": (["mine.py:Adapter", "--html", "no/report.html"], "--html: there is no folder no"),
    "time": (["mine.py:Adapter", "--time-limit", "0"], "must be a number of seconds above 0"),
    "xfail": (["mine.py:Adapter", "--xfail", "none.txt"], "none.txt cannot be read"),
    "program": (["--exec", "./none"], "'./none' cannot be started: No such file or directory"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_exits_with_2(name: str, run: Run) -> None:
    words, sentence = USAGE[name]
    Path("mine.py").write_text(BASE)
    code, out, err = run(*words, "--only", "L1.conduct") if name != "only" else run(*words)
    assert code == 2
    assert sentence in err
    assert out == ""
    assert "Traceback" not in err


# Modules and classes that cannot be used.
BROKEN = {
    "raises": ("raise RuntimeError('no driver')", "RuntimeError: no driver"),
    "syntax": ("def (:", "SyntaxError: invalid syntax"),
    "exit": ("raise SystemExit(0)", "mine.py cannot be imported: SystemExit: 0"),
    "constructor": (
        "class Adapter:\n    def __init__(self):\n        raise OSError('no GPU')",
        "Adapter() raised OSError: no GPU",
    ),
    "arguments": (
        "class Adapter:\n    def __init__(self, path):\n        pass",
        "an adapter is a class without arguments, or an instance",
    ),
    "numerics": ("class Adapter:\n    numerics = {'storage': 'half'}", "numerics['storage'] must"),
    "profiles": ("class Adapter:\n    profiles = 5", "profiles must be a tuple of names"),
    "unknown profile": ("class Adapter:\n    profiles = ('selu',)", "got selu"),
    "unsupported": ("class Adapter:\n    unsupported = {'jump': ''}", "got jump"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_adapters_that_cannot_be_used_exit_with_2(name: str, run: Run) -> None:
    text, sentence = BROKEN[name]
    Path("mine.py").write_text(text)
    code, out, err = run("mine.py:Adapter")
    assert code == 2
    assert sentence in err
    assert out == ""
    assert "Traceback" not in err
    assert "Traceback" in run("mine.py:Adapter", "--trace")[2]


def test_an_adapter_may_import_what_lies_beside_it(run: Run) -> None:
    Path("part").mkdir()
    Path("part/beside_it.py").write_text("profiles = ('tanh',)")
    Path("part/mine.py").write_text(BASE + "    from beside_it import profiles\n")
    assert run("part/mine.py:Adapter", "--only", "L1.conduct")[0] == 0


def test_tracebacks_are_shown_when_asked_for(run: Run) -> None:
    body = "def forward(self, net, x):\n    raise RuntimeError('no kernel')"
    _, out, _ = run("--level", "2", "--trace", body=body)
    assert "| Traceback (most recent call last):" in out
    assert 'mine.py"' in out


# Too little tested, or other vectors: exit code 3.


def test_too_few_tests_are_no_success(run: Run) -> None:
    code, out, _ = run("--level", "1", "--min-tests", "10000", body="")
    assert code == 3
    assert "at least 10000 must be" in out
    code, out, _ = run("--level", "1", body="unsupported = {'activation': 'none'}\nactivation = 0")
    assert code == 3
    assert "too little was tested: 0 tests were executed, at least 1 must be" in out


def test_damaged_vectors_are_no_success(run: Run, vectors: str) -> None:
    content = Path(vectors, "small.npz").read_bytes()
    Path("vectors").mkdir()
    manifest = Path(vectors, "manifest.json").read_bytes()
    Path("vectors/manifest.json").write_bytes(manifest)
    Path("vectors/small.npz").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code, out, err = run("--vectors", "vectors", body="")
    assert (code, out) == (3, "")
    assert "must have the sha256" in err
    code, _, err = run("--corpus-hash", "0123", body="")
    assert code == 3
    assert "the vectors must have the hash '0123'" in err
    text = json.loads(manifest)
    assert text["format"] == "isoref-vectors"


def test_the_hash_of_the_vectors_may_be_demanded(run: Run) -> None:
    _, out, _ = run("--only", "L1.conduct", body="")
    found = next(line for line in out.splitlines() if line.startswith("vectors ")).split()[1]
    assert run("--only", "L1.conduct", "--corpus-hash", found.rstrip(","), body="")[0] == 0


def test_progress_is_for_terminals_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--only", "L1.conduct", body="")[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    err = run("--only", "L1.conduct", body="")[2]
    assert "[1/" in err
    assert "L1.values" in err
    assert err.endswith("\r\x1b[K")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_reports_what_was_found(vectors: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        BASE.replace("import time", "import os, signal, time")
        + "    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it\n"
        "    calls = 0\n"
        "    def activation(self, *given):\n"
        "        self.calls += 1\n"
        "        if self.calls == 5:\n"
        f"            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "            time.sleep(5)\n"
        "        return super().activation(*given)\n"
    )
    words = ["--level", "1", "--vectors", vectors, "--json", "-"]
    found = subprocess.run(
        [sys.executable, "-m", "isoref", "conform", str(tmp_path / "mine.py:Adapter"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert found.returncode == 130, found.stderr
    assert "Traceback" not in found.stderr
    report = json.loads(found.stdout)
    assert report["verdict"] == "interrupted"
    assert report["counts"]["PASS"] >= 3
    assert report["counts"]["NOTRUN"] > 10
