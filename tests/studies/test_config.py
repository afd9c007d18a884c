"""Which runs a study is made of, and what its flags take."""

import pytest

from bayes_layers.settings import SettingError
from experiments import init_study, layer_position, sweep
from experiments.active_learning.config import ActiveLearningConfig
from experiments.init_study import InitStudyConfig
from experiments.records.paths import record_path, settings_part
from experiments.studies import grid
from experiments.studies.config import StudyConfig


def test_the_papers_studies():
    position, init = grid.runs(StudyConfig()), grid.runs(InitStudyConfig())
    assert len(position) == 9 * 3 * 3 and len(init) == (7 * 4 + 1) * 3 * 3
    assert all(type(config) is ActiveLearningConfig for config in position)
    shared = {record_path(config, "mnist") for config in position} & {record_path(config, "mnist") for config in init}
    assert len(shared) == 8 * 3 * 3  # all of Table 1 at mu_init -3


def test_whole_tables_come_first_and_nothing_comes_twice():
    runs = grid.runs(InitStudyConfig())
    assert [config.seed for config in runs] == sorted(config.seed for config in runs)
    assert len({record_path(config, "mnist") for config in runs}) == len(runs)


def test_networks_without_bayesian_layers_are_run_once():
    study = StudyConfig(archs="CNN,MC-Dropout,BNN", acquisitions="random", seeds=1, mus="-3,-5",
                        kl_scales="labels,dataset", loc_inits="tfp,glorot")  # fmt: skip
    runs = grid.runs(study)
    assert [config.arch for config in runs].count("BNN") == 8
    (cnn,) = [config for config in runs if config.arch == "CNN"]
    assert cnn == ActiveLearningConfig(arch="CNN", acquisition="random")


def test_one_value_is_a_study_of_that_value():
    study = StudyConfig().replace(arch="CNN", kl_scale=60000.0)
    assert study.values("archs") == ("CNN",) and study.values("kl_scales") == (60000.0,)
    with pytest.raises(SettingError, match="--arch=CNN is not valid besides --archs=BNN: it takes one of the two"):
        StudyConfig().replace(arch="CNN", archs="BNN")
    assert StudyConfig().replace(arch="CNN", archs="CNN").values("archs") == ("CNN",)


def test_seeds_follow_the_first():
    assert [config.seed for config in grid.runs(StudyConfig(archs="CNN", acquisitions="bald", seed=7))] == [7, 8, 9]


def test_all_and_repetitions():
    study = StudyConfig(acquisitions="all", archs="BNN, BNN-1,BNN")
    assert len(study.values("acquisitions")) == 6 and study.values("archs") == ("BNN", "BNN-1")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--archs=BNN,BNN-9", "--archs=BNN,BNN-9 is not valid: it takes a list, separated by commas, of one of BNN,"),
        ("--archs=", "--archs= is not valid"),
        ("--acquisitions=entropy", "--acquisitions=entropy is not valid: it takes a list"),
        ("--mus=-3,x", "--mus=-3,x is not valid: it takes a list, separated by commas, of a finite number"),
        ("--mus=all", "--mus=all is not valid"),
        ("--kl_scales=labels,0", "--kl_scales=labels,0 is not valid: it takes a list, separated by commas, of labels,"),
        ("--loc_inits=zeros", "--loc_inits=zeros is not valid"),
        ("--seeds=0", "--seeds=0 is not valid: it takes a whole number of at least 1"),
        ("--seed=2147483646", "--seeds=3 is not valid: behind --seed=2147483646 it takes at most 2"),
        ("--parallel=0", "--parallel=0 is not valid: it takes a whole number of at least 1"),
        ("--launcher=slurm", "--launcher=slurm is not valid: it takes one of local, ray"),
        ("--gpus_per_run=1.5", "--gpus_per_run=1.5 is not valid: it takes a fraction below 1 or a whole number"),
        ("--cpus_per_run=0", "--cpus_per_run=0 is not valid"),
        ("--retries=-1", "--retries=-1 is not valid"),
        ("--report_only=maybe", "--report_only=maybe is not valid: it takes true or false"),
        ("--arch=VGG", "--arch=VGG is not valid"),
        ("--archz=BNN", "there is no flag --archz; did you mean --arch"),
    ],
)
@pytest.mark.parametrize("module", [layer_position, init_study])
def test_mistakes_are_one_line(module, flag, said, capsys):
    assert module.main([module.NAME, flag]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"error: {said}")


@pytest.mark.parametrize("module", [layer_position, init_study])
def test_help_states_the_flags(module, capsys):
    assert module.main([module.NAME, "--help"]) == 0
    said = capsys.readouterr().out
    for flag in (
        "--archs=",
        "--mus=-3",
        "--kl_scales=labels",
        "--seeds=3",
        "--launcher=local",
        "--epochs=200",
        "--arch=",
    ):
        assert flag in said
    assert f"python -m experiments.{module.NAME}" in said


def test_a_config_checks_itself():
    with pytest.raises(SettingError, match="--mus=nan is not valid"):
        StudyConfig(mus="nan")


def test_dry_run_lists_the_runs_and_makes_none(tmp_path, capsys):
    arguments = ["--dataset=digits", f"--output_dir={tmp_path / 'runs'}", "--seeds=2", "--archs=CNN", "--dry_run"]
    assert layer_position.main(["layer_position", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 and lines[-1] == "0 of 6 runs are complete; 1,004,400 minibatch steps are left"
    assert not (tmp_path / "runs").exists()


def test_an_estimator_that_was_asked_for_is_that_of_every_network():
    study = StudyConfig().replace(archs="lenet5,BNN", estimator="flipout", seeds=1, acquisitions="random")
    found = grid.runs(study)
    assert [(run.arch, run.noise_estimator) for run in found] == [("lenet5", "flipout"), ("BNN", "flipout")]
    parts = [settings_part(run) for run in found]
    assert (
        "estimator=flipout" in parts[0] and "estimator" not in parts[1]
    )  # where it is the usual one, it is the same run


def test_settings_that_depend_on_the_network_are_checked_with_those_of_the_list():
    study = StudyConfig().replace(archs="lenet5,alexnet", inference="frequentist", dropout_layers="3", seeds=1)
    assert {(run.arch, run.inference) for run in grid.runs(study)} == {
        ("lenet5", "frequentist"), ("alexnet", "frequentist")
    }  # fmt: skip
    with pytest.raises(
        SettingError, match="--inference=frequentist is not valid: it takes variational with --arch=BNN"
    ):
        grid.runs(StudyConfig().replace(archs="lenet5,BNN", inference="frequentist"))


def test_lists_override_what_a_preset_says(capsys):
    command = [
        "x",
        "--preset=gal",
        "--dataset=digits",
        "--archs=MC-Dropout,BNN",
        "--acquisitions=bald,random",
        "--seeds=1",
    ]
    assert sweep.main([*command, "--dry_run"]) == 0
    said = capsys.readouterr().out
    assert said.count("/MC-Dropout/") == 2 and said.count("/BNN/") == 2
    assert StudyConfig().replace(mus="-3", mu_init=-3.0).values("mus") == (-3.0,)
