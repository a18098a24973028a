"""Project URLs of a release: the repository that builds it, as the documentation's links are.

Only a build in that repository's own workflow knows it; a build elsewhere, from a copy or a fork's
checkout, names none rather than a wrong one.
"""

import os
from collections.abc import Mapping
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectUrls(MetadataHookInterface):
    """Adds the URLs to the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what ``dynamic`` announces."""
        metadata["urls"] = urls_of(os.environ)


def urls_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the URLs that a workflow's environment tells; none outside of a workflow."""
    server, name = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    if not (server and name):
        return {}
    home = f"{server}/{name}"
    return {
        "Source": home,
        "Issues": f"{home}/issues",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
    }
