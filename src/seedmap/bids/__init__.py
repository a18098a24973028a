"""BIDS names and data sets: what a file is called, and which runs there are with their files."""

from seedmap.bids.dataset import (
    Filters,
    Participant,
    RunInputs,
    find_participants,
    read_filter_file,
    sibling_confounds,
)
from seedmap.bids.links import Links, file_at, links_of, way_to
from seedmap.bids.names import (
    BidsName,
    entities_of,
    in_mni_space,
    label_of,
    modern_name,
    parse_name,
    sibling_mask,
    source_stem,
    space_of,
    uri,
)

__all__ = [
    "BidsName",
    "Filters",
    "Links",
    "Participant",
    "RunInputs",
    "entities_of",
    "file_at",
    "find_participants",
    "in_mni_space",
    "label_of",
    "links_of",
    "modern_name",
    "parse_name",
    "read_filter_file",
    "sibling_confounds",
    "sibling_mask",
    "source_stem",
    "space_of",
    "uri",
    "way_to",
]
