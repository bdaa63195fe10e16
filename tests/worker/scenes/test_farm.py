"""The farm job types: read by the programs that farms use, and down to the command each task would run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FARM = Path(__file__).parents[3] / "scripts" / "farm"
SCRIPT = FARM / "tilewright_materials.js"
TEMPLATE = FARM / "tilewright_materials.openjd.yaml"
# What a Flamenco Manager gives a job type, and the tasks that come out as JSON.
MANAGER = """
const fs = require("fs"), vm = require("vm");
const [file, settings] = process.argv.slice(1);
const made = (kind) => (name, more) => ({ kind, name, more, commands: [], needs: [],
  addCommand(command) { this.commands.push(command); }, addDependency(task) { this.needs.push(task.name); } });
const context = vm.createContext({ author: { Task: made("task"), Command: made("command") }, print() {} });
vm.runInContext(fs.readFileSync(file, "utf8"), context, file);
const type = vm.runInContext("JOB_TYPE", context), tasks = [];
const values = Object.fromEntries(type.settings.filter((s) => "default" in s).map((s) => [s.key, s.default]));
context.job = { settings: { ...values, ...JSON.parse(settings) }, addTask: (task) => tasks.push(task) };
vm.runInContext("compileJob(job)", context);
console.log(JSON.stringify({ type, tasks }));
"""
PLACES = {"recipe": "/farm/r.toml", "out": "/farm/o.blend", "results": "/farm/maps"}


def compiled(**settings):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    asked = json.dumps({**PLACES, "blendfile": "/farm/s.blend", **settings})
    ended = subprocess.run(
        [node, "-e", MANAGER, SCRIPT, asked], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise ValueError(ended.stderr)
    return json.loads(ended.stdout)


def test_a_flamenco_job_makes_all_parts_and_then_fills_the_scene():
    *parts, last = compiled(parts=3)["tasks"]
    assert [task["name"] for task in parts] == [f"materials {n}/3" for n in (1, 2, 3)]
    assert last["needs"] == [task["name"] for task in parts]
    assert not any(task["needs"] for task in parts)
    plain = "batch /farm/r.toml --scene /farm/s.blend --out /farm/o.blend --results /farm/maps"
    for task, more in zip([*parts, last], [1, 2, 3, None], strict=True):
        (command,) = task["commands"]
        assert (command["name"], command["more"]["exe"]) == ("exec", "{ganWorker}")
        wanted = [*plain.split(), "--blender", "{blender}"]
        assert command["more"]["args"] == (wanted + ["--part", f"{more}/3"] if more else wanted)


def test_a_flamenco_job_names_types_that_flamenco_has():
    told = compiled()
    for setting in told["type"]["settings"]:
        assert setting["type"] in ("string", "int32", "float", "bool")
        assert setting.get("subtype", "file_path") in ("file_path", "dir_path", "hashed_file_path")
        assert setting["visible"] in ("visible", "hidden", "submission", "web")
        assert setting["description"]
    assert {task["more"] for task in told["tasks"]} == {"misc", "blender"}
    with pytest.raises(ValueError, match="parts must be 1 or more; received 0"):
        compiled(parts=0)


def openjd(*arguments):
    pytest.importorskip("openjd.cli", reason="openjd-cli is not here")
    code = "import sys; from openjd.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_the_openjd_template_is_one():
    checked = openjd("check", TEMPLATE)
    assert checked.returncode == 0, checked.stdout


def test_an_openjd_job_runs_the_parts_before_the_scene(tmp_path):
    program = tmp_path / "gan-worker"
    program.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/asked.txt"\n')
    program.chmod(0o755)
    for name in ("s.blend", "r.toml"):
        (tmp_path / name).touch()
    places = {"Scene": "s.blend", "Recipe": "r.toml", "Out": "o.blend", "Results": "maps"}
    values = {name: tmp_path / file for name, file in places.items()}
    values |= {"Parts": 2, "GanWorker": program, "Blender": "none"}
    options = [word for name, value in values.items() for word in ("-p", f"{name}={value}")]
    ran = openjd("run", TEMPLATE, "--step", "Scene", "--run-dependencies", *options)
    assert ran.returncode == 0, ran.stdout
    first, second, last = (tmp_path / "asked.txt").read_text().splitlines()
    assert last == (
        f"batch {tmp_path}/r.toml --scene {tmp_path}/s.blend --out {tmp_path}/o.blend "
        f"--results {tmp_path}/maps --blender none"
    )
    assert [first, second] == [f"{last} --part 1/2", f"{last} --part 2/2"]
