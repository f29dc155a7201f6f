"""A run is one process on one device, whatever a cluster's variables say, and it loads no file but its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.runs import ENDED, ROOT, SMALL
from helpers.sampled import sampled

WORDS = [*SMALL, "logger=tensorboard", "training=adam", "training.adam.steps=4", "training.adam.block=2"]
ENVIRONMENTS = {
    "tasks": {"SLURM_NTASKS": "4"},
    "slurm": {
        **{"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_ID": "123", "SLURM_JOB_NAME": "study"},
        **{"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_NODELIST": "a[1-3]"},
    },
    "torchrun": {
        **{"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "GROUP_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
        **{"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "x"},
    },
    "lsf": {"LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "/nope", "JSM_NAMESPACE_RANK": "2", "JSM_NAMESPACE_SIZE": "4"},
    "kubeflow": {"KUBERNETES_PORT": "tcp://1", "MASTER_ADDR": "a", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"},
    "tpu": {"TPU_NAME": "x", "PJRT_DEVICE": "TPU", "XRT_TPU_CONFIG": "localservice;0;localhost:51011"},
}


def start(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    "names",
    sampled([["slurm"], ["tasks", "torchrun"], ["lsf", "kubeflow"], ["tpu"]], 4),
)
def test_a_cluster_changes_nothing(names: list[str], tmp_path: Path) -> None:
    """Under SLURM Lightning would load the newest `hpc_ckpt_*.ckpt` that it finds, without a word."""
    foreign = tmp_path / "hpc_ckpt_1.ckpt"
    torch.save({"state_dict": {}, "epoch": 3}, foreign)
    before = foreign.read_bytes()
    processes = {
        name: start(tmp_path, ENVIRONMENTS[name], *WORDS, "seconds=1e-9", f"hydra.run.dir={name}") for name in names
    }
    for name, process in processes.items():
        said, _ = process.communicate(timeout=120)
        assert process.returncode in ENDED, said
        # Loggers are silent where a rank is not 0.
        assert list((tmp_path / name / "tensorboard").glob("events.*"))
    processes = {name: start(tmp_path, ENVIRONMENTS[name], f"resume={name}", "seconds=null") for name in names}
    for name, process in processes.items():
        said, _ = process.communicate(timeout=120)
        assert process.returncode in ENDED, said
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        assert metrics["steps"] == 4
        assert metrics["stopped"] == ["adam: all steps are taken after 4 steps"]
    assert foreign.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == sorted([foreign.name, *names])
