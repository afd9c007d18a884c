"""What auto makes of the processor."""

import os
import platform
import sys

import pytest

from bayes_layers import processor
from bayes_layers.config import NetworkSettings


@pytest.fixture
def flags_of(tmp_path, monkeypatch):
    def use(*names):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor\t: 0\nflags\t\t: fpu {' '.join(names)}\nbugs\t\t: none\n")
        found = processor.features(str(file))
        monkeypatch.setattr(processor, "features", lambda: found)

    return use


@pytest.mark.parametrize("flag", ["amx_bf16", "avx512_bf16"])
def test_auto_is_bfloat16_where_the_processor_has_it_and_the_posterior_is_wide(flags_of, flag):
    flags_of("avx2", flag)
    assert processor.resolve_precision("auto", NetworkSettings(mu_init=-3.0)) == "bfloat16"
    assert processor.resolve_precision("auto", NetworkSettings(mu_init=-9.0)) == "float32"
    narrow_nothing = NetworkSettings(arch="CNN", mu_init=-9.0)  # no posterior that could be narrow
    assert processor.resolve_precision("auto", narrow_nothing) == "bfloat16"
    assert processor.resolve_precision("float32", NetworkSettings(mu_init=-3.0)) == "float32"


def test_auto_is_float32_elsewhere(flags_of):
    flags_of("avx2", "avx512f")
    assert processor.resolve_precision("auto", NetworkSettings(mu_init=-3.0)) == "float32"
    assert processor.resolve_precision("bfloat16", NetworkSettings(mu_init=-9.0)) == "bfloat16"


def test_no_flags_can_be_read(tmp_path):
    assert processor.features(str(tmp_path / "nothing")) == frozenset()
    assert processor.name(str(tmp_path / "nothing")) == (platform.processor() or platform.machine())


def test_the_processor_is_called_what_linux_calls_it(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model\t\t: 1\nmodel name\t: A: B\nflags\t\t: fpu\n\nmodel name\t: C\n")
    assert processor.name(str(file)) == "A: B"


@pytest.mark.parametrize(
    "flags, name",
    [
        (("sse2",), ""),
        (("sse2", "avx2"), "AVX2"),
        (("avx2", "avx_vnni"), "AVX VNNI"),
        (("avx2", "avx512f"), "AVX-512"),
        (("avx2", "avx512f", "avx512_vnni"), "AVX-512 VNNI"),
        (("avx2", "avx512f", "avx512_vnni", "avx512_bf16"), "AVX-512 BF16"),
        (("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"), "AMX"),
    ],
)
def test_the_instructions_that_decide_on_kernels_are_named(flags_of, flags, name):
    flags_of(*flags)
    assert processor.instructions() == name


@pytest.mark.parametrize("flags, found", [(("avx2",), "1"), (("avx2", "avx_vnni"), None), (("avx2", "avx512f"), None)])
def test_onednn_is_switched_on_where_tensorflow_leaves_it_off(flags_of, monkeypatch, flags, found):
    flags_of(*flags)
    monkeypatch.setenv(processor.ONEDNN, "")  # to be put back to what it was
    monkeypatch.delenv(processor.ONEDNN)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    processor.switch_onednn_on()  # too late
    assert processor.ONEDNN not in os.environ
    monkeypatch.delitem(sys.modules, "tensorflow")
    processor.switch_onednn_on()
    assert os.environ.get(processor.ONEDNN) == found
    monkeypatch.setenv(processor.ONEDNN, "0")
    processor.switch_onednn_on()
    assert os.environ[processor.ONEDNN] == "0"


def test_xla_is_for_gpus():
    assert processor.resolve_jit_compile("true") == "true"
    assert processor.resolve_jit_compile("auto") == str(processor.has_gpu()).lower()


@pytest.mark.parametrize(
    "flag, has_gpu, instructions, units",
    [
        ("avx512f", False, False, False),
        ("avx512f", True, True, True),
        ("avx512_bf16", False, True, False),
        ("avx512_bf16", True, True, True),
        ("amx_bf16", False, True, True),
    ],
)
def test_amx_and_gpus_are_matrix_units(flags_of, monkeypatch, flag, has_gpu, instructions, units):
    flags_of(flag)
    monkeypatch.setattr(processor, "has_gpu", lambda: has_gpu)
    assert processor.multiplies_bfloat16() is instructions
    assert processor.has_matrix_units() is units
