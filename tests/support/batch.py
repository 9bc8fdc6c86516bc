"""AWS Batch as boto3 speaks it, whose jobs really run: command, variables and retry rules are the template's.

It answers SubmitJob and TerminateJob, starts a process for each container of a job, and tells of every change
of a job's state in EventBridge's words. What it leaves out: images, machines, and waiting for any of them.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]
ESSENTIAL = "Essential container in task exited"
HOST_LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
KILL_SECONDS = 30


class Job:
    """One submitted job: its containers now, and what its events say."""

    def __init__(self, request: Event, definition: Event) -> None:
        self.id = str(uuid.uuid4())
        self.request, self.definition = request, definition
        self.detail: Event = {
            "jobName": request["jobName"], "jobId": self.id, "jobQueue": f"arn:queue/{request['jobQueue']}",
            "attempts": [], "createdAt": _now(), "container": {"image": "coldpress:test"},
        }  # fmt: skip
        self.processes: list[subprocess.Popen[bytes]] = []
        self.lock = threading.Lock()
        self.running, self.over = threading.Event(), threading.Event()
        self.ended_by = ""
        """Why it was ended from outside: what TerminateJob said, or a lost host."""

    @property
    def properties(self) -> Event:
        """The container's, of one node or of all."""
        nodes: Event | None = self.definition.get("NodeProperties")
        found: Event = (
            nodes["NodeRangeProperties"][0]["Container"] if nodes else self.definition["ContainerProperties"]
        )
        return found

    @property
    def nodes(self) -> int:
        return int(self.request.get("nodeOverrides", {}).get("numNodes", 1))

    def end(self, reason: str) -> None:
        """SIGTERM to every container, SIGKILL 30 s later."""
        with self.lock:
            self.ended_by = reason
            for process in self.processes:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


class Batch(ThreadingHTTPServer):
    """`definitions`: the properties of job definitions by name, as CloudFormation has them."""

    daemon_threads = True

    def __init__(
        self, definitions: dict[str, Event], variables: dict[str, str], tell: Callable[[Event], None]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.definitions, self.variables, self.tell = definitions, variables, tell
        self.jobs: dict[str, Job] = {}
        self.asked: list[tuple[str, str, Event]] = []
        """Who (the first part of the path: `AWS_ENDPOINT_URL_BATCH=…/api`) asked for what."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def submit(self, request: Event) -> Event:
        job = Job(request, self.definitions[request["jobDefinition"]])
        self.jobs[job.id] = job
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return {"jobId": job.id, "jobName": request["jobName"]}

    def terminate(self, request: Event) -> Event:
        self.jobs[request["jobId"]].end(request["reason"])
        return {}

    def _run(self, job: Job) -> None:
        for status in ("SUBMITTED", "RUNNABLE"):
            self._told(job, status)
        strategy = job.definition["RetryStrategy"]
        for attempt in range(1, int(strategy["Attempts"]) + 1):
            if job.ended_by:
                break
            began = _now()
            with job.lock:
                job.processes = [self._container(job, attempt, node) for node in range(job.nodes)]
            self._told(job, "STARTING")
            self._told(job, "RUNNING", startedAt=began)
            job.running.set()
            codes = [process.wait() for process in job.processes]
            reason = job.ended_by if job.ended_by == HOST_LOST else ESSENTIAL
            job.detail["attempts"] = [*job.detail["attempts"], {
                "container": {"exitCode": codes[0]}, "startedAt": began, "stoppedAt": _now(),
                "statusReason": reason,
            }]  # fmt: skip
            stopped = job.ended_by if job.ended_by != HOST_LOST else ""
            if codes[0] == 0 or stopped or not _again(strategy["EvaluateOnExit"], reason, codes[0]):
                status = "SUCCEEDED" if codes[0] == 0 else "FAILED"
                self._told(job, status, stoppedAt=_now(), statusReason=stopped or reason)
                break
            job.ended_by = ""
            self._told(job, "RUNNABLE")
        job.over.set()

    def _container(self, job: Job, attempt: int, node: int) -> "subprocess.Popen[bytes]":
        overrides = job.request.get("containerOverrides", {})
        if job.nodes > 1:
            overrides = job.request["nodeOverrides"]["nodePropertyOverrides"][0]["containerOverrides"]
        # The second ones: where this machine's bucket is.
        environment = {row["Name"]: row["Value"] for row in job.properties["Environment"]} | self.variables
        environment |= {row["name"]: row["value"] for row in overrides.get("environment", [])}
        environment |= {"AWS_BATCH_JOB_ID": job.id, "AWS_BATCH_JOB_ATTEMPT": str(attempt)}
        if job.nodes > 1:
            environment |= {
                "AWS_BATCH_JOB_ID": f"{job.id}#{node}", "AWS_BATCH_JOB_NUM_NODES": str(job.nodes),
                "AWS_BATCH_JOB_NODE_INDEX": str(node), "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
            }  # fmt: skip
            if node:
                environment["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "127.0.0.1"
        command = [sys.executable if word == "python" else word for word in job.properties["Command"]]
        bare = {name: os.environ[name] for name in ("PATH", "HOME", "COLDPRESS_CACHE") if name in os.environ}
        return subprocess.Popen(command, env=bare | environment)

    def _told(self, job: Job, status: str, **more: Any) -> None:
        job.detail |= {"status": status} | more
        detail = json.loads(json.dumps(job.detail))
        self.tell({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail})


def _again(rules: list[Event], reason: str, code: int) -> bool:
    """https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html"""
    for rule in rules:
        asked = {
            "OnStatusReason": fnmatchcase(reason, rule.get("OnStatusReason", "*")),
            "OnReason": fnmatchcase("", rule.get("OnReason", "*")),
            "OnExitCode": fnmatchcase(str(code), rule.get("OnExitCode", "*")),
        }
        if all(asked.values()):
            return bool(rule["Action"] == "RETRY")
    return True


def _now() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def running(
    definitions: dict[str, Event], variables: dict[str, str], tell: Callable[[Event], None]
) -> Iterator[Batch]:
    with Batch(definitions, variables, tell) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            for job in server.jobs.values():
                for process in job.processes:
                    process.kill()
                job.over.wait(KILL_SECONDS)
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Batch

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        caller, _, operation = self.path.lstrip("/").rpartition("v1/")
        caller = caller.rstrip("/")
        self.server.asked.append((caller, operation, request))
        act = {"submitjob": self.server.submit, "terminatejob": self.server.terminate}[operation]
        answer = json.dumps(act(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""
