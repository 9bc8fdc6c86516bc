"""A model opened, run and optimised in a process of its own.

Whatever a hostile or broken file does to ONNX Runtime (a crash, an endless loop, all the memory) ends this
process and becomes a reason to refuse the file; the function lives on and says so.

`python -m coldpress.ingest.trial` reads a task from standard input and writes its result to a file.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coldpress import warmup
from coldpress.errors import ColdpressError, Unavailable
from coldpress.ingest import optimise, warmups
from coldpress.ingest.refusal import Refused
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor
from coldpress.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coldpress import ort

MODEL, RESULT = "model.onnx", "trial.json"
MAX_WARMUP_BYTES = 16384
"""Longest warm-up request kept with its data: every cold request reads it."""
PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2): the signal to get when the parent ends."""
GIVE_ONE = (
    "add the metadata coldpress.warmup, a request that it can answer: "
    '{"inputs": [{"name", "shape", "datatype", "data"}]}'
)


class Trial:
    """One model under trial: `model.onnx` in a folder; beside it the optimised form, if it may be served."""

    def __init__(self, folder: str, settings: Settings, deadline: float) -> None:
        """`deadline` is in `time.monotonic` seconds."""
        from coldpress import ort

        self._model = f"{folder}/{MODEL}"
        self._optimised = f"{folder}/{optimise.name_for(Path(self._model).stat().st_size)}"
        self._settings = settings
        self._deadline = deadline
        self._threads = settings.threads or threads_for(settings.memory_mb)
        self._library = ort.Library.open(ort.library_path(settings.ort_library))
        self._notes: list[str] = []
        self._ms: dict[str, float] = {}

    def run(self, given: dict[str, Any] | None) -> dict[str, Any]:
        """Tries everything; what a manifest needs to know. `given` is the model's own warm-up request.

        Raises:
            Refused: it does not load, or does not run where it must.
        """
        with self._open() as session:
            at = time.perf_counter()
            request, tensors, outputs = self._warm_up(session, given)
            at = self._lap("run", at)
            questions: list[Sequence[Tensor]] = [] if tensors is None else [tensors, warmups.noise(tensors)]
            expected = self._ask(session, questions)
            repeats = self._ask(session, questions) == expected
            result = {
                "runtime": self._library.version,
                "inputs": [_declared(spec, outputs=None) for spec in session.inputs],
                "outputs": [_declared(part, outputs) for spec in session.outputs for part in spec.answered()],
            }
        if not questions:
            why = "no warm-up request ran, so the optimised form cannot be compared"
        elif not repeats:
            why = "its answers differ from run to run, so the optimised form cannot be compared"
        else:
            why = optimise.verified(
                self._library,
                self._model,
                self._optimised,
                self._threads,
                expected,
                lambda session: self._ask(session, questions),
            )
        self._lap("optimise", at)
        if why:
            self._notes.append(f"served from the portable file: {why}")
            Path(self._optimised).unlink(missing_ok=True)
        cpu = [] if why else list(optimise.cpu_features(self._optimised))
        return result | {
            "warmup": request,
            "optimised": "" if why else Path(self._optimised).name,
            "cpu": cpu,
            "notes": self._notes,
            "ms": self._ms,
        }

    def _open(self) -> "ort.Session":
        from coldpress import ort

        at = time.perf_counter()
        try:
            session = ort.Session.open(self._library, self._model, ort.SessionOptions(threads=self._threads))
        except ort.OrtError as error:
            raise Refused(_in_plain_words(error, self._library.version)) from None
        self._lap("open", at)
        for spec in session.inputs:
            if spec.kind not in ("tensor", "optional"):
                raise Refused(
                    f"input {spec.name!r} is a {spec.kind}, and only tensors can be sent; "
                    "wrap the model so that it takes tensors"
                )
            if spec.datatype not in DATATYPES:
                raise Refused(
                    f"input {spec.name!r} is {spec.datatype}, which no client can send; "
                    f"cast it inside the model from one of {', '.join(DATATYPES)}"
                )
        return session

    def _warm_up(
        self, session: "ort.Session", given: dict[str, Any] | None
    ) -> tuple[dict[str, Any] | None, list["Tensor"] | None, list["Tensor"]]:
        """The request for the manifest, its tensors and their answer; None for what there is not."""
        if given is not None:
            try:
                tensors = warmup.tensors_of(given, self._settings)
                outputs = self._answer(session, tensors)
            except Unavailable:
                raise
            except ColdpressError as error:
                raise Refused(
                    "it does not answer its own warm-up request (metadata coldpress.warmup): "
                    + _first_line(error)
                ) from None
            return self._kept(session, given, tensors), tensors, outputs
        reason = ""
        for request in warmups.candidates(session.inputs):
            try:
                tensors = warmup.tensors_of(request, self._settings) if session.inputs else []
                return request if tensors else None, tensors, self._answer(session, tensors)
            except Unavailable:
                raise
            except ColdpressError as error:
                reason = reason or _first_line(error)
        if warmups.is_variable(session.inputs):
            self._notes.append("not warmed up: no input of zeros that was tried ran; " + GIVE_ONE)
            return None, None, []
        raise Refused(f"it does not run on zeros of its declared shapes: {reason}. {GIVE_ONE}")

    def _kept(
        self, session: "ort.Session", given: dict[str, Any], tensors: list["Tensor"]
    ) -> dict[str, Any] | None:
        """The model's own request; without its data when that is long and zeros run as well."""
        if len(json.dumps(given)) <= MAX_WARMUP_BYTES:
            return given
        shapes = {
            "inputs": [{"name": t.name, "shape": list(t.shape), "datatype": t.datatype} for t in tensors]
        }
        long = f"its warm-up request is longer than {MAX_WARMUP_BYTES} bytes"
        try:
            self._answer(session, warmup.tensors_of(shapes, self._settings))
        except Unavailable:
            raise
        except ColdpressError:
            self._notes.append(f"not warmed up: {long}")
            return None
        self._notes.append(f"warmed up with zeros: {long}")
        return shapes

    def _ask(self, session: "ort.Session", questions: "list[Sequence[Tensor]]") -> optimise.Answers:
        """The answers; none where the model refuses the question, as noise may be out of its range."""
        answers: optimise.Answers = []
        for question in questions:
            try:
                answers.append(self._answer(session, question))
            except Unavailable:
                raise
            except ColdpressError:
                answers.append([])
        return answers

    def _answer(self, session: "ort.Session", tensors: "Sequence[Tensor]") -> list["Tensor"]:
        # Copied: an output that is kept would keep its whole session in memory.
        return [
            Tensor(t.name, t.datatype, t.shape, t.data if isinstance(t.data, list) else bytes(t.data))
            for t in session.run(tensors, deadline=self._deadline)
        ]

    def _lap(self, stage: str, since: float) -> float:
        now = time.perf_counter()
        self._ms[stage] = round((now - since) * 1000, 1)
        return now


