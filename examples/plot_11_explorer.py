"""
The explorer: click a place, see its map
========================================

The explorer shows one run in your browser, and the map of any seed at once: the run is cleaned a
single time, and a click costs one product with the cleaned series. Here it is started from Python;
``seedmap explore BOLD`` does the same from a terminal.

.. image:: /images/explorer.png
   :alt: Three slices with the map of the posterior cingulate, the series and the peaks.
"""

# %%
# In a notebook, the last line of a cell shows the page itself, and ``explorer.url`` opens it in a
# window of its own. It is served to this machine alone.

import json
import tempfile
import urllib.request

import numpy as np

import seedmap as sm

run = sm.datasets.make_phantom()
options = {"confounds": run.confounds[0], "mask_img": run.masks[0]}
explorer = sm.explore(run.func[0], **options, out=tempfile.mkdtemp())

# %%
# What the page asks for when you click, a program can ask for, too: the address lets one browser
# in, once, and a cookie keeps it in.

browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
browser.open(explorer.url)


def ask(what):
    """Ask the explorer for something about the seed at (0, -52, 18) mm."""
    seed = "x=0&y=-52&z=18&radius=8&ax=0&ay=-52&az=18"
    return browser.open(f"http://127.0.0.1:{explorer.port}/api/{what}?{seed}").read()


# %%
# The peaks stand beside the slices, each with the name of the nearest well-known place. A click on
# one goes there.

for peak in json.loads(ask("about"))["peaks"][:6]:
    x, y, z = peak["at"]
    print(f"({x:4.0f}, {y:4.0f}, {z:4.0f}) mm  r = {peak['value']:5.2f}  {peak['name']}")

# %%
# The map on the screen is the one that :func:`seedmap.seed_maps` makes, in steps of 1/32767.

r = np.frombuffer(ask("map"), "<i2") / 32767
maps = sm.seed_maps(run.func[0], "PCC=0,-52,18", **options)
print(f"largest difference: {np.abs(r - maps.r[0]).max():.6f}")
maps.plot()

# %%
# *Save maps* in the page writes the map with its error bars and sidecars; they say how many seeds
# were looked at before. A map that was chosen by looking needs other data to be confirmed.

explorer.close()
