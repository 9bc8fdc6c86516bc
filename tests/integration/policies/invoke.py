"""A function in a process of its own: events as lines on stdin, its answers as lines on stdout."""

import importlib.util
import json
import sys


class Context:
    """What is used of Lambda's context."""

    aws_request_id = "r"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


def main(folder: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # what a function prints is its log
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("app", f"{folder}/app.py")
    assert spec
    assert spec.loader
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    for line in sys.stdin:
        answers.write(json.dumps(app.handler(json.loads(line), Context())) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
