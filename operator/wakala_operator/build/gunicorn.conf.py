"""gunicorn's settings, read from runtime.json beside this file.

Written by the Wakala operator and the same for every service: what differs between services is data in runtime.json. The
number of workers follows the CPU limit of the container where runtime.workers is `auto`; multiprocessing.cpu_count()
would count the CPUs of the host.
"""

import json
import math
import pathlib

_settings = json.loads(pathlib.Path(__file__).with_name("runtime.json").read_text())


def _cpu_limit(root="/sys/fs/cgroup"):
    """Cores this container may use, by its cgroup (v2, else v1); None where there is no limit or none can be read."""
    for quota_file, period_file in (
        ("cpu.max", "cpu.max"),
        ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),
    ):
        try:
            quota = pathlib.Path(root, quota_file).read_text().split()[0]
            period = pathlib.Path(root, period_file).read_text().split()[-1]
            if int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError, IndexError):
            continue
    return None


def _workers():
    most = _settings["workers"]
    limit = _cpu_limit() if _settings["followCpuLimit"] else None
    return most if limit is None else max(1, min(most, 2 * math.ceil(limit)))


def post_fork(server, worker):
    """Give a uvicorn worker its event loop, for which gunicorn has no setting."""
    config = getattr(worker, "config", None)
    if hasattr(config, "loop"):
        config.loop = _settings["loop"]


bind = f"0.0.0.0:{_settings['port']}"
workers = _workers()
worker_class = _settings["workerClass"]
worker_connections = _settings["workerConnections"]
threads = _settings["threads"]
max_requests = _settings["maxRequests"]
max_requests_jitter = _settings["maxRequestsJitter"]
timeout = _settings["requestTimeoutSeconds"]
graceful_timeout = _settings["requestTimeoutSeconds"]
keepalive = _settings["keepAliveSeconds"]
preload_app = _settings["preloadApp"]
reuse_port = _settings["reusePort"]
accesslog = "-" if _settings["accessLog"] else None
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s'
worker_tmp_dir = "/tmp"
