"""The files of a group: all of them, or none."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedmap._texts import without_folders
from seedmap.analysis import dataset_description, json_text, write_with_sidecar
from seedmap.bids import Links, links_of
from seedmap.group.peaks import clusters_text, find_group_clusters
from seedmap.group.pipeline import Group
from seedmap.images import STATISTICS, final_folder, staged_folder, write_text
from seedmap.spatial import Atlas

__all__ = ["replaced_words", "save_group"]

UNITS = {"x_mm": "mm", "y_mm": "mm", "z_mm": "mm", "size": "mm3, on surfaces mm2"}
CLUSTERS = (
    "Clusters of adjacent samples of one sign beyond the cluster-forming p or with a corrected p of at "
    "most .05; values are those of the peak, and 1a, 1b, 1c are further peaks of cluster 1"
)


def save_group(
    group: Group, folder: Path, atlas: Atlas | None = None, page: str = ""
) -> list[Path]:
    """Write maps, sidecars, tables and the page; all appear together, or none does.

    The table of people appears last but the page, and that of an earlier call goes first: where it is
    there, all files of its call are.

    Parameters
    ----------
    group
        The result.
    folder
        Where to; made if need be.
    atlas
        Where names of regions come from.
    page
        The page as HTML; empty for none.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    folder = Path(folder).expanduser()
    names: list[str] = []
    links = links_of(final_folder(folder))
    with staged_folder(folder) as stage:
        for maps in group.maps.values():
            for stat, values in maps.arrays.items():
                name = maps.file_name(maps.seeds[0], "statmap", stat=stat, desc=group.strategy)
                sidecar, kind = maps.sidecar(maps.seeds[0], stat), maps.kind(stat)
                names += write_with_sidecar(
                    stage / name, values, maps.space, kind, maps.codes, sidecar
                )
            tables = maps.tables(maps.seeds[0])
            found = find_group_clusters(maps, atlas)
            about = {"Description": CLUSTERS, "Units": UNITS, **maps.facts}
            naming = maps.names(atlas)
            about["Atlas"] = naming.source if naming else None
            for suffix, text in {**tables, "clusters": clusters_text(found)}.items():
                name = maps.file_name(maps.seeds[0], suffix, desc=group.strategy)
                write_text(stage / f"{name}.tsv", text)
                names.append(f"{name}.tsv")
            write_text(stage / f"{name}.json", json_text(about))
            names.append(f"{name}.json")
        names += _write_degree(group, stage)
        texts = {
            "design.tsv": _design_text(group),
            "participants.tsv": _people_text(group, links),
            **({"report.html": page} if page else {}),
        }
        for suffix, text in texts.items():
            name = _name(group, suffix)
            write_text(stage / name, text)
            names.append(name)
        write_text(stage / "dataset_description.json", json_text(_description(links)))
        names.append("dataset_description.json")
        _remove_older(group, folder)
    return [folder / name for name in names]


def _write_degree(group: Group, stage: Path) -> list[str]:
    """Write the mean map of degree, if there is one; return the names of its files."""
    if group.degree is None:
        return []
    maps = next(iter(group.maps.values()))
    name = _degree_name(group)
    row = STATISTICS["degree"]
    about = {
        "Description": f"Mean over people. {row.description}",
        **group.degree.facts,
        "Participants": [f"sub-{label}" for label in group.people],
    }
    values = group.degree.values
    return write_with_sidecar(stage / name, values, maps.space, row.kind, maps.codes, about)


def _degree_name(group: Group) -> str:
    desc = f"desc-{group.strategy}_" if group.strategy else ""
    return f"{group.stem}_stat-degree_{desc}statmap"


def _remove_older(group: Group, folder: Path) -> None:
    """Remove of an earlier call the table of people, and what is not made now: tables, degree."""
    tables = [
        f"{one.file_name(one.seeds[0], suffix, desc=group.strategy)}.tsv"
        for one in group.maps.values()
        for suffix, made in (("nullmaxima", one.maxima), ("robustness", one.moved))
        if not made
    ]
    old = [_name(group, "participants.tsv"), *tables]
    if group.degree is None:
        old += [path.name for path in folder.glob(f"{_degree_name(group)}.*")]
    for name in old:
        (folder / name).unlink(missing_ok=True)


def _description(links: Links) -> dict[str, Any]:
    known = {"DatasetLinks": links.known} if links.known else {}
    return {**dataset_description(), "Name": "Group maps of seed-to-voxel correlation", **known}


def _design_text(group: Group) -> str:
    """Write the design, one row a person."""
    design = group.plan.design
    lines = ["\t".join(["participant_id", *design.columns])]
    for label, row in zip(design.people, design.matrix, strict=True):
        lines.append("\t".join([f"sub-{label}", *(f"{value:.8g}" for value in row)]))
    return "\n".join(lines) + "\n"


def _people_text(group: Group, links: Links) -> str:
    """Write who was used with their maps, as BIDS URIs, and checksums; who was left out and why."""
    lines = ["participant_id\tused\treason\tmaps\tchecksums"]
    for label, files in group.inputs.items():
        uris = map(links.uri, files)
        paths, sums = (",".join(part) or "n/a" for part in (uris, files.values()))
        lines.append("\t".join([f"sub-{label}", "yes", "n/a", paths, sums]))
    for label, reason in group.plan.dropped.items():
        lines.append(
            "\t".join(
                [f"sub-{label}", "no", without_folders(" ".join(reason.split())), "n/a", "n/a"]
            )
        )
    return "\n".join(lines) + "\n"


def replaced_words(group: Group, folder: Path) -> Iterator[str]:
    """Name the people whose maps are not those that the results in a folder were made of.

    Parameters
    ----------
    group
        The result that is about to be written there.
    folder
        Where earlier results may be.
    """
    table = Path(folder).expanduser() / _name(group, "participants.tsv")
    try:
        rows = list(csv.DictReader(table.open(encoding="utf-8"), delimiter="\t"))
    except (OSError, UnicodeDecodeError):
        return
    before = {row.get("participant_id"): row for row in rows}
    links = links_of(final_folder(Path(folder).expanduser()))
    for label, files in group.inputs.items():
        old = before.get(f"sub-{label}", {})
        known = dict(
            zip(
                (old.get("maps") or "").split(","),
                (old.get("checksums") or "").split(","),
                strict=False,
            )
        )
        other = [
            Path(path).name for path, now in files.items() if known.get(links.uri(path), now) != now
        ]
        if other:
            yield (
                f"sub-{label}: {', '.join(other)} was replaced since the results in {folder} were made; they are "
                "made anew"
            )


def _name(group: Group, suffix: str) -> str:
    desc = f"desc-{group.strategy}_" if group.strategy else ""
    return f"{group.stem}_{desc}{suffix}"
