"""Rules of configs: each has one answer, which the command line and the server give too."""

from __future__ import annotations

import sys
import types

import pytest
from odd_configs import (
    ODD_MATERIALS,
    ODD_REPAIRS,
    ODD_TRAININGS,
    SANE_MATERIALS,
    SANE_TRAININGS,
    answer,
    expect,
)

import gan_worker.gan.generation
import gan_worker.gan.training
from gan_worker.cli import app
from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.errors import Cancelled
from gan_worker.limits import Range
from gan_worker.runs import run
from gan_worker.style import Latent, Material
from gan_worker.wire.messages import JobAccepted, JobRejected

ODD = [*ODD_TRAININGS, *ODD_MATERIALS, *ODD_REPAIRS]


@pytest.mark.parametrize(("config", "code", "words"), ODD)
def test_an_odd_config_says_what_is_wrong(config, code, words):
    expect(answer(config), code, words)


@pytest.mark.parametrize("config", [*SANE_TRAININGS, *SANE_MATERIALS])
def test_a_sane_config_says_nothing(config):
    with pytest.raises(AssertionError, match="nothing is odd"):
        answer(config)


def test_what_a_resumed_run_keeps_is_not_asked():
    TrainingConfig("oak", preset="classic", scale=9.0, isotropic=True, resume=True).check()


def test_no_number_lies_in_no_range():
    assert float("nan") not in Range(0.0, 1.0)
    assert Range(0.0, 1.0).nearest(3.0) == 1.0
    assert str(Range(-0.5, 2.0)) == "from -0.5 to 2"


# ---- the server


def test_the_server_gives_the_same_answer(serve):
    served = serve()
    ear = served.connect()
    for config, _, _ in ODD:
        told = ear.event(JobRejected, job=ear.client.submit(config)).error
        assert told == answer(config), config
    assert not (served.home / "did.txt").exists(), "no compute process was started"


def test_the_server_takes_what_is_sane(serve):
    ear = serve().connect()
    for number, config in enumerate((*SANE_TRAININGS, *SANE_MATERIALS)):
        if isinstance(config, TrainingConfig):
            config = TrainingConfig(**{**vars(config), "run": f"oak {number}"})
        ear.event(JobAccepted, job=ear.client.submit(config))


# ---- the command line


def arguments(config: TrainingConfig | GenerationConfig | RepairConfig) -> list[str]:
    """The command that says the same."""
    if isinstance(config, TrainingConfig):
        names = ("run", "preset", "minutes", "kimg", "scale", "octaves", "seed", "gpus")
        turned = ["--isotropic"] if config.isotropic else []
        turned += ["--tileable"] if config.tileable else []
        turned += [f"--picture-width={config.picture_width}"] if config.picture_width else []
        return ["train", *config.pictures, *_options(config, names), *turned]
    if isinstance(config, RepairConfig):
        given = _options(config, ("mask", "scale", "seed", "steps"))
        return ["repair", config.model, config.picture, *given, "--out", "new"]
    parts = config.style if isinstance(config.style, tuple) else ()
    mix = ",".join(f"{style.number}:{weight}" for style, weight in parts)
    given = {
        "size": f"{config.width}x{config.height}",
        "detail": config.mip,
        "maps": ",".join(config.maps) or "all",
        "psi": config.truncation_psi,
        "seed": config.seed,
        **({"material": config.style.name} if isinstance(config.style, Material) else {}),
        **({"mix": mix} if mix else {}),
    }
    moved = [f"--direction={name}={amount}" for name, amount in config.directions]
    return ["generate", config.model, *(f"--{k}={v}" for k, v in given.items()), *moved]


def _options(config: object, names: tuple[str, ...]) -> list[str]:
    values = {name: getattr(config, name) for name in names}
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def _can_be_said(config: TrainingConfig | GenerationConfig | RepairConfig) -> bool:
    """Whether the command line has words for it: it gives every training an end, and no layout that sways."""
    if isinstance(config, TrainingConfig):
        return config.minutes is not None or config.kimg is not None
    if isinstance(config, GenerationConfig):
        named = all(name.startswith(("pca", "factor")) for name, _ in config.directions)
        return (
            config.seed >= 0
            and config.sway == (0.0, 0.0)
            and not isinstance(config.style, Latent)
            and named
        )
    return True


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("TILEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("config", [c for c, _, _ in ODD if _can_be_said(c)])
def test_the_command_line_gives_the_same_answer(config, out, capsys):
    assert app.main(arguments(config)) == 2
    told, wanted = capsys.readouterr().err, answer(config)
    assert " ".join(told.split()) == f"{wanted.message} {wanted.cure} [{wanted.code}]"


@pytest.fixture
def asked(monkeypatch):
    """What comes out at the other end of the command line, where TensorFlow would begin."""
    found = []

    def take(config, *_):
        found.append(config)
        raise Cancelled

    model = types.SimpleNamespace(generate=take)
    for package, name, stub in (
        (gan_worker.gan.training, "loop", types.SimpleNamespace(train=take)),
        (gan_worker.gan.generation, "model", types.SimpleNamespace(load_model=lambda *_: model)),
    ):
        monkeypatch.setattr(package, name, stub, raising=False)
        monkeypatch.setitem(sys.modules, f"{package.__name__}.{name}", stub)
    return found


def test_a_resumed_run_gets_the_octaves_that_are_asked_for(out, asked, tmp_path):
    config = TrainingConfig("oak", (str(tmp_path),), octaves=1)
    run.Run.create(tmp_path / "home" / "runs", "oak").save_config(config)
    assert app.main(["train", "--resume", "oak", "--octaves", "2"]) == 130
    assert app.main(["train", "--resume", "oak"]) == 130
    assert [config.octaves for config in asked] == [2, None]


@pytest.mark.parametrize("config", [*SANE_TRAININGS, *SANE_MATERIALS])
def test_the_command_line_takes_what_is_sane(config, out, asked):
    assert app.main(arguments(config)) == 130
    assert asked == [config]