def _declared(spec: "ort.TensorSpec", outputs: "list[Tensor] | None") -> dict[str, Any]:
    """An input or output for the manifest; an output of undeclared rank has the one it answered with."""
    shape = list(spec.shape)
    if not spec.ranked:
        seen = [len(tensor.shape) for tensor in outputs or () if tensor.name == spec.name]
        shape = [-1] * (seen[0] if seen else 1)
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape}


def _in_plain_words(error: "ort.OrtError", version: str) -> str:
    plain = {
        "INVALID_PROTOBUF": "the file is damaged",
        "INVALID_GRAPH": "its graph is not valid ONNX (onnx.checker.check_model may tell more)",
        "NOT_IMPLEMENTED": f"ONNX Runtime {version} has no CPU implementation of one of its operators",
    }.get(error.reason, f"ONNX Runtime {version} cannot open it")
    return f"{plain}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:400]


def main() -> None:
    """Does the task on standard input: `{"folder", "seconds", "settings", "warmup"}`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A function that is killed takes its trial along.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        # If memory runs out, the kernel shall end this process and not the one that waits for it.
        file.write("1000")
    task = json.load(sys.stdin)
    deadline = time.monotonic() + task["seconds"]
    try:
        result = Trial(task["folder"], Settings(**task["settings"]), deadline).run(task["warmup"])
    except Refused as refused:
        result = {"refused": str(refused)}
    except Unavailable:
        result = {"refused": f"it did not answer a warm-up request within {task['seconds']:.0f} s"}
    partial = f"{task['folder']}/{RESULT}.part"
    Path(partial).write_text(json.dumps(result))
    os.replace(partial, f"{task['folder']}/{RESULT}")  # noqa: PTH105 - both are plain strings


if __name__ == "__main__":
    main()
