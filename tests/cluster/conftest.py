"""A real SLURM of one node on the loopback interface, where its packages are installed and root runs the tests."""

import os
import shutil
import socket
import subprocess
import time

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
CONFIG = """\
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={state}/ctld.pid
SlurmdPidFile={state}/d.pid
SlurmdSpoolDir={state}/d
StateSaveLocation={state}/ctld
SlurmUser=root
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmctldLogFile={state}/ctld.log
SlurmdLogFile={state}/d.log
SlurmctldPort=16817
SlurmdPort=16818
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
PreemptMode=REQUEUE
PreemptType=preempt/partition_prio
KillWait=10
MinJobAge=3600
SchedulerParameters=requeue_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
"""


def find_missing():
    """Why there can be no SLURM here; None where there can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "SLURM's daemons are started by root alone"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """The environment for SLURM's commands, while it runs."""
    if why := find_missing():
        pytest.skip(why)
    state = tmp_path_factory.mktemp("slurm")
    config, host = state / "slurm.conf", socket.gethostname().split(".")[0]
    for name in ("ctld", "d"):
        (state / name).mkdir()
    config.write_text(CONFIG.format(state=state, host=host, cpus=os.cpu_count()))
    env = {**os.environ, "SLURM_CONF": str(config), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    daemons = []
    try:
        try:
            daemons += start_munge(env)
            for name in ("slurmctld", "slurmd"):
                daemons.append(subprocess.Popen([name, "-D", "-f", config], env=env, stderr=subprocess.DEVNULL))
            wait_until(lambda: "idle" in ask(env, "sinfo", "-h", "-o", "%T"), 60)
        except (OSError, LookupError, AssertionError) as error:  # a container may lack the user, or the right
            pytest.skip(f"SLURM does not start here: {error}")
        yield env
    finally:
        ask(env, "scancel", "--user", "root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def start_munge(env):
    """The daemon by which SLURM's parts know each other; none where it runs."""
    if subprocess.run(["munge", "-n"], env=env, capture_output=True).returncode == 0:
        return []
    os.makedirs("/run/munge", exist_ok=True)
    if not os.path.exists("/etc/munge/munge.key"):
        with open("/etc/munge/munge.key", "wb") as file:
            file.write(os.urandom(1024))
    for place in ("/etc/munge", "/etc/munge/munge.key", "/run/munge", "/var/log/munge", "/var/lib/munge"):
        shutil.chown(place, "munge", "munge")
    os.chmod("/etc/munge/munge.key", 0o400)
    daemon = subprocess.Popen(["su", "-s", "/bin/sh", "munge", "-c", "/usr/sbin/munged -F"], stderr=subprocess.DEVNULL)
    wait_until(lambda: subprocess.run(["munge", "-n"], env=env, capture_output=True).returncode == 0, 30)
    return [daemon]


def ask(env, *words):
    """What a command of SLURM prints."""
    return subprocess.run(words, env=env, capture_output=True, text=True).stdout


def wait_until(is_so, seconds):
    """Wait for something, at most so long."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
