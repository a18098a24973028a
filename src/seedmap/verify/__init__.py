"""Whether the error bars of a run are right: simulated nulls, planted signals, and nilearn's r.

`verify_run` does it all for a run and its options; `write_verification` writes what it found.
"""

from seedmap.verify.halves import Halves
from seedmap.verify.page import verdict, write_verification
from seedmap.verify.parity import Parity
from seedmap.verify.simulation import Planted, Rates
from seedmap.verify.verification import Smallest, Verification, verify_run

__all__ = [
    "Halves",
    "Parity",
    "Planted",
    "Rates",
    "Smallest",
    "Verification",
    "verdict",
    "verify_run",
    "write_verification",
]
