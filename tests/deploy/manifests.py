"""deploy/k8s as kustomize would see it, as far as tests need it: documents, generators, what containers get.

In: the folder of an overlay, a folder made by `leadscore config`. Out: plain data.
Refuses to be kustomize: patches are looked at, not applied.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.given import variables
from tests.servers import REPOSITORY

K8S: Final = REPOSITORY / "deploy" / "k8s"
OVERLAYS: Final = ("small", "production")
SERVICES: Final = ("ingest", "scorer", "router")


def documents(kustomization: Path) -> Iterator[dict[str, Any]]:
    """Every document that this kustomization names under `resources`, also those of its bases."""
    for name in yaml.safe_load((kustomization / "kustomization.yaml").read_text()).get("resources", []):
        there = (kustomization / name).resolve()
        if there.is_dir():
            yield from documents(there)
        else:
            yield from yaml.safe_load_all(there.read_text())


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay with a configuration of its own."""

    name: str
    config: Path

    @property
    def kustomization(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / "kustomization.yaml").read_text()))

    @property
    def folder(self) -> Path:
        return K8S / "overlays" / self.name

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Name → document, of this kind."""
        found = documents(self.folder)
        return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}

    def generated(self, name: str) -> dict[str, Path | str]:
        """Key → file or value of a config map or secret that is generated."""
        generators = [*self.kustomization["configMapGenerator"], *self.kustomization["secretGenerator"]]
        [generator] = [one for one in generators if one["name"] == name]
        made: dict[str, Path | str] = {}
        for file in map(self._file, generator.get("files", [])):
            assert file.is_file(), file
            made[file.name] = file
        for file in map(self._file, generator.get("envs", [])):
            made.update(variables(file))
        return made

    def environment(self, container: dict[str, Any], secrets: dict[str, str]) -> dict[str, str]:
        """What this container gets. secrets: what the operator added to leadscore.env."""
        kept = {str(key): str(value) for key, value in self.generated("leadscore-secrets").items()} | secrets
        given: dict[str, str] = {}
        for source in container.get("envFrom", []):
            if "secretRef" in source:
                assert source["secretRef"] == {"name": "leadscore-secrets"}
                given.update(kept)
                continue
            made = self.generated(source["configMapRef"]["name"])
            given.update({key: str(value) for key, value in made.items()})
        for entry in container["env"]:
            if "value" in entry:
                given[entry["name"]] = entry["value"]
                continue
            reference = entry["valueFrom"]["secretKeyRef"]
            assert reference["name"] == "leadscore-secrets"
            assert reference["key"] in kept or reference.get("optional"), entry
            if reference["key"] in kept:
                given[entry["name"]] = kept[reference["key"]]
        return given

    def mounted(self, pod: dict[str, Any], container: dict[str, Any], copy: Path) -> dict[str, Path]:
        """Path in the container → file, for config maps; laid out in `copy` as they are mounted."""
        files: dict[str, Path] = {}
        volumes = {one["name"]: one for one in pod["volumes"]}
        for mount in container["volumeMounts"]:
            if "configMap" not in (volume := volumes[mount["name"]]):
                continue
            made = self.generated(volume["configMap"]["name"])
            for item in volume["configMap"]["items"]:
                source, target = made[item["key"]], copy / item["path"]
                assert isinstance(source, Path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
                files[f"{mount['mountPath']}/{item['path']}"] = target
        return files

    def _file(self, name: str) -> Path:
        """A file of the overlay; those below `config` are the operator's."""
        first, _, rest = name.partition("/")
        return self.config / rest if first == "config" else self.folder / name


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    """The pod of a deployment or job."""
    return dict(workload["spec"]["template"]["spec"])
