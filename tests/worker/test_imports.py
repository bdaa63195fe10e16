"""What is light stays light: no TensorFlow, no Blender, in client, launcher and server."""

import json
import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "keras", "bpy", "typer", "rich", "OpenImageIO", "platformdirs"}


def loaded_by(code):
    text = f"import sys\n{code}\nimport json\nprint(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True)
    return set(json.loads(found.stdout))


@pytest.mark.parametrize(
    "module",
    [
        "client.client",
        "client.launcher",
        "server.main",
        "server.server",
        "compute.process",
        "doctor.view",
    ],
)
def test_a_module_loads_nothing_heavy(module):
    assert loaded_by(f"import gan_worker.{module}").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module",
    ["wire.codec", "wire.messages", "client.events", "config", "server.queue", "server.journal"],
)
def test_what_has_no_sockets_loads_no_zmq(module):
    assert "zmq" not in loaded_by(f"import gan_worker.{module}")


def test_a_server_that_greets_does_without_numpy():
    assert "numpy" not in loaded_by("import gan_worker.server.main")


def test_the_command_line_comes_without_tensorflow():
    assert loaded_by("import gan_worker.cli.app").isdisjoint({"tensorflow", "keras", "matplotlib"})


def test_the_doctor_runs_where_every_package_is_missing():
    missing = {"numpy", "zmq", "packaging", "psutil"}
    assert loaded_by("import gan_worker.doctor.view").isdisjoint(missing)


def test_serve_is_dispatched_without_the_command_line(tmp_path):
    code = (
        "sys.argv = ['gan-worker', 'serve', '--help']\n"
        "from gan_worker.__main__ import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()"
    )
    assert loaded_by(code).isdisjoint(HEAVY)
