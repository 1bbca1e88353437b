"""What there is to choose from: presets, datasets, merge methods; and the state of the system."""

from __future__ import annotations

from fastapi import APIRouter

from ..cognate.datasets.registry import dataset_infos
from ..contract.architecture import PresetInfo, preset_infos
from ..contract.model import DatasetInfo, MergeMethod
from ..contract.system import System
from ..evomerge.merge_methods import merge_methods
from .dependencies import Injected, problems

router = APIRouter(tags=["system"])


@router.get("/presets", operation_id="listPresets", responses=problems())
def list_presets() -> list[PresetInfo]:
    """Model shapes with their exact sizes."""
    return preset_infos()


@router.get("/datasets", operation_id="listDatasets", responses=problems())
def list_datasets() -> list[DatasetInfo]:
    """Built-in datasets, each with an example."""
    return dataset_infos()


@router.get("/merge-methods", operation_id="listMergeMethods", responses=problems())
def list_merge_methods() -> list[MergeMethod]:
    """Every merge op as its source declares it."""
    return merge_methods()


@router.get("/system", operation_id="getSystem", responses=problems())
def get_system(services: Injected) -> System:
    return services.runs.system()
