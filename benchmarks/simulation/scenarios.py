"""The runs that are simulated: stationary noise, and noise that is hard."""

from simulation.pairs import COSINE, HIGH_PASS, NO_FILTER, Scenario

FIVE, EIGHT, NINE = ("AR.5", "AR.5"), ("AR.8", "AR.8"), ("AR.9", "AR.9")
FOUR, LONG = ("AR(4)", "AR(4)"), ("long memory", "long memory")


def _stationary(name, says, frames, noise, **options):
    return Scenario(name=name, says=says, frames=frames, noise=noise, compared=True, **options)


def _hard(says, noise=FIVE, frames=200, **options):
    return Scenario(name=says, says=says, frames=frames, noise=noise, **options)


CENSORED = {"confounds": 24, "censored": 0.15}
STATIONARY = [
    _stationary("A", "no filter", 200, FIVE, cleaning=NO_FILTER, before=4.9),
    _stationary("B", "band .01-.1", 168, ("white", "white"), before=4.8),
    _stationary("C", "band .01-.1", 168, FIVE, before=4.9),
    _stationary("D", "band .01-.1", 168, FOUR, before=4.5),
    _stationary("E", "band, censored", 300, ("AR.3", "AR.8"), before=4.9, **CENSORED),
    _stationary(
        *("F", "high-pass, censored", 300, ("AR(4)", "AR.8")),
        **{"cleaning": HIGH_PASS, "before": 4.9, **CENSORED},
    ),
    _stationary("G", "band, fast", 300, NINE, confounds=36, t_r=0.8, before=3.3),
    _stationary("H", "trend only", 200, NINE, cleaning=NO_FILTER, confounds=0, before=5.1),
    _stationary(
        *("I", "high-pass, censored", 300, LONG),
        **{"cleaning": HIGH_PASS, "before": 4.9, **CENSORED},
    ),
    _stationary("J", "band, censored", 300, LONG, before=5.1, **CENSORED),
    _stationary("K", "high-pass by cosines", 200, FIVE, cleaning=COSINE, before=5.3),
]

AT_MOST, FRAME = (0.0, 6.2), (0.0, 7.0)
TREND = {"cleaning": NO_FILTER, "confounds": 0}
HARD = [
    _hard("bursts, no filter", cleaning=NO_FILTER, scale="bursts x 4", limits=AT_MOST, before=32.0),
    _hard("bursts, band", scale="bursts x 4", limits=AT_MOST, before=24.0),
    _hard(
        "frame of 10 sd, no filter",
        cleaning=NO_FILTER,
        scale="one frame of 10 sd",
        limits=FRAME,
        named=True,
        before=52.0,
    ),
    _hard(
        "frame of 10 sd, band", scale="one frame of 10 sd", limits=FRAME, named=True, before=26.0
    ),
    _hard(
        "frame of 60 sd, no filter",
        cleaning=NO_FILTER,
        scale="one frame of 60 sd",
        limits=FRAME,
        named=True,
        before=94.0,
    ),
    _hard(
        "frame of 60 sd, band", scale="one frame of 60 sd", limits=FRAME, named=True, before=84.0
    ),
    _hard("sd .5 to 1.5, band", scale="sd .5 to 1.5", limits=AT_MOST, before=8.0),
    _hard("half silent, band", scale="half silent", limits=FRAME, before=16.0),
    _hard("peak .05 Hz, band", ("peak .05 Hz",) * 2, 300, limits=(0.0, 9.0), before=17.0),
    _hard("peak .05 Hz, band, 200 frames", ("peak .05 Hz",) * 2, limits=None),
    _hard(
        *("peak .03 Hz, high-pass", ("peak .03 Hz",) * 2, 300),
        cleaning=HIGH_PASS,
        limits=AT_MOST,
        before=7.1,
    ),
    _hard(
        *("1/f^1.2, no filter, TR .72", ("1/f^1.2",) * 2, 1200),
        t_r=0.72,
        limits=AT_MOST,
        before=8.3,
        **TREND,
    ),
    _hard("70 % censored, band", confounds=24, censored=0.7, before=3.5),
    _hard("70 % censored, band, dof 9", confounds=30, censored=0.7),
    _hard("50 % censored, band", FOUR, confounds=36, censored=0.5),
    _hard("six short runs, combined", FIVE, 60, confounds=19, runs=6, before=2.8),
    _hard("trend only, 30 frames", NINE, 30, limits=None, before=7.2, **TREND),
    _hard("trend only, 40 frames", NINE, 40, before=6.5, **TREND),
]
