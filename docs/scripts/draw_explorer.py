"""Draw the pictures of regions and of the mosaic in "Explore a run".

    python docs/scripts/draw_explorer.py

Takes the phantom and the package `playwright` with a Chromium. The atlas of the pictures gives each voxel
of the brain to the nearest of the 160 points that name places without an atlas.
"""

import shutil
import tempfile
from contextlib import chdir
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import seedmap as sm
from seedmap.spatial import landmarks

IMAGES = Path(__file__).resolve().parents[1] / "images"
SIZE = {"width": 1280, "height": 860}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def write_atlas(mask: Path, folder: Path) -> Path:
    """Write an atlas of the brain with the table of its names."""
    image, points = nib.load(mask), landmarks()
    inside = np.argwhere(np.asarray(image.dataobj) > 0)
    places = nib.affines.apply_affine(image.affine, inside)
    away = np.linalg.norm(places[:, None] - points.places[None], axis=2)
    labels = np.zeros(image.shape, np.int16)
    labels[tuple(inside.T)] = 1 + away.argmin(axis=1)
    rows = [f"{number}\t{name}" for number, name in enumerate(points.names, 1)]
    nib.save(nib.Nifti1Image(labels, image.affine), folder / "points.nii.gz")
    (folder / "points.tsv").write_text("\n".join(["index\tname", *rows, ""]))
    return folder / "points.nii.gz"


def take(page: Page, name: str) -> None:
    """Write what the page shows, in 256 colours: a quarter of the bytes."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


def draw(page: Page) -> None:
    """Take the pictures: a region as the seed, and a mosaic of it."""
    page.locator(".pane[data-axis='2'] canvas").focus()
    page.keyboard.press("r")
    page.wait_for_timeout(1500)
    take(page, "explorer-regions.png")
    page.click("#theme")
    page.click("#mosaic")
    page.uncheck("#outlines")
    page.wait_for_timeout(1500)
    take(page, "explorer-mosaic.png")


def main() -> None:
    """Explore the phantom with an atlas, and take the pictures."""
    chromium = next(path for name in BROWSERS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as text, chdir(text), sync_playwright() as playwright:
        run = sm.datasets.make_phantom(Path("phantom"))
        atlas = write_atlas(run.masks[0], Path())
        given = {"confounds": run.confounds[0], "mask_img": run.masks[0]}
        with sm.explore(run.func[0], **given, atlas=atlas, out=Path("out")) as explorer:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            page.goto(explorer.url)
            page.wait_for_timeout(3000)
            draw(page)
            browser.close()


if __name__ == "__main__":
    main()
