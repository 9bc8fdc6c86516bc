"""The template as a Mermaid diagram: `python -m coldpress_ops.diagram [docs/architecture.md]`.

Without a file the diagram is printed; with one, the diagram between its two marks is replaced.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coldpress_ops.local.cloudformation import read
from coldpress_ops.local.template import load
from coldpress_ops.project import find_template

BEGIN, END = "<!-- diagram: python -m coldpress_ops.diagram docs/architecture.md -->", "<!-- /diagram -->"


def diagram(template: Path) -> str:
    """Routes, functions, queues, and the folders of the bucket that each function may read and write.

    Raises:
        TemplateError: the template has something that the local server does not know either.
    """
    resources = read(template)["Resources"]
    lines = ["flowchart LR", "  caller([callers]) -->|HTTPS| gateway[HttpApi]"]
    lines += _routes(template)
    folders: dict[str, None] = {}
    edges = []
    for function, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            role = resources[resource["Properties"]["Role"]["Fn::GetAtt"][0]]
            edges += _edges(function, role, folders)
    lines += ["  subgraph bucket [Bucket]", *(f"    {name}[({name}/)]" for name in folders), "  end", *edges]
    lines += _events(template, resources)
    return "\n".join(lines)


def _routes(template: Path) -> Iterator[str]:
    routes: dict[str, list[str]] = {}
    for route in load(template).routes:
        routes.setdefault(route.function, []).append(route.path)
    for function, paths in routes.items():
        # Mermaid reads braces as shapes, even in quotes of some renderers: parameters become an ellipsis.
        shown = dict.fromkeys(
            "/".join("…" if part[:1] == "{" else part for part in p.split("/")) for p in paths
        )
        yield f'  gateway -->|"{"<br>".join(shown)}"| {function}'


def _edges(function: str, role: Mapping[str, Any], folders: dict[str, None]) -> list[str]:
    found: dict[str, None] = {}
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            for folder in _folders(statement):
                actions = statement["Action"]
                actions = actions if isinstance(actions, list) else [actions]
                folders[folder] = None
                if "s3:GetObject" in actions:
                    found[f"  {folder} --> {function}"] = None
                if "s3:PutObject" in actions:
                    found[f"  {function} ==> {folder}"] = None
    return list(found)


def _folders(statement: Mapping[str, Any]) -> Iterator[str]:
    """The first part of every key that a statement names: `${Store}/models/*` is `models`."""
    resources = statement.get("Resource")
    for resource in resources if isinstance(resources, list) else [resources]:
        text = resource["Fn::Sub"][0] if isinstance(resource, dict) and "Fn::Sub" in resource else ""
        if "/" in text:
            yield text.split("/")[1]


def _events(template: Path, resources: Mapping[str, Any]) -> Iterator[str]:
    for trigger in load(template).triggers:
        name = trigger.prefix.rstrip("/")
        (queue,) = (
            key
            for key, resource in resources.items()
            if resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in resource["Properties"]
        )
        dead = resources[queue]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        yield f'  {name} -.->|"*{trigger.suffix} created"| {queue} -.-> {trigger.function}'
        yield f"  {queue} -.->|after {trigger.max_receives} tries| {dead}"


def written_into(document: str, drawn: str) -> str:
    """`document` with the diagram between its marks replaced. Raises `ValueError` when it has no marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the diagram: {BEGIN} … {END}")
    return f"{before}{begin}\n```mermaid\n{drawn}\n```\n{end}{after}"


def main(arguments: list[str]) -> None:
    """Prints the diagram, or writes it into the file that is named."""
    drawn = diagram(find_template())
    if not arguments:
        sys.stdout.write(drawn + "\n")
        return
    path = Path(arguments[0])
    path.write_text(written_into(path.read_text(encoding="utf-8"), drawn), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
