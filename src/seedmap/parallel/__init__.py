"""Where the work is done: in this process, on this machine's cores, or on a cluster.

The only package that knows Dask. `pool` says what a user allows, `running` gives items to workers,
`batch` asks batch systems for them.
"""

from seedmap.parallel.batch import job_script
from seedmap.parallel.pool import ClusterKind, Pool, Share, core_count
from seedmap.parallel.running import run_each, share_of

__all__ = ["ClusterKind", "Pool", "Share", "core_count", "job_script", "run_each", "share_of"]
