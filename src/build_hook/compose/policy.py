"""What a pushed compose file may say: what it sets, what is passed over, what is refused."""

from build_hook import service, shapes
from build_hook.compose import entry

# Harmless, and without a meaning here; the log names them.
PASSED_OVER = frozenset(
    {
        "annotations", "attach", "container_name", "develop", "expose", "logging", "profiles",
        "pull_policy", "stdin_open", "tty",
    }
)  # fmt: skip
_SILENT = frozenset({"expose", "profiles"})

# Who sets one of these reaches beyond the project: the host, its devices, other containers.
REACHING_OUT = frozenset(
    {
        "blkio_config", "cgroup", "cgroup_parent", "credential_spec", "cpu_rt_period",
        "cpu_rt_runtime", "device_cgroup_rules", "devices", "external_links", "gpus", "group_add",
        "ipc", "isolation", "mac_address", "network_mode", "oom_kill_disable", "oom_score_adj",
        "pid", "provider", "runtime", "security_opt", "storage_opt", "sysctls", "ulimits",
        "use_api_socket", "userns_mode", "uts", "volumes_from",
    }
)  # fmt: skip
# What secrets hold is the operator's to say: where the file would take them from is not looked at.
_TOP = frozenset({"services", "volumes", "networks", "secrets", "version", "name"})


def require_known(one: entry.Entry, known: frozenset[str]) -> list[str]:
    """The keys of a service that are to be read.

    Raises:
        ComposeError: if there is one that is refused, or that nobody knows.
    """
    return [key for key in one.given if _is_read(one, key, known)]


def _is_read(one: entry.Entry, key: str, known: frozenset[str]) -> bool:
    if key == "x-build-hook":
        return True
    if key.startswith("x-") or one.ignores(key):
        return False
    if key in PASSED_OVER:
        if key not in _SILENT:
            one.note(f"{key} has no meaning here")
        return False
    if key in known:
        return True
    own = key if key in service.Service.model_fields else ""
    if key in REACHING_OUT:
        raise one.refused(key, f"{key} reaches beyond the project", own=own)
    raise one.refused(key, f"{key} is not among what a compose file may set here", own=own)


def require_top(one: entry.Entry) -> None:
    """Refuse keys beside ``services`` that change what it means.

    Raises:
        ComposeError: if there is one.
    """
    for key in ("volumes", "networks"):
        given = one.file.value.get(key)
        if given is not None and not shapes.is_mapping(given):
            raise one.file.error((key,), f"{key} must be a mapping", "Correct it")
    for key in one.file.value:
        if key in _TOP or key.startswith("x-") or key in one.rules.ignore:
            continue
        hint = (
            "Write all into one file; anchors and aliases of YAML may say things once"
            if key == "include"
            else f"Take it out, or put {key} into compose.ignore of project {one.project.name}"
        )
        raise one.file.error((key,), f"{key} is not supported", hint)
