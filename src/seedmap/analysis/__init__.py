"""One run, from files to maps: open, smooth, clean, correlate; and its result, `SeedMaps`."""

from seedmap.analysis.base import Maps, save_maps, write_clusters
from seedmap.analysis.cleaned import ImagedSeeds, StoredSeeds
from seedmap.analysis.cost import DRAWING, Kind, kind_of, peak_memory
from seedmap.analysis.degree import DegreePlan, explained, map_run_with_degree, with_degree
from seedmap.analysis.degree_map import Degree
from seedmap.analysis.inputs import TEMPLATES, Opened, check_method, open_inputs, place_surfaces
from seedmap.analysis.maps import SeedMaps
from seedmap.analysis.nuisance import global_signal, motion_in
from seedmap.analysis.options import NULL_SEEDS, Inputs, Limits, Measure, Method, Uncertainty
from seedmap.analysis.pipeline import map_run, maps_of, seed_maps
from seedmap.analysis.prepare import Preflight, Prepared, prepare, prepare_opened, read
from seedmap.analysis.provenance import Provenance
from seedmap.analysis.quality import Quality
from seedmap.analysis.robust import (
    KindOfChange,
    RobustnessSettings,
    SeedRobustness,
    filled,
    kind_words,
    reading_of,
    table_text,
)
from seedmap.analysis.robustness import (
    robust_run,
    robust_store,
    robustness_of,
    seed_robustness,
)
from seedmap.analysis.sidecar import (
    NULL_HYPOTHESIS,
    dataset_description,
    json_text,
    versions,
    write_with_sidecar,
)
from seedmap.analysis.stored import maps_of_stored, origin_facts, stored_maps
from seedmap.analysis.uncertainty import Certainty, warn_of_certainty
from seedmap.analysis.virtual_plan import VirtualPlan, draw_plan
from seedmap.seeds import SeedFacts

__all__ = [
    "DRAWING",
    "NULL_HYPOTHESIS",
    "NULL_SEEDS",
    "TEMPLATES",
    "Certainty",
    "Degree",
    "DegreePlan",
    "ImagedSeeds",
    "Inputs",
    "Kind",
    "KindOfChange",
    "Limits",
    "Maps",
    "Measure",
    "Method",
    "Opened",
    "Preflight",
    "Prepared",
    "Provenance",
    "Quality",
    "RobustnessSettings",
    "SeedFacts",
    "SeedMaps",
    "SeedRobustness",
    "StoredSeeds",
    "Uncertainty",
    "VirtualPlan",
    "check_method",
    "dataset_description",
    "draw_plan",
    "explained",
    "filled",
    "global_signal",
    "json_text",
    "kind_of",
    "kind_words",
    "map_run",
    "map_run_with_degree",
    "maps_of",
    "maps_of_stored",
    "motion_in",
    "open_inputs",
    "origin_facts",
    "peak_memory",
    "place_surfaces",
    "prepare",
    "prepare_opened",
    "read",
    "reading_of",
    "robust_run",
    "robust_store",
    "robustness_of",
    "save_maps",
    "seed_maps",
    "seed_robustness",
    "stored_maps",
    "table_text",
    "versions",
    "warn_of_certainty",
    "with_degree",
    "write_clusters",
    "write_with_sidecar",
]
